import { expect, test } from 'vitest';
import { RunQueue } from './run-queue.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('work runs one at a time, in order, also after work that failed', async () => {
  const queue = new RunQueue();
  const events: string[] = [];
  const work = (name: string, fails = false) =>
    queue.run(async () => {
      events.push(`${name} starts`);
      await nextTurn();
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const results = await Promise.allSettled([work('a'), work('b', true), work('c')]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(events).toEqual(['a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends']);
});

test('work that waited knows what came in during the work before it', async () => {
  const queue = new RunQueue();
  let cameIn = false;
  const [, knows] = await Promise.all([
    queue.run(async () => {
      await nextTurn();
      setImmediate(() => (cameIn = true));
    }),
    queue.run(() => Promise.resolve(cameIn)),
  ]);
  expect(knows).toBe(true);
});
