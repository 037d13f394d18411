import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { concurrencyLoad, rateLoad } from './load.ts';

it('a concurrency keeps each worker at one request, and its stop waits for them', async () => {
  const underWay = new Set<number>();
  let sent = 0;
  let most = 0;
  const load = concurrencyLoad(3, async (worker) => {
    expect(underWay.has(worker)).toBe(false);
    underWay.add(worker);
    most = Math.max(most, underWay.size);
    await sleep(1);
    underWay.delete(worker);
    sent++;
  });
  await expect.poll(() => sent).toBeGreaterThan(20);
  await load.stop();
  expect([most, underWay.size]).toEqual([3, 0]);
  const after = sent;
  await sleep(5);
  expect(sent).toBe(after);
});

it('a rate sends whether answers come or not, up to its limit; what waits is counted as late', async () => {
  const answers: (() => void)[] = [];
  const workers: number[] = [];
  let late = 0;
  const load = rateLoad({ rate: 1000, distribution: 'constant', maxInFlight: 4, onDelayed: () => late++ }, (worker) => {
    workers.push(worker);
    return new Promise<void>((resolve) => answers.push(resolve));
  });
  await expect.poll(() => workers.length).toBe(4);
  await sleep(20);
  expect(workers).toEqual([0, 1, 2, 3]);
  const before = late;
  answers.shift()?.();
  await expect.poll(() => workers.length).toBe(5);
  expect([workers[4], late]).toEqual([0, before + 1]); // the free worker; long after its plan
  const stopped = load.stop();
  for (const answer of answers) answer();
  await stopped;
});

it('gaps of a Poisson process have the mean of the rate', async () => {
  let drawn = 0;
  // 1 − e^(−1): a gap of exactly the mean each time.
  const random = (): number => {
    drawn++;
    return 1 - Math.exp(-1);
  };
  let sent = 0;
  const options = { rate: 500, distribution: 'poisson', maxInFlight: 100, onDelayed: () => {}, random } as const;
  const load = rateLoad(options, async () => void sent++);
  await expect.poll(() => sent).toBeGreaterThan(5);
  await load.stop();
  expect(drawn).toBe(sent);
});
