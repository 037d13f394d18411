import { cpus, freemem, totalmem } from 'node:os';
import type { Reason } from '../base/errors.ts';
import type { Counter, Family, Gauge, Histogram, Meter } from '../base/meter.ts';
import type { Duration, ServableStatistics } from './data-plane.ts';
import type { CacheUse } from './response-cache.ts';

/** Why a request failed, in Triton's words. */
export type TritonFailure = 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER';

export const TRITON_FAILURES: readonly TritonFailure[] = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'];

const FAILURES: Partial<Record<Reason, TritonFailure>> = {
  QUEUE_FULL: 'REJECTED',
  QUEUE_TIMEOUT: 'REJECTED',
  LIMIT_REACHED: 'REJECTED',
  CANCELLED: 'CANCELED',
  DEADLINE_EXCEEDED: 'CANCELED',
  MODEL_FAILED: 'BACKEND',
  RUNTIME_FAILED: 'BACKEND',
  GRAPH_FAILED: 'BACKEND',
  GRAPH_START_FAILED: 'BACKEND',
  CALL_TIMED_OUT: 'BACKEND',
  HOST_LOST: 'BACKEND',
};

export function tritonFailure(reason: Reason): TritonFailure {
  return FAILURES[reason] ?? 'OTHER';
}

/** What the series of one servable follow. */
export interface TritonCounts extends ServableStatistics {
  readonly failures: Readonly<Record<TritonFailure, number>>;
  readonly pending: number;
  /** Its responses are remembered, so that Triton's series of its cache exist. */
  readonly isCached: boolean;
}

/** Milliseconds: Triton's default buckets. */
const FIRST_RESPONSE_MS = [100, 500, 2000, 5000];

/** A counter that follows a sum kept elsewhere. */
class Following {
  readonly #counter: Counter;
  #before = 0;

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  follow(sum: number): void {
    this.#counter.add(sum - this.#before);
    this.#before = sum;
  }
}

interface Sources {
  /** Of all servables that have counted anything, or are served. */
  readonly servables: () => Iterable<TritonCounts>;
  readonly cache: () => CacheUse | undefined;
}

/** Triton's metrics by its names and labels (KServe sheet §5), brought up to date when the page is asked for. */
export class TritonMetrics {
  readonly #meter: Meter;
  readonly #families: ReturnType<typeof createFamilies>;
  readonly #firstResponse: Family<Histogram>;
  readonly #sources: Sources;
  readonly #models = new Map<string, readonly ((counts: TritonCounts) => void)[]>();
  readonly #cached = new Map<string, readonly ((counts: TritonCounts) => void)[]>();
  readonly #machine: () => void;
  #cache: ((use: CacheUse) => void) | undefined;

  constructor(meter: Meter, sources: Sources) {
    this.#meter = meter;
    this.#sources = sources;
    this.#families = createFamilies(meter);
    this.#firstResponse = meter.histogram(
      'nv_inference_first_response_histogram_ms',
      'Duration from request to first response in milliseconds',
      ['model', 'version'],
      FIRST_RESPONSE_MS,
    );
    this.#machine = machineGauges(meter);
    meter.beforeRender(() => this.#update());
  }

  /** Of a servable with any number of responses to a request. */
  firstResponse(model: string, version: string): Histogram {
    return this.#firstResponse.with({ model, version });
  }

  #update(): void {
    for (const counts of this.#sources.servables()) {
      for (const follow of this.#seriesOf(this.#models, counts, seriesOfModel)) follow(counts);
      if (!counts.isCached) continue;
      for (const follow of this.#seriesOf(this.#cached, counts, seriesOfCachedModel)) follow(counts);
    }
    const use = this.#sources.cache();
    if (use !== undefined) (this.#cache ??= cacheGauges(this.#meter))(use);
    this.#machine();
  }

  #seriesOf(
    known: Map<string, readonly ((counts: TritonCounts) => void)[]>,
    { name, version }: TritonCounts,
    create: typeof seriesOfModel,
  ): readonly ((counts: TritonCounts) => void)[] {
    const key = JSON.stringify([name, version]);
    let series = known.get(key);
    if (series === undefined) known.set(key, (series = create(this.#families, { model: name, version })));
    return series;
  }
}

type Families = ReturnType<typeof createFamilies>;
type Labels = Readonly<Record<'model' | 'version', string>>;

const us = ({ ns }: Duration): number => Math.floor(ns / 1000);

function seriesOfModel(families: Families, labels: Labels): readonly ((counts: TritonCounts) => void)[] {
  const sums: readonly (readonly [Counter, (counts: TritonCounts) => number])[] = [
    [families.success.with(labels), ({ success }) => success.count],
    ...TRITON_FAILURES.map(
      (reason) =>
        [families.failure.with({ ...labels, reason }), ({ failures }: TritonCounts) => failures[reason]] as const,
    ),
    [families.count.with(labels), ({ inferenceCount }) => inferenceCount],
    [families.executions.with(labels), ({ executionCount }) => executionCount],
    [families.request.with(labels), ({ success }) => us(success)],
    [families.queue.with(labels), ({ queue }) => us(queue)],
    [families.input.with(labels), ({ computeInput }) => us(computeInput)],
    [families.infer.with(labels), ({ computeInfer }) => us(computeInfer)],
    [families.output.with(labels), ({ computeOutput }) => us(computeOutput)],
  ];
  const pending: Gauge = families.pending.with(labels);
  return [...sums.map(followed), (counts: TritonCounts) => pending.set(counts.pending)];
}

function seriesOfCachedModel(families: Families, labels: Labels): readonly ((counts: TritonCounts) => void)[] {
  const sums: readonly (readonly [Counter, (counts: TritonCounts) => number])[] = [
    [families.hits.with(labels), ({ cacheHit }) => cacheHit.count],
    [families.misses.with(labels), ({ cacheMiss }) => cacheMiss.count],
    [families.hitTime.with(labels), ({ cacheHit }) => us(cacheHit)],
    [families.missTime.with(labels), ({ cacheMiss }) => us(cacheMiss)],
  ];
  return sums.map(followed);
}

function followed([counter, sum]: readonly [Counter, (counts: TritonCounts) => number]): (
  counts: TritonCounts,
) => void {
  const following = new Following(counter);
  return (counts) => following.follow(sum(counts));
}

/** Triton's names, labels and help texts. */
function createFamilies(meter: Meter) {
  const labels = ['model', 'version'];
  const counter = (name: string, help: string): Family<Counter> => meter.counter(name, help, labels);
  const time = (part: string, of: string): Family<Counter> =>
    counter(`nv_inference_${part}_duration_us`, `Cumulative inference ${of} duration in microseconds`);
  return {
    success: counter('nv_inference_request_success', 'Number of successful inference requests, all batch sizes'),
    failure: meter.counter('nv_inference_request_failure', 'Number of failed inference requests, all batch sizes', [
      ...labels,
      'reason',
    ]),
    count: counter('nv_inference_count', 'Number of inferences performed (does not include cached requests)'),
    executions: counter(
      'nv_inference_exec_count',
      'Number of model executions performed (does not include cached requests)',
    ),
    request: time('request', 'request'),
    queue: time('queue', 'queuing'),
    input: time('compute_input', 'compute input'),
    infer: time('compute_infer', 'compute inference'),
    output: time('compute_output', 'compute output'),
    pending: meter.gauge(
      'nv_inference_pending_request_count',
      'Instantaneous number of requests that are not answered yet, the running ones included',
      labels,
    ),
    hits: counter('nv_cache_num_hits_per_model', 'Number of cache hits per model'),
    misses: counter('nv_cache_num_misses_per_model', 'Number of cache misses per model'),
    hitTime: counter('nv_cache_hit_duration_per_model', 'Total cache hit duration per model, in microseconds'),
    missTime: counter('nv_cache_miss_duration_per_model', 'Total cache miss duration per model, in microseconds'),
  };
}

/** Of the response cache; all gauges in Triton, too. */
function cacheGauges(meter: Meter): (use: CacheUse) => void {
  const gauge = (name: string, help: string): Gauge => meter.gauge(`nv_cache_${name}`, help, []).with({});
  const utilization = gauge('util', 'Cache utilization [0.0 - 1.0]');
  const entries = gauge('num_entries', 'Number of responses stored in cache');
  const lookups = gauge('num_lookups', 'Number of cache lookups');
  const hits = gauge('num_hits', 'Number of cache hits');
  const misses = gauge('num_misses', 'Number of cache misses');
  const evictions = gauge('num_evictions', 'Number of cache evictions');
  return (use) => {
    utilization.set(use.utilization);
    entries.set(use.entries);
    lookups.set(use.hits + use.misses);
    hits.set(use.hits);
    misses.set(use.misses);
    evictions.set(use.evictions);
  };
}

/** Of the machine, as Triton has them. Memory that is not free counts as used. */
function machineGauges(meter: Meter): () => void {
  const gauge = (name: string, help: string): Gauge => meter.gauge(`nv_cpu_${name}`, help, []).with({});
  const utilization = gauge('utilization', 'CPU utilization rate [0.0 - 1.0]');
  const total = gauge('memory_total_bytes', 'CPU total memory (RAM), in bytes');
  const used = gauge('memory_used_bytes', 'CPU used memory (RAM), in bytes');
  let before = cpuTimes();
  return () => {
    const now = cpuTimes();
    const whole = now.all - before.all;
    if (whole > 0) utilization.set((whole - (now.idle - before.idle)) / whole);
    before = now;
    total.set(totalmem());
    used.set(totalmem() - freemem());
  };
}

/** Milliseconds since the machine started, of all its cores together. */
function cpuTimes(): { readonly idle: number; readonly all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, all };
}
