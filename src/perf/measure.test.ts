import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { measure, type WindowOptions } from './measure.ts';
import { latencyUs, Recorder } from './recorder.ts';

const options: WindowOptions = {
  intervalMs: 100,
  minRequests: 1,
  stabilityPercent: 10,
  maxTrials: 6,
  percentile: undefined,
};

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => vi.useRealTimers());

/** Measures while each window brings the requests of one entry, all with that latency in ms. */
async function measured(
  windows: readonly { requests: number; latencyMs: number }[],
  more: Partial<WindowOptions> = {},
  signal = new AbortController().signal,
) {
  const recorder = new Recorder();
  const result = measure(recorder, { ...options, ...more }, signal);
  for (const { requests, latencyMs } of windows) {
    const now = performance.now();
    for (let i = 0; i < requests; i++) recorder.answered(now - latencyMs, [now - 1, now], now);
    await vi.advanceTimersByTimeAsync(100);
  }
  return result;
}
const steady = { requests: 10, latencyMs: 5 };

it('ends when three windows in a row agree, and reports these three', async () => {
  const { isStable, recorded } = await measured([{ requests: 100, latencyMs: 1 }, steady, steady, steady]);
  expect(isStable).toBe(true);
  expect(recorded).toMatchObject({ requests: 30, responses: 60, durationMs: 300 });
  expect(latencyUs(recorded.latency)).toBeCloseTo(5000, -2);
  expect(latencyUs(recorded.firstResponse)).toBeCloseTo(4000, -2);
  expect(recorded.interResponse.count).toBe(30);
});

it('gives up after its trials where throughput or latency differ', async () => {
  const throughput = [10, 20, 10, 20, 10, 20].map((requests) => ({ requests, latencyMs: 5 }));
  expect(await measured(throughput)).toMatchObject({ isStable: false, recorded: { requests: 50 } });
  const latency = [5, 10, 5, 10, 5, 10].map((latencyMs) => ({ requests: 10, latencyMs }));
  expect((await measured(latency)).isStable).toBe(false);
  expect((await measured(latency, { stabilityPercent: 50 })).isStable).toBe(true);
});

it('a window waits for its requests', async () => {
  const slow = [{ requests: 0, latencyMs: 0 }, steady, { requests: 0, latencyMs: 0 }, steady];
  const { recorded } = await measured(slow, { maxTrials: 2 });
  expect(recorded).toMatchObject({ requests: 20, durationMs: 400 });
});

it('ends at once when it is aborted', async () => {
  const stop = new AbortController();
  const result = measured([], {}, stop.signal);
  stop.abort();
  expect((await result).isStable).toBe(false);
});
