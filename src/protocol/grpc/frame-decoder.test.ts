import { expect, test } from 'vitest';
import { FrameDecoder } from './frame-decoder.ts';

function frame(length: number, fill: number): Buffer {
  const bytes = Buffer.alloc(5 + length, fill);
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

test.each([1, 2, 3, 7, 64, 1000, 100_000])('frames survive being cut into chunks of %i bytes', (size) => {
  const lengths = [0, 1, 4, 5, 6, 1000, 0, 70_000, 3];
  const frames = lengths.map((length, i) => frame(length, i + 1));
  const all = Buffer.concat(frames);
  const decoder = new FrameDecoder(-1);
  const found: Buffer[] = [];
  for (let at = 0; at < all.length; at += size) found.push(...decoder.write(all.subarray(at, at + size)));
  expect(found).toHaveLength(frames.length);
  found.forEach((each, i) => expect(Buffer.compare(each, frames[i] as Buffer)).toBe(0));
});

test('a message above the first allocation grows to its size', () => {
  const big = frame(20_000_000, 9);
  const decoder = new FrameDecoder(-1);
  const found: Buffer[] = [];
  for (let at = 0; at < big.length; at += 1_000_003) found.push(...decoder.write(big.subarray(at, at + 1_000_003)));
  expect(found).toHaveLength(1);
  expect(Buffer.compare(found[0] as Buffer, big)).toBe(0);
});

test('a message within one chunk is a view of it', () => {
  const chunk = frame(100, 1);
  expect(new FrameDecoder(-1).write(chunk)[0]?.buffer).toBe(chunk.buffer);
});

test('a frame that announces more than the limit throws before its bytes arrive', () => {
  const decoder = new FrameDecoder(1000);
  expect(decoder.write(frame(1000, 1))).toHaveLength(1);
  expect(() => decoder.write(frame(1001, 1).subarray(0, 5))).toThrow('larger than max (1001 vs 1000)');
});
