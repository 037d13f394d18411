import { expect, test } from 'vitest';
import { RequestTimer } from './request-timer.ts';

test('the first response to a request has none before it, the next ones tell when that was', () => {
  const timer = new RequestTimer();
  const first = timer.responded();
  const second = timer.responded();
  expect(first.previousUs).toBeUndefined();
  expect(second.previousUs).toBe(first.latencyUs);
  expect(second.latencyUs).toBeGreaterThanOrEqual(first.latencyUs);
});
