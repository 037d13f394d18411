import type { Gauge, Meter } from '../base/meter.ts';
import type { Entry } from './repository.ts';

/**
 * OVMS's `ovms_streams` (sheet §7): how many runs of a model are possible at once, which here is the number of hosts that have it.
 * Counted when somebody asks; the series of a model goes with it.
 */
export function countExecutionStreams(meter: Meter, entries: () => readonly Entry[]): void {
  const family = meter.gauge('ovms_streams', 'Number of execution streams: hosts that have the model.', [
    'name',
    'version',
  ]);
  let known = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly gauge: Gauge }>();
  meter.beforeRender(() => {
    const now: typeof known = new Map();
    for (const { name, version, kind, current } of entries()) {
      if (kind !== 'model') continue;
      const key = JSON.stringify([name, version]);
      const labels = { name, version };
      const series = known.get(key) ?? { labels, gauge: family.with(labels) };
      series.gauge.set(current?.readyHosts ?? 0);
      now.set(key, series);
    }
    for (const [key, { labels }] of known) if (!now.has(key)) family.remove(labels);
    known = now;
  });
}
