import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Meter } from '../base/meter.ts';

/** How often the loop is looked at: prom-client does so a hundred times a second, most of what a server at rest costs. */
const EVERY_MS = 100;

/** In ns. */
const STATISTICS: Readonly<Record<string, (lags: RecordableHistogram) => number>> = {
  min: (lags) => lags.min,
  max: (lags) => lags.max,
  mean: (lags) => lags.mean,
  stddev: (lags) => lags.stddev,
  p50: (lags) => lags.percentile(50),
  p90: (lags) => lags.percentile(90),
  p99: (lags) => lags.percentile(99),
};

const nameOf = (statistic: string): string => `nodejs_eventloop_lag_${statistic}_seconds`;

/** Names of prom-client's metrics that {@link observeEventLoopLag} takes the place of. */
export const EVENT_LOOP_LAGS = Object.keys(STATISTICS).map(nameOf);

/**
 * How late the event loop was for a timer, since metrics were asked for last: what a stall of the process delays everybody by.
 * Looks for as long as the process lives, and keeps it from nothing.
 */
export function observeEventLoopLag(meter: Meter): void {
  const lags = createHistogram();
  let dueMs = performance.now() + EVERY_MS;
  setInterval(() => {
    const now = performance.now();
    lags.record(Math.max(1, Math.round((now - dueMs) * 1e6)));
    dueMs = now + EVERY_MS;
  }, EVERY_MS).unref();
  const gauges = Object.entries(STATISTICS).map(([statistic, of]) => {
    const help = `Lateness of the event loop since the last scrape: ${statistic}, in seconds.`;
    return { gauge: meter.gauge(nameOf(statistic), help, []).with({}), of };
  });
  meter.beforeRender(() => {
    // Without a value its statistics are none.
    for (const { gauge, of } of gauges) gauge.set(lags.count === 0 ? 0 : of(lags) / 1e9);
    lags.reset();
  });
}
