/** One series of a metric: a family with its labels filled in. Bind it once, not per request. */
export interface Counter {
  add(amount: number): void;
}
export interface Gauge {
  set(value: number): void;
  add(amount: number): void;
}
export interface Histogram {
  /** @param times how often; once unless given */
  observe(value: number, times?: number): void;
}

/** A metric's series by labels; `with` makes one (at 0) or returns the one there is, `remove` ends it. */
export interface Family<Series> {
  with(labels: Readonly<Record<string, string>>): Series;
  remove(labels: Readonly<Record<string, string>>): void;
}

/** Creates metrics; the Prometheus registry behind it is chosen in `app/`. A name is registered once. */
export interface Meter {
  counter(name: string, help: string, labelNames: readonly string[]): Family<Counter>;
  gauge(name: string, help: string, labelNames: readonly string[]): Family<Gauge>;
  /** Of what it observes it tells the sum and the count. */
  summary(name: string, help: string, labelNames: readonly string[]): Family<Histogram>;
  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Family<Histogram>;
  /** `update` is called each time before the metrics are shown. */
  beforeRender(update: () => void): void;
}
