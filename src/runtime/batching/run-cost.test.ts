import { expect, test } from 'vitest';
import { RunCost } from './run-cost.ts';

test('one size of run tells nothing of what a run costs whatever its rows', () => {
  const cost = new RunCost();
  expect(cost.fixedMs).toBeUndefined();
  for (const rows of [4, 5, 7]) cost.ran(rows, 10);
  expect(cost.fixedMs).toBeUndefined();
});

test('two sizes do', () => {
  const cost = new RunCost();
  cost.ran(16, 3 + 16 * 0.25);
  cost.ran(2, 3 + 2 * 0.25);
  expect(cost.fixedMs).toBeCloseTo(3);
});

test('a run that was held up counts little, and what is not possible not at all', () => {
  const cost = new RunCost();
  for (let run = 0; run < 20; run++) {
    cost.ran(1, run % 5 === 4 ? 50 : 5);
    cost.ran(16, run % 7 === 6 ? 80 : 20);
  }
  expect(cost.fixedMs).toBeGreaterThan(3);
  expect(cost.fixedMs).toBeLessThan(12);
  const odd = new RunCost();
  odd.ran(1, 10);
  odd.ran(8, 5);
  expect(odd.fixedMs).toBe(10);
  odd.ran(64, 10_000);
  expect(odd.fixedMs).toBe(0);
});
