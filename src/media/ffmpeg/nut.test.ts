import { describe, expect, it } from 'vitest';
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
});
