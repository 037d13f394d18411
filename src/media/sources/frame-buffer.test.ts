import { describe, expect, it } from 'vitest';
import type { VideoFrame } from '../frame.ts';
import { FrameBuffer, type BufferPolicy } from './frame-buffer.ts';

const frame = (number: number): VideoFrame => ({
  number,
  timestampUs: number,
  capturedAtMs: 0,
  width: 1,
  height: 1,
  format: 'gray',
  data: new Uint8Array(1),
});

function bufferOf(policy: Partial<BufferPolicy>): { buffer: FrameBuffer; rooms: () => number } {
  let rooms = 0;
  const buffer = new FrameBuffer({ capacity: 2, whenFull: 'wait', take: 'next', ...policy }, () => rooms++);
  return { buffer, rooms: () => rooms };
}

async function numbers(buffer: FrameBuffer): Promise<number[]> {
  const taken: number[] = [];
  for (let next = await buffer.take(); next !== undefined; next = await buffer.take()) taken.push(next.number);
  return taken;
}

describe('FrameBuffer', () => {
  it('gives every frame in order, and tells when a full one has room', async () => {
    const { buffer, rooms } = bufferOf({});
    for (const number of [1, 2, 3]) buffer.put(frame(number));
    expect(buffer.isFull).toBe(true);
    expect((await buffer.take())?.number).toBe(1);
    expect(rooms()).toBe(0); // one was put beyond the capacity
    buffer.end();
    expect(await numbers(buffer)).toEqual([2, 3]);
    expect(rooms()).toBe(1);
    expect(buffer.droppedFull + buffer.droppedOlder).toBe(0);
  });

  it('drops the oldest, or the newest, and counts them', async () => {
    for (const [whenFull, left] of [
      ['drop_oldest', [3, 4]],
      ['drop_newest', [1, 2]],
    ] as const) {
      const { buffer } = bufferOf({ whenFull });
      for (const number of [1, 2, 3, 4]) buffer.put(frame(number));
      buffer.end();
      expect(await numbers(buffer)).toEqual(left);
      expect(buffer.droppedFull).toBe(2);
    }
  });

  it('gives the newest and counts those before it', async () => {
    const { buffer } = bufferOf({ capacity: 3, take: 'newest' });
    for (const number of [1, 2, 3]) buffer.put(frame(number));
    expect((await buffer.take())?.number).toBe(3);
    expect(buffer.droppedOlder).toBe(2);
  });

  it('hands a frame to a reader that waits, and its end', async () => {
    const { buffer } = bufferOf({});
    const waiting = buffer.take();
    buffer.put(frame(1));
    expect((await waiting)?.number).toBe(1);
    const last = buffer.take();
    buffer.end();
    expect(await last).toBeUndefined();
  });

  it('an error comes after the frames before it, again and again', async () => {
    const { buffer } = bufferOf({});
    buffer.put(frame(1));
    buffer.end(new Error('broken'));
    buffer.put(frame(2));
    expect((await buffer.take())?.number).toBe(1);
    await expect(buffer.take()).rejects.toThrow('broken');
    await expect(buffer.take()).rejects.toThrow('broken');
  });
});
