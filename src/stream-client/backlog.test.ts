import { expect, it } from 'vitest';
import { Backlog } from './backlog.ts';

async function settles(promise: Promise<void>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => (isSettled = true));
  await new Promise(setImmediate);
  return isSettled;
}

it('wakes all who wait once there is room', async () => {
  const { signal } = new AbortController();
  const backlog = new Backlog();
  for (let i = 0; i < 3; i++) backlog.enter();
  const [first, second, third] = [backlog.below(3, signal), backlog.below(3, signal), backlog.below(2, signal)];
  expect(await settles(first)).toBe(false);
  backlog.leave();
  expect([await settles(first), await settles(second), await settles(third)]).toEqual([true, true, false]);
  backlog.leave();
  expect(await settles(third)).toBe(true);
});

it('waiting ends with its signal', async () => {
  const stop = new AbortController();
  const backlog = new Backlog();
  backlog.enter();
  const below = backlog.below(1, stop.signal);
  stop.abort();
  await below;
});
