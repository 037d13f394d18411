import { describe, expect, it } from 'vitest';
import { FILE_ID, FLAG, START_CODES } from './nut-format.ts';
import { NutReader, type NutFrame } from './nut-reader.ts';
import { nutFrameHead, nutHead } from './nut-writer.ts';
import { pour } from './pipe-reader.ts';

const FRAMES = [
  { timestampUs: 0, data: Buffer.from([1, 2, 3]) },
  { timestampUs: 33_333, data: Buffer.alloc(5_000, 'N') },
  { timestampUs: 2 ** 45, data: Buffer.alloc(70_000, 7) },
];

function file(): Buffer {
  const head = nutHead({ width: 1, height: 1, format: 'rgb24' });
  return Buffer.concat([
    head,
    ...FRAMES.flatMap(({ timestampUs, data }) => [nutFrameHead(timestampUs, data.length), data]),
  ]);
}

function read(bytes: Buffer, chunk: number): NutFrame[] {
  const frames: NutFrame[] = [];
  const reader = new NutReader({ maxFrameBytes: 100_000, onFrame: (frame) => frames.push(frame) });
  for (let at = 0; at < bytes.length; at += chunk) pour(bytes.subarray(at, at + chunk), reader);
  return frames;
}

describe('NUT', () => {
  it.each([1, 2, 3, 7, 64, 4_096, 1 << 20])('reads what it writes, in pieces of %d bytes', (chunk) => {
    expect(read(file(), chunk)).toEqual(FRAMES);
  });

  it('gives no frame whose end has not come', () => {
    const bytes = file();
    expect(read(bytes.subarray(0, bytes.length - 1), 1_000)).toEqual(FRAMES.slice(0, 2));
  });

  it('refuses what is no NUT, a place without a frame, and a frame that is too large', () => {
    expect(() => read(Buffer.alloc(100), 100)).toThrow('no NUT file');
    const head = nutHead({ width: 1, height: 1, format: 'rgb24' });
    expect(() => read(Buffer.concat([head, Buffer.of(5)]), 1_000)).toThrow('no frame at a place where NUT has one');
    expect(() => read(Buffer.concat([head, nutFrameHead(0, 100_001)]), 1_000)).toThrow('a frame of 100001 bytes');
  });

  it('refuses a header that is cut short rather than wait for more', () => {
    const head = Buffer.from(nutHead({ width: 1, height: 1, format: 'rgb24' }));
    head[33] = 5; // the length of the main header
    expect(() => read(head, 1_000)).toThrow(/NUT/);
  });

  it('puts back the starts that short frames leave out', () => {
    const crc = [0, 0, 0, 0]; // not looked at: a pipe loses nothing
    // One time base of 1/100 s, one frame code with its flags in the frame, one start that may be left out.
    const runs = [...[0xa0, 0, 6, 0, 1, 0, 0, 0, 1], ...[0xc0, 0, 6, 0, 1, 0, 0, 0, 0x81, 0x7e]];
    const main = [3, 1, 100, 1, 1, 100, ...runs, 1, 4, ...Buffer.from('best')];
    const stream = [0, 0, 4, ...Buffer.from('Y800'), 0, 7];
    const packet = (code: Buffer, payload: readonly number[]) => [...code, payload.length + 4, ...payload, ...crc];
    const frame = (rest: string) => {
      const flags = FLAG.KEY | FLAG.CODED_PTS | FLAG.SIZE_MSB | FLAG.HEADER_IDX;
      return [0, 0x80 | (flags >> 7), flags & 127, 1, 4 + rest.length, 1, ...Buffer.from(rest)];
    };
    const nut = [...FILE_ID, ...packet(START_CODES.NM, main), ...packet(START_CODES.NS, stream)];
    const frames = ['-of', ' frames', 'ial', ...Array.from({ length: 40 }, (_, at) => '!'.repeat(at))];
    const bytes = Buffer.from([...nut, ...frames.flatMap(frame)]);
    for (const chunk of [1, 10, 200, 10_000]) {
      expect(read(bytes, chunk).map(({ data }) => data.toString())).toEqual(frames.map((rest) => `best${rest}`));
    }
  });
});
