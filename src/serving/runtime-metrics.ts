import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Counter, Family, Gauge, Histogram, Meter } from '../base/meter.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import type { Entry } from './repository.ts';

/** Whose metrics they are. */
type Owner = Pick<Entry, 'name' | 'version' | 'kind'>;

/** Series that the metrics of one servable may have in all; what is beyond is dropped and logged once. */
const MAX_SERIES = 1000;
/** Names of metrics that all runtimes may have together: they stay until the server ends. */
const MAX_METRICS = 1000;
/** Prometheus's own, for hosts that send none. */
const DEFAULT_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Labels = Readonly<Record<string, string>>;

type Metric = {
  readonly labelNames: readonly string[];
} & (
  | { readonly type: 'counter'; readonly family: Family<Counter> }
  | { readonly type: 'gauge'; readonly family: Family<Gauge> }
  | { readonly type: 'histogram'; readonly family: Family<Histogram> }
);

/** What one servable has. */
interface Owned {
  /** By metric and labels. */
  readonly series: Map<string, { readonly metric: Metric; readonly labels: Labels }>;
  /** A gauge is the sum of what each of the instances said last. */
  readonly gauges: Map<string, Map<object, number>>;
}

/** Custom metrics of runtimes, which their hosts report: series of the server's registry, summed over the instances. */
export class RuntimeMetrics {
  readonly #meter: Meter;
  readonly #logger: Logger;
  /** By name; undefined where the name could not be registered. */
  readonly #metrics = new Map<string, Metric | undefined>();
  readonly #owned = new Map<string, Owned>();
  readonly #complaints = new Set<string>();

  constructor(meter: Meter, logger: Logger) {
    this.#meter = meter;
    this.#logger = logger;
  }

  /** @param instance whose values they are; the same object each time */
  apply(entry: Owner, instance: object, updates: readonly MetricUpdate[]): void {
    const key = keyOf(entry);
    let owned = this.#owned.get(key);
    if (owned === undefined) this.#owned.set(key, (owned = { series: new Map(), gauges: new Map() }));
    for (const update of updates) this.#applyOne(entry, owned, instance, update);
  }

  /** An instance is gone: its part of the gauges too. */
  lost(instance: object): void {
    for (const { gauges, series } of this.#owned.values()) {
      for (const [key, parts] of gauges) {
        if (!parts.delete(instance)) continue;
        const known = series.get(key);
        if (known?.metric.type === 'gauge') known.metric.family.with(known.labels).set(sum(parts));
      }
    }
  }

  /** It is served no more. */
  removed(entry: Owner): void {
    for (const { metric, labels } of this.#owned.get(keyOf(entry))?.series.values() ?? []) metric.family.remove(labels);
    this.#owned.delete(keyOf(entry));
  }

  #applyOne(entry: Owner, owned: Owned, instance: object, update: MetricUpdate): void {
    const metric = this.#metric(update);
    if (metric === undefined) return;
    const labels = { ...update.labels, model_name: entry.name, model_version: entry.version };
    const key = `${update.name} ${JSON.stringify(labels)}`;
    if (!owned.series.has(key)) {
      if (owned.series.size >= MAX_SERIES) {
        this.#complain(`metrics of '${entry.name}' have ${MAX_SERIES} series, and get no more`);
        return;
      }
      owned.series.set(key, { metric, labels });
    }
    try {
      if (metric.type === 'counter') for (const value of update.values) metric.family.with(labels).add(value);
      else if (metric.type === 'histogram') {
        const series = metric.family.with(labels);
        update.values.forEach((value, at) => series.observe(value, update.counts?.[at]));
      } else {
        let parts = owned.gauges.get(key);
        if (parts === undefined) owned.gauges.set(key, (parts = new Map<object, number>()));
        parts.set(instance, update.values.at(-1) ?? 0);
        metric.family.with(labels).set(sum(parts));
      }
    } catch (error) {
      owned.series.delete(key);
      this.#complain(`metric ${update.name} of '${entry.name}': ${messageOf(error)}`);
    }
  }

  #metric(update: MetricUpdate): Metric | undefined {
    const { type, name, help, labels, bounds = DEFAULT_BOUNDS } = update;
    if (!this.#metrics.has(name)) {
      if (this.#metrics.size >= MAX_METRICS) {
        this.#complain(`runtimes have ${MAX_METRICS} metrics, and get no more`);
        return undefined;
      }
      const labelNames = ['model_name', 'model_version', ...Object.keys(labels ?? {})];
      this.#metrics.set(name, this.#register(type, name, help, labelNames, bounds));
    }
    const metric = this.#metrics.get(name);
    if (metric === undefined || metric.type === type) return metric;
    this.#complain(`metric ${name} is a ${metric.type} of another runtime already, and no ${type}`);
    return undefined;
  }

  #register(
    type: Metric['type'],
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): Metric | undefined {
    // The host is another process, and what it sends may be a user's.
    const text = typeof help === 'string' && help !== '' ? help : name;
    try {
      if (type === 'counter') return { type, labelNames, family: this.#meter.counter(name, text, labelNames) };
      if (type === 'gauge') return { type, labelNames, family: this.#meter.gauge(name, text, labelNames) };
      return { type, labelNames, family: this.#meter.histogram(name, text, labelNames, bounds) };
    } catch (error) {
      this.#complain(`metric ${name} of a runtime cannot be registered: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Once each: values come all the time. */
  #complain(text: string): void {
    if (this.#complaints.has(text) || this.#complaints.size > MAX_SERIES) return;
    this.#complaints.add(text);
    this.#logger.warn({}, text);
  }
}

const keyOf = ({ name, version, kind }: Owner): string => `${name}/${version}/${kind}`;

function sum(parts: ReadonlyMap<object, number>): number {
  let total = 0;
  for (const value of parts.values()) total += value;
  return total;
}
