import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { IdleWaiters } from './idle-waiters.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('waits until nothing is busy, looking again when some work has ended', async () => {
  const waiters = new IdleWaiters();
  let work = 2;
  let isOver = false;
  const over = waiters.whileBusy(() => work > 0, 1000).then(() => (isOver = true));
  for (work = 1; work >= 0; work--) {
    await vi.advanceTimersByTimeAsync(10);
    expect(isOver).toBe(false);
    waiters.wake();
    await vi.advanceTimersByTimeAsync(0);
  }
  await over;
  expect(vi.getTimerCount()).toBe(0);
});

it('waits no longer than it may', async () => {
  const waiters = new IdleWaiters();
  let isOver = false;
  void waiters.whileBusy(() => true, 1000).then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(999);
  waiters.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(isOver).toBe(true);
});
