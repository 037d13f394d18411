import type { Counter, Gauge, Histogram } from '../base/meter.ts';

type Labels = Readonly<Record<string, string>>;

/** One line of Prometheus text, in prom-client's form. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** A series of any type: what it measures is a plain number, formatted only when somebody asks. */
export interface RenderedSeries {
  samples(name: string): Sample[];
}

/** Counter and gauge: one number. */
export class ScalarSeries implements Counter, Gauge, RenderedSeries {
  readonly #labels: Labels;
  #value = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  add(amount: number): void {
    this.#value += amount;
  }

  set(value: number): void {
    this.#value = value;
  }

  samples(): Sample[] {
    return [{ labels: this.#labels, value: this.#value }];
  }
}

/** Sum and count, no quantiles: as Python's client has it. */
export class SummarySeries implements Histogram, RenderedSeries {
  readonly #labels: Labels;
  #count = 0;
  #sum = 0;

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  observe(value: number, times = 1): void {
    this.#count += times;
    this.#sum += value * times;
  }

  samples(name: string): Sample[] {
    return [
      { metricName: `${name}_sum`, labels: this.#labels, value: this.#sum },
      { metricName: `${name}_count`, labels: this.#labels, value: this.#count },
    ];
  }
}

/** Counts per bucket, summed up when rendered; an observation costs a binary search. */
export class HistogramSeries implements Histogram, RenderedSeries {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  /** One more than bounds: the last is +Inf. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds upper, inclusive and increasing */
  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number, times = 1): void {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (this.#bounds[middle] ?? Infinity)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] ?? 0) + times;
    this.#sum += value * times;
  }

  samples(name: string): Sample[] {
    let count = 0;
    const samples: Sample[] = [];
    this.#counts.forEach((inBucket, i) => {
      count += inBucket;
      const le = this.#bounds[i] ?? '+Inf';
      samples.push({ metricName: `${name}_bucket`, labels: { ...this.#labels, le }, value: count });
    });
    samples.push({ metricName: `${name}_sum`, labels: this.#labels, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels: this.#labels, value: count });
    return samples;
  }
}
