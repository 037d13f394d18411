import type { MetricUpdate } from '../../ipc/metric-update.ts';
import type { MetricLabels, RuntimeMeter } from '../../runtime/script/define-runtime.ts';

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Metrics that one servable may declare. */
const MAX_METRICS = 100;
/** How long values gather before the front hears of them. */
const FLUSH_MS = 100;
/** Values that are sent at once. */
const MAX_VALUES = 1000;
/** Upper bounds of a histogram's buckets where its runtime names none: Prometheus's own. */
const DEFAULT_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Kind = MetricUpdate['type'];

interface Declared {
  readonly type: Kind;
  readonly name: string;
  readonly help: string;
  readonly bounds: readonly number[] | undefined;
  /** What was not sent yet, by labels. */
  readonly pending: Map<string, { readonly labels: MetricLabels | undefined; values: number[] }>;
}

/** The custom metrics of one runtime: values gather here and go to the front, whose registry has the series. */
export class HostMeter implements RuntimeMeter {
  readonly #send: (updates: readonly MetricUpdate[]) => void;
  readonly #metrics = new Map<string, Declared>();
  #values = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (updates: readonly MetricUpdate[]) => void) {
    this.#send = send;
  }

  counter(name: string, help = ''): { add(amount?: number, labels?: MetricLabels): void } {
    const metric = this.#declare('counter', name, help);
    return {
      add: (amount = 1, labels) => {
        if (!(amount >= 0)) throw new TypeError(`counter ${name}: ${amount} given, a number from 0 expected`);
        this.#record(metric, amount, labels);
      },
    };
  }

  gauge(name: string, help = ''): { set(value: number, labels?: MetricLabels): void } {
    const metric = this.#declare('gauge', name, help);
    return { set: (value, labels) => this.#record(metric, value, labels) };
  }

  histogram(name: string, help = '', bounds = DEFAULT_BOUNDS): { observe(value: number, labels?: MetricLabels): void } {
    if (bounds.some((bound, at) => typeof bound !== 'number' || !(bound > (bounds[at - 1] ?? -Infinity)))) {
      throw new TypeError(`histogram ${name}: bounds [${bounds.join(', ')}] given, increasing numbers expected`);
    }
    const metric = this.#declare('histogram', name, help, bounds.filter(Number.isFinite));
    return { observe: (value, labels) => this.#record(metric, value, labels) };
  }

  /** Sends what has gathered. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#values === 0) return;
    this.#values = 0;
    const updates: MetricUpdate[] = [];
    for (const { type, name, help, bounds, pending } of this.#metrics.values()) {
      for (const { labels, values } of pending.values()) updates.push({ type, name, help, bounds, labels, values });
      pending.clear();
    }
    this.#send(updates);
  }

  #declare(type: Kind, name: string, help: string, bounds?: readonly number[]): Declared {
    const known = this.#metrics.get(name);
    if (known?.type === type) return known;
    if (known !== undefined) throw new TypeError(`metric ${name} is a ${known.type} already, ${type} asked for`);
    if (!NAME.test(name)) throw new TypeError(`metric "${name}": a name of letters, digits, "_" and ":" expected`);
    if (this.#metrics.size >= MAX_METRICS) throw new TypeError(`metric ${name}: at most ${MAX_METRICS} per runtime`);
    const metric: Declared = { type, name, help, bounds, pending: new Map() };
    this.#metrics.set(name, metric);
    return metric;
  }

  /** What is not finite is left out: it would spoil a sum for good. */
  #record(metric: Declared, value: number, labels: MetricLabels | undefined): void {
    if (typeof value !== 'number') throw new TypeError(`metric ${metric.name}: ${typeof value} given, number expected`);
    if (!Number.isFinite(value)) return;
    const key = labels === undefined ? '' : JSON.stringify(labels);
    let series = metric.pending.get(key);
    if (series === undefined) {
      checkLabels(metric.name, labels);
      metric.pending.set(key, (series = { labels: labels && { ...labels }, values: [] }));
    }
    if (metric.type === 'histogram' || series.values.length === 0) {
      series.values.push(value);
      this.#values++;
    } else if (metric.type === 'counter') series.values[0] = (series.values[0] as number) + value;
    else series.values[0] = value;
    if (this.#values >= MAX_VALUES) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }
}

function checkLabels(metric: string, labels: MetricLabels | undefined): void {
  for (const [label, value] of Object.entries(labels ?? {})) {
    if (!LABEL.test(label) || label === 'le' || typeof value !== 'string') {
      throw new TypeError(`metric ${metric}: label "${label}": ${typeof value} given, a name and a string expected`);
    }
  }
}
