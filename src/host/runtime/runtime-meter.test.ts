import { expect, it } from 'vitest';
import type { MetricUpdate } from '../../ipc/metric-update.ts';
import { HostMeter } from './runtime-meter.ts';

it('leaves out what is not finite, and bounds that are not', () => {
  const sent: MetricUpdate[] = [];
  const meter = new HostMeter((updates) => sent.push(...updates));
  const latency = meter.histogram('latency', '', [1, 2, Infinity]);
  for (const value of [NaN, 1.5, Infinity, -Infinity]) latency.observe(value);
  meter.gauge('level').set(NaN);
  meter.counter('tokens').add(Infinity);
  meter.counter('tokens').add(2);
  meter.flush();
  expect(sent.map(({ name, values, bounds }) => [name, values, bounds])).toEqual([
    ['latency', [1.5], [1, 2]],
    ['tokens', [2], undefined],
  ]);
});
