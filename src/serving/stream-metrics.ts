import type { Counter, Family, Gauge, Histogram, Meter } from '../base/meter.ts';
import type { CallContext } from './data-plane.ts';

/** Seconds: from a local echo to a slow model's first token. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const RESPONSES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

type Interface = CallContext['interface'];
type Ending = 'completed' | 'cancelled' | 'failed';

interface Families {
  readonly requests: Family<Counter>;
  readonly active: Family<Gauge>;
  readonly first: Family<Histogram>;
  readonly interval: Family<Histogram>;
  readonly responses: Family<Counter>;
  readonly perStream: Family<Histogram>;
  readonly ended: Family<Counter>;
}

/** The series of one servable's streams over one protocol; bound once, then shared by its streams. */
interface Series {
  readonly requests: Counter;
  readonly active: Gauge;
  readonly first: Histogram;
  readonly interval: Histogram;
  readonly responses: Counter;
  readonly perStream: Histogram;
  readonly ended: Readonly<Record<Ending, Counter>>;
}

/** What Millrace measures of streams, by model, version and interface. */
export class StreamMetrics {
  readonly #families: Families;
  readonly #series = new Map<string, Series>();

  constructor(meter: Meter) {
    const labels = ['model', 'version', 'interface'];
    this.#families = {
      requests: meter.counter('millrace_stream_requests', 'Requests that streams took.', labels),
      active: meter.gauge('millrace_streams_active', 'Streams that are open.', labels),
      first: meter.histogram(
        'millrace_stream_first_response_seconds',
        'Time from the opening of a stream to its first response.',
        labels,
        SECONDS,
      ),
      interval: meter.histogram(
        'millrace_stream_response_interval_seconds',
        'Time between two responses of a stream.',
        labels,
        SECONDS,
      ),
      responses: meter.counter('millrace_stream_responses', 'Responses of streams.', labels),
      perStream: meter.histogram(
        'millrace_stream_responses_per_stream',
        'Responses of a stream that has ended.',
        labels,
        RESPONSES,
      ),
      ended: meter.counter('millrace_streams_ended', 'Streams that have ended, by how they did.', [
        ...labels,
        'outcome',
      ]),
    };
  }

  open(model: string, version: string, via: Interface): StreamMeter {
    const key = `${via}/${version}/${model}`;
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = this.#bind({ model, version, interface: via })));
    return new StreamMeter(series);
  }

  #bind(labels: Readonly<Record<string, string>>): Series {
    const { requests, active, first, interval, responses, perStream, ended } = this.#families;
    const outcome = (name: Ending): Counter => ended.with({ ...labels, outcome: name });
    return {
      requests: requests.with(labels),
      active: active.with(labels),
      first: first.with(labels),
      interval: interval.with(labels),
      responses: responses.with(labels),
      perStream: perStream.with(labels),
      ended: { completed: outcome('completed'), cancelled: outcome('cancelled'), failed: outcome('failed') },
    };
  }
}

/** Measures one stream. */
export class StreamMeter {
  readonly #series: Series;
  readonly #openedAt = performance.now();
  #lastAt = 0;
  #responses = 0;

  constructor(series: Series) {
    this.#series = series;
    series.active.add(1);
  }

  /** Since it was opened. */
  get elapsedSeconds(): number {
    return (performance.now() - this.#openedAt) / 1000;
  }

  taken(requests: number): void {
    this.#series.requests.add(requests);
  }

  responded(): void {
    const now = performance.now();
    if (this.#responses++ === 0) this.#series.first.observe((now - this.#openedAt) / 1000);
    else this.#series.interval.observe((now - this.#lastAt) / 1000);
    this.#lastAt = now;
    this.#series.responses.add(1);
  }

  ended(how: Ending): void {
    this.#series.active.add(-1);
    this.#series.perStream.observe(this.#responses);
    this.#series.ended[how].add(1);
  }
}
