import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** What came of the requests of a span of time. Latencies are in µs, percentiles exact to three digits (HDR histograms). */
export interface Recorded {
  durationMs: number;
  /** Requests that were answered to the end. */
  requests: number;
  responses: number;
  failures: number;
  /** The text of the first failure. */
  firstFailure: string | undefined;
  /** Requests that were sent later than planned by more than a tenth of the gap between two. */
  delayed: number;
  /** From a request to its last response. */
  readonly latency: RecordableHistogram;
  /** From a request to its first response. */
  readonly firstResponse: RecordableHistogram;
  /** From response to response; empty where each request had one. */
  readonly interResponse: RecordableHistogram;
}

/** Counts what happens; `take` starts a new span. */
export class Recorder {
  #span = emptySpan();
  #startedAt = performance.now();

  /** Requests of this span that have ended, well or not. */
  get ended(): number {
    return this.#span.requests + this.#span.failures;
  }

  /** All times by `performance.now()`. */
  answered(startedAt: number, responsesAt: readonly number[], endedAt: number): void {
    const span = this.#span;
    span.requests++;
    span.responses += responsesAt.length;
    record(span.latency, endedAt - startedAt);
    record(span.firstResponse, (responsesAt[0] ?? endedAt) - startedAt);
    for (let i = 1; i < responsesAt.length; i++) {
      record(span.interResponse, (responsesAt[i] as number) - (responsesAt[i - 1] as number));
    }
  }

  failed(error: unknown): void {
    this.#span.failures++;
    this.#span.firstFailure ??= error instanceof Error ? error.message : String(error);
  }

  delayed(): void {
    this.#span.delayed++;
  }

  take(): Recorded {
    const span = this.#span;
    const now = performance.now();
    span.durationMs = now - this.#startedAt;
    this.#startedAt = now;
    this.#span = emptySpan();
    return span;
  }
}

/** Several spans as one. */
export function merged(spans: readonly Recorded[]): Recorded {
  const whole = emptySpan();
  for (const span of spans) {
    for (const key of ['durationMs', 'requests', 'responses', 'failures', 'delayed'] as const) whole[key] += span[key];
    for (const key of ['latency', 'firstResponse', 'interResponse'] as const) whole[key].add(span[key]);
    whole.firstFailure ??= span.firstFailure;
  }
  return whole;
}

/** The average, or a percentile; 0 where nothing was recorded. */
export function latencyUs(histogram: RecordableHistogram, percentile?: number): number {
  if (histogram.count === 0) return 0;
  return percentile === undefined ? histogram.mean : histogram.percentile(percentile);
}

function emptySpan(): Recorded {
  return {
    durationMs: 0,
    requests: 0,
    responses: 0,
    failures: 0,
    firstFailure: undefined,
    delayed: 0,
    latency: createHistogram(),
    firstResponse: createHistogram(),
    interResponse: createHistogram(),
  };
}

function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1000)));
}
