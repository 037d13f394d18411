import type { Counter, Family, Histogram, Meter } from '../base/meter.ts';

const QUEUE_LENGTHS = [0, 1, 2, 3, 5, 8, 13, 20, 50, 100, 200, 500, 1000];

/** MLServer's metrics of inference by its names (MLServer sheet §10), so that its dashboards fit. */
export class MlserverMetrics {
  readonly #success: Family<Counter>;
  readonly #failure: Family<Counter>;
  readonly #duration: Family<Histogram>;
  readonly #batchQueue: Family<Histogram>;
  readonly #parallelQueue: Family<Histogram>;

  constructor(meter: Meter) {
    const labels = ['model', 'version'];
    const custom = ['model_name', 'model_version'];
    this.#success = meter.counter('model_infer_request_success_total', 'Model infer request success count', labels);
    this.#failure = meter.counter('model_infer_request_failure_total', 'Model infer request failure count', labels);
    this.#duration = meter.summary('model_infer_request_duration', 'Model infer request duration', labels);
    this.#batchQueue = meter.histogram('batch_request_queue', 'Requests that wait for a batch.', custom, QUEUE_LENGTHS);
    this.#parallelQueue = meter.histogram(
      'parallel_request_queue',
      'Calls under way on the host that a call goes to.',
      custom,
      QUEUE_LENGTHS,
    );
  }

  of(model: string, version: string): ModelMetrics {
    const labels = { model, version };
    const custom = { model_name: model, model_version: version };
    let batchQueue: Histogram | undefined;
    let parallelQueue: Histogram | undefined;
    return {
      success: this.#success.with(labels),
      failure: this.#failure.with(labels),
      duration: this.#duration.with(labels),
      batchQueue: () => (batchQueue ??= this.#batchQueue.with(custom)),
      parallelQueue: () => (parallelQueue ??= this.#parallelQueue.with(custom)),
    };
  }
}

/** The series of one servable; durations in seconds, of a stream its whole life. */
export interface ModelMetrics {
  readonly success: Counter;
  readonly failure: Counter;
  readonly duration: Histogram;
  /** Made when they are first asked for: most servables have neither. */
  batchQueue(): Histogram;
  parallelQueue(): Histogram;
}
