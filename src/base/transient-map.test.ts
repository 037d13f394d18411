import { expect, test } from 'vitest';
import { TransientMap } from './transient-map.ts';

test('holds a value from set to delete, the latest of a key', () => {
  const map = new TransientMap<number, { n: number }>();
  map.set(1, { n: 1 });
  map.set(2, { n: 2 });
  map.set(1, { n: 3 });
  expect(map.size).toBe(2);
  expect(map.get(1)).toEqual({ n: 3 });
  expect(map.values()).toEqual([{ n: 3 }, { n: 2 }]);
  expect(map.delete(1)).toBe(true);
  expect(map.delete(1)).toBe(false);
  expect(map.has(1)).toBe(false);
  expect(map.get(1)).toBeUndefined();
  expect(map.values()).toEqual([{ n: 2 }]);
});

test('values may be removed while they are gone through, and clear leaves none', () => {
  const map = new TransientMap<string, { n: number }>();
  for (const n of [1, 2, 3]) map.set(`k${n}`, { n });
  for (const { n } of map.values()) if (n < 3) map.delete(`k${n}`);
  expect(map.values()).toEqual([{ n: 3 }]);
  map.clear();
  expect(map.size).toBe(0);
  expect(map.values()).toEqual([]);
});
