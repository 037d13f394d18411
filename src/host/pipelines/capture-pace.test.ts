import { expect, test } from 'vitest';
import { CapturePace } from './capture-pace.ts';

test('frames that were not looked at count too; what is long past does not', () => {
  const pace = new CapturePace();
  expect(pace.of({ number: 1, capturedAtMs: 1000 })).toBeUndefined();
  expect(pace.of({ number: 6, capturedAtMs: 1500 })).toBe(10);
  let last: number | undefined;
  for (let i = 1; i <= 40; i++) last = pace.of({ number: 6 + i, capturedAtMs: 1500 + 50 * i });
  expect(last).toBeCloseTo(20);
});
