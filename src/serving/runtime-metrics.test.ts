import { expect, test } from 'vitest';
import type { Logger } from '../base/logger.ts';
import { silentLogger } from '../base/logger.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import { createPrometheusMeter } from '../observability/meter.ts';
import { RuntimeMetrics } from './runtime-metrics.ts';

const entry = { name: 'm', version: '1', kind: 'runtime' } as const;
const [one, two] = [{}, {}];
const update = (type: MetricUpdate['type'], values: number[], more: Partial<MetricUpdate> = {}): MetricUpdate => ({
  ...{ type, name: `my_${type}`, help: 'Help.', values },
  ...more,
});

function start() {
  const meter = createPrometheusMeter();
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) };
  const metrics = new RuntimeMetrics(meter, logger);
  const lines = async (name: string): Promise<string[]> =>
    (await meter.render()).body.split('\n').filter((line) => line.startsWith(name));
  return { metrics, warnings, lines };
}

test('counters and histograms add up over the instances, a gauge is the sum of what each said last', async () => {
  const { metrics, lines } = start();
  for (const instance of [one, two]) {
    metrics.apply(entry, instance, [
      update('counter', [2, 1], { labels: { kind: 'word' } }),
      update('gauge', [9, 4]),
      update('histogram', [0.5, 3], { bounds: [1] }),
    ]);
  }
  metrics.apply(entry, one, [update('gauge', [5])]);
  expect(await lines('my_counter')).toEqual(['my_counter{kind="word",model_name="m",model_version="1"} 6']);
  expect(await lines('my_gauge')).toEqual(['my_gauge{model_name="m",model_version="1"} 9']);
  expect(await lines('my_histogram_bucket')).toEqual([
    'my_histogram_bucket{model_name="m",model_version="1",le="1"} 2',
    'my_histogram_bucket{model_name="m",model_version="1",le="+Inf"} 4',
  ]);
  metrics.lost(one);
  expect(await lines('my_gauge')).toEqual(['my_gauge{model_name="m",model_version="1"} 4']);
  metrics.removed(entry);
  expect(await lines('my_')).toEqual([]);
});

test('a histogram may tell how often there was each value', async () => {
  const { metrics, lines } = start();
  metrics.apply(entry, one, [update('histogram', [0.5, 3], { bounds: [1], counts: [4, 2] })]);
  expect((await lines('my_histogram')).map((line) => line.split(' ').at(-1))).toEqual(['4', '6', '8', '6']);
});

test('a name of ours, another type, other labels and too many series are refused, each told once', async () => {
  const { metrics, warnings, lines } = start();
  for (let i = 0; i < 2; i++) {
    metrics.apply(entry, one, [
      update('counter', [1], { name: 'process_cpu_seconds_total' }),
      update('gauge', [1], { name: 'mine' }),
      update('counter', [1], { name: 'mine' }),
      update('gauge', [1], { name: 'mine', labels: { more: 'x' } }),
    ]);
  }
  for (let i = 0; i < 1200; i++) metrics.apply(entry, one, [update('counter', [1], { labels: { i: String(i) } })]);
  expect(warnings).toEqual([
    expect.stringContaining('metric process_cpu_seconds_total of a runtime cannot be registered'),
    'metric mine is a gauge of another runtime already, and no counter',
    expect.stringContaining(`metric mine of 'm': metric mine has no label "more"`),
    "metrics of 'm' have 1000 series, and get no more",
  ]);
  expect(await lines('my_counter')).toHaveLength(999);
});

test('names that are made up without end are not registered without end', () => {
  const { metrics, warnings } = start();
  for (let i = 0; i < 1100; i++) metrics.apply(entry, one, [update('gauge', [1], { name: `made_up_${i}` })]);
  for (let i = 0; i < 100; i++)
    metrics.apply({ ...entry, name: 'n' }, one, [update('gauge', [1], { name: `more_${i}` })]);
  expect(warnings).toContain('runtimes have 1000 metrics, and get no more');
});

test('a metric without a text to explain it does not spoil the page', async () => {
  const { metrics, lines } = start();
  for (const help of ['', null, 5]) {
    metrics.apply(entry, one, [update('gauge', [1], { name: `of_${help}`, help: help as string })]);
  }
  expect(await lines('of_')).toHaveLength(3);
});
