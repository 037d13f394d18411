import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createPrometheusMeter } from './meter.ts';

function lagOf(body: string, statistic: string): number {
  const found = new RegExp(`^nodejs_eventloop_lag_${statistic}_seconds (\\S+)$`, 'gm').exec(body)?.[1];
  return Number(found ?? NaN);
}

test('a loop that stood still shows in the lag since the last scrape, once', async () => {
  const meter = createPrometheusMeter();
  await delay(1);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
  // The timer that is late, at the latest.
  await delay(150);
  const { body } = await meter.render();
  for (const statistic of ['max', 'p99']) expect(lagOf(body, statistic), statistic).toBeGreaterThan(0.2);
  expect(lagOf(body, 'min')).toBeLessThanOrEqual(lagOf(body, 'max'));
  const next = await meter.render();
  expect(lagOf(next.body, 'max')).toBeLessThan(lagOf(body, 'max'));
});

test('each statistic is there once', async () => {
  const { body } = await createPrometheusMeter().render();
  for (const statistic of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99']) {
    expect(body.split(`\n# TYPE nodejs_eventloop_lag_${statistic}_seconds gauge`).length, statistic).toBe(2);
    expect(lagOf(body, statistic), statistic).not.toBeNaN();
  }
});
