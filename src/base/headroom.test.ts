import { describe, expect, it } from 'vitest';
import { allocateWithRoom, freeRoom, putBefore } from './headroom.ts';

const HEAD = Buffer.from('head');

describe('room in front', () => {
  it('takes one head, and another when it is free again', () => {
    const data = allocateWithRoom(10_000).fill(7);
    const whole = putBefore(data, HEAD);
    expect(whole?.subarray(0, 5)).toEqual(Buffer.from('head\x07'));
    expect(whole?.buffer).toBe(data.buffer);
    expect(whole).toHaveLength(10_004);
    expect(putBefore(data, HEAD)).toBeUndefined();
    freeRoom(data);
    expect(putBefore(data, Buffer.from('tail'))?.subarray(0, 4).toString()).toBe('tail');
  });

  it('is not before a part, other memory, or for a head that is too long', () => {
    const data = allocateWithRoom(10_000);
    expect(putBefore(data.subarray(1), HEAD)).toBeUndefined();
    expect(putBefore(data, Buffer.alloc(1025))).toBeUndefined();
    expect(putBefore(Buffer.allocUnsafeSlow(10_000).subarray(1024), HEAD)).toBeUndefined();
  });
});
