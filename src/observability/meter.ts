import { collectDefaultMetrics, Registry, type Metric } from 'prom-client';
import type { Family, Meter } from '../base/meter.ts';
import { EVENT_LOOP_LAGS, observeEventLoopLag } from './event-loop-lag.ts';
import { HistogramSeries, ScalarSeries, SummarySeries, type RenderedSeries, type Sample } from './series.ts';

export interface PrometheusMeter extends Meter {
  /** The answer to `GET /metrics`. */
  render(): Promise<{ contentType: string; body: string }>;
}

/** prom-client's own watch of the event loop, which cannot be left out, looks once a day. */
const NEVER_MS = 86_400_000;

/**
 * Metrics in Prometheus's text format: ours, and those of the process (CPU, memory, event loop). prom-client hashes
 * labels on each observation; here a series is bound once and an observation changes a number of its own.
 */
export function createPrometheusMeter(): PrometheusMeter {
  const registry = new Registry();
  const updates: (() => void)[] = [];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS });
  for (const name of EVENT_LOOP_LAGS) registry.removeSingleMetric(name);

  function family<Series extends RenderedSeries>(
    declaration: Declaration,
    create: (labels: Readonly<Record<string, string>>) => Series,
  ): Family<Series> {
    const created = new SeriesFamily(declaration, create);
    // prom-client's type for what a registry holds is a union of its own classes; `name` and `get` are all it uses.
    registry.registerMetric(created as unknown as Metric);
    return created;
  }

  const meter: PrometheusMeter = {
    counter: (name, help, labelNames) =>
      family({ name, help, labelNames, type: 'counter' }, (labels) => new ScalarSeries(labels)),
    gauge: (name, help, labelNames) =>
      family({ name, help, labelNames, type: 'gauge' }, (labels) => new ScalarSeries(labels)),
    summary: (name, help, labelNames) =>
      family({ name, help, labelNames, type: 'summary' }, (labels) => new SummarySeries(labels)),
    histogram: (name, help, labelNames, bounds) =>
      family({ name, help, labelNames, type: 'histogram' }, (labels) => new HistogramSeries(labels, bounds)),
    beforeRender: (update) => void updates.push(update),
    render: async () => {
      for (const update of updates) update();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
  observeEventLoopLag(meter);
  return meter;
}

interface Declaration {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly labelNames: readonly string[];
}

/** A family that prom-client's registry can render. */
class SeriesFamily<Series extends RenderedSeries> implements Family<Series> {
  readonly name: string;
  readonly #declaration: Declaration;
  readonly #create: (labels: Readonly<Record<string, string>>) => Series;
  readonly #series = new Map<string, Series>();

  constructor(declaration: Declaration, create: (labels: Readonly<Record<string, string>>) => Series) {
    this.name = declaration.name;
    this.#declaration = declaration;
    this.#create = create;
  }

  with(labels: Readonly<Record<string, string>>): Series {
    const key = this.#keyOf(labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = this.#create({ ...labels });
      this.#series.set(key, series);
    }
    return series;
  }

  remove(labels: Readonly<Record<string, string>>): void {
    this.#series.delete(this.#keyOf(labels));
  }

  get(): { name: string; help: string; type: string; values: Sample[] } {
    const { name, help, type } = this.#declaration;
    return { name, help, type, values: [...this.#series.values()].flatMap((series) => series.samples(name)) };
  }

  /** Labels may be fewer than declared (OVMS leaves `version` out for some), never others. */
  #keyOf(labels: Readonly<Record<string, string>>): string {
    const { name, labelNames } = this.#declaration;
    const unknown = Object.keys(labels).find((label) => !labelNames.includes(label));
    if (unknown !== undefined)
      throw new TypeError(`metric ${name} has no label "${unknown}": ${labelNames.join(', ')}`);
    return JSON.stringify(labelNames.map((label) => labels[label] ?? null));
  }
}
