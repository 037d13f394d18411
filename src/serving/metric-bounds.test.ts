import { expect, test } from 'vitest';
import { OVMS_TIME_BOUNDS_US } from './metric-bounds.ts';

test("OVMS's 33 bounds are floor(10·1.8^i)", () => {
  expect(OVMS_TIME_BOUNDS_US).toHaveLength(33);
  expect(OVMS_TIME_BOUNDS_US.slice(0, 6)).toEqual([10, 18, 32, 58, 104, 188]);
  expect(OVMS_TIME_BOUNDS_US.at(-1)).toBe(1474755971);
});
