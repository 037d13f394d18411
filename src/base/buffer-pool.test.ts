import { describe, expect, it } from 'vitest';
import { BufferPool } from './buffer-pool.ts';

const MIB = 2 ** 20;

describe('a buffer pool', () => {
  it('lends memory again only after it was given back, once', () => {
    const pool = new BufferPool(8 * MIB);
    const first = pool.take(MIB + 1);
    const second = pool.take(MIB + 1);
    expect(first.length).toBe(MIB + 1);
    expect(second.buffer).not.toBe(first.buffer);
    pool.give(first.subarray(5, 9));
    pool.give(first);
    const third = pool.take(MIB);
    expect(third.buffer).not.toBe(second.buffer);
    const fourth = pool.take(MIB + 1);
    expect(fourth.buffer).toBe(first.buffer);
    expect(pool.take(MIB + 1).buffer).not.toBe(first.buffer);
  });

  it('leaves memory alone that is not its own', () => {
    const pool = new BufferPool(8 * MIB);
    const other = Buffer.alloc(MIB);
    pool.give(other);
    expect(pool.take(MIB).buffer).not.toBe(other.buffer);
  });

  it('keeps no more than its bound', () => {
    const pool = new BufferPool(2 * MIB);
    const lent = [1, 2, 3].map(() => pool.take(MIB));
    for (const buffer of lent) pool.give(buffer);
    expect(pool.take(MIB).buffer).toBe(lent[2]?.buffer);
    expect(lent.map(({ buffer }) => buffer)).not.toContain(pool.take(MIB).buffer);
    pool.give(pool.take(3 * MIB));
    expect(pool.take(3 * MIB).length).toBe(3 * MIB);
  });
});
