import type { Reason } from '../base/errors.ts';
import type { Counter, Gauge, Histogram, Meter } from '../base/meter.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import type { ResponseTiming } from '../ipc/session.ts';
import type { CallContext, ServableKind, ServableStatistics } from './data-plane.ts';
import { MlserverMetrics, type ModelMetrics } from './mlserver-metrics.ts';
import type { SessionLimitScope } from './open-sessions.ts';
import { createServableFamilies } from './servable-families.ts';
import type { QuestionMethod } from './questions.ts';
import type { Entry } from './repository.ts';
import type { CacheUse } from './response-cache.ts';
import { ResponseTotals } from './response-totals.ts';
import { RunTotals, Total } from './run-totals.ts';
import { StreamMetrics, type StreamMeter } from './stream-metrics.ts';
import { tritonFailure, TritonMetrics, type TritonCounts } from './triton-metrics.ts';

type Interface = CallContext['interface'];
type Outcome = 'success' | 'fail' | 'cancelled';
type Method = 'ModelInfer' | QuestionMethod;
const METHODS: readonly Method[] = ['ModelInfer', 'ModelMetadata', 'ModelReady'];

/** Ends that tell nothing of the graph: the client's, the server's, a limit's. */
const NO_OUTCOME: readonly Reason[] = [
  'CANCELLED',
  'DEADLINE_EXCEEDED',
  'LIMIT_REACHED',
  'SERVABLE_NOT_READY',
  'SHUTTING_DOWN',
  'UNAUTHENTICATED',
];
const FAILURES: readonly Reason[] = [
  'GRAPH_FAILED',
  'GRAPH_START_FAILED',
  'HOST_LOST',
  'INTERNAL',
  'MODEL_FAILED',
  'TIMESTAMP_NOT_INCREASING',
];

/**
 * How a fault that ended a session or a unary request counts for its graph (OVMS sheet §7): `failed` in running, or
 * `rejected` by validation; undefined: neither.
 */
export function graphOutcome(reason: Reason): 'failed' | 'rejected' | undefined {
  if (isNoOutcome(reason)) return undefined;
  return FAILURES.includes(reason) ? 'failed' : 'rejected';
}

/** The end tells nothing of the servable. */
export function isNoOutcome(reason: Reason): boolean {
  return NO_OUTCOME.includes(reason);
}

/** What a session reports; bound once when it opens. */
export interface SessionMetrics {
  readonly accepted: Counter;
  readonly rejected: Counter;
  readonly responses: Counter;
  readonly failed: Counter;
  readonly current: Gauge;
  readonly duration: Histogram;
  readonly latency: Histogram;
  readonly droppedPackets: Counter;
  readonly queuedPackets: Gauge;
  readonly queuedBytes: Gauge;
}

/** Counters of one servable version: Prometheus series (OVMS's families by name) and KServe statistics. */
export class ServableTelemetry {
  readonly #families: Families;
  readonly #name: string;
  readonly #version: string;
  readonly #kind: ServableKind;
  readonly #totals = { success: new Total(), fail: new Total(), cacheHit: new Total(), cacheMiss: new Total() };
  readonly #failures = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  readonly #responses = new ResponseTotals();
  #pending = 0;
  readonly #runs = new RunTotals();
  readonly #requests = new Map<string, Counter>();
  readonly #times = new Map<Interface, Histogram>();
  readonly #inference: Histogram;
  readonly #wait: Histogram;
  /** Only of a model. */
  readonly #batchSize: Histogram | undefined;
  readonly #current: Gauge;
  readonly #sessions = new Map<string, SessionMetrics>();
  readonly #sessionsRefused = new Map<SessionLimitScope, Counter>();
  /** Sessions that are open, of all versions of the name. */
  readonly sessions: Gauge;
  readonly mlserver: ModelMetrics;
  #provider: string | undefined;
  #lastInference = 0;

  constructor(families: Families, { name, version, kind }: Entry) {
    this.#families = families;
    this.#name = name;
    this.#version = version;
    this.#kind = kind;
    const labels = { name, version };
    this.#inference = families.inferenceTime.with(labels);
    this.#wait = families.waitTime.with(labels);
    this.#batchSize = kind === 'model' ? families.batchSize.with(labels) : undefined;
    this.#current = families.currentRequests.with(labels);
    this.sessions = families.sessions.with({ name });
    this.mlserver = families.mlserver.of(name, version);
    for (const scope of ['servable', 'server'] as const) {
      this.#sessionsRefused.set(scope, families.sessionsRefused.with({ name, scope }));
    }
    for (const method of METHODS) {
      for (const via of ['gRPC', 'REST'] as const) {
        for (const outcome of ['success', 'fail'] as const) this.#requestCounter(method, via, outcome);
      }
    }
    if (kind === 'graph') {
      for (const via of ['gRPC', 'REST'] as const) this.session('ModelInfer', via);
      this.session('ModelInferStream', 'gRPC');
    }
  }

  started(): void {
    this.#pending++;
    this.#current.add(1);
  }

  /** A unary request ended. @param reason of a failure */
  finished(via: Interface, ns: number, outcome: Outcome, reason?: Reason): void {
    this.#pending--;
    this.#current.add(-1);
    if (reason !== undefined) this.#failures[tritonFailure(reason)]++;
    const result = outcome === 'success' ? 'success' : 'fail';
    this.#totals[result].add(ns);
    this.#lastInference = Date.now();
    this.#requestCounter('ModelInfer', via, result).add(1);
    this.ended(outcome, ns / 1e9);
    if (result === 'fail') return;
    let times = this.#times.get(via);
    if (times === undefined) {
      times = this.#families.requestTime.with({ name: this.#name, version: this.#version, interface: via });
      this.#times.set(via, times);
    }
    times.observe(ns / 1000);
  }

  /** Somebody wanted to know something of it. */
  asked(method: QuestionMethod, via: Interface, isAnswered: boolean): void {
    this.#requestCounter(method, via, isAnswered ? 'success' : 'fail').add(1);
  }

  /** Unary requests under way. */
  get pending(): number {
    return this.#pending;
  }

  /** A unary request was answered by what has no parts to be timed: a graph, runtime or ensemble. */
  ranWhole(ns: number): void {
    if (this.#kind !== 'model') this.#runs.ranWhole(ns, 1);
  }

  /** A response was looked for among those that are remembered. */
  lookedUp(isHit: boolean, ns: number): void {
    this.#totals[isHit ? 'cacheHit' : 'cacheMiss'].add(ns);
    if (isHit) this.#runs.queue.add(0);
  }

  /** A unary request, or a stream, is over after so many seconds. MLServer counts one that was cancelled as neither. */
  ended(outcome: Outcome, seconds: number): void {
    this.mlserver.duration.observe(seconds);
    if (outcome === 'success') this.mlserver.success.add(1);
    else if (outcome === 'fail') this.mlserver.failure.add(1);
  }

  /** A stream opens. */
  stream(via: Interface): StreamMeter {
    return this.#families.streams.open(this.#name, this.#version, via);
  }

  /**
   * A session gave a response. A request counts once, with the time until its last response.
   * @param at how many responses to the request there were before
   */
  streamed(timing: ResponseTiming | undefined, at: number, isEmpty: boolean): void {
    this.#lastInference = Date.now();
    if (isEmpty) this.#responses.add(at, 'emptyResponse', 0);
    if (timing === undefined) return;
    const { latencyUs, previousUs } = timing;
    this.#responses.add(at, 'success', (latencyUs - (previousUs ?? 0)) * 1000);
    if (at === 0) this.#families.triton.firstResponse(this.#name, this.#version).observe(latencyUs / 1000);
    const requests = previousUs === undefined ? 1 : 0;
    const ns = (latencyUs - (previousUs ?? 0)) * 1000;
    this.#totals.success.add(ns, requests);
    if (this.#kind !== 'model') this.#runs.ranWhole(ns, requests);
  }

  /** A model ran. */
  ran(timing: RunTiming): void {
    this.#runs.ran(timing);
    this.#batchSize?.observe(timing.batchSize);
    this.#inference.observe(timing.inferNs / 1000);
    const waitUs = timing.queueNs / 1000 / timing.requests;
    for (let left = timing.requests; left > 0; left--) this.#wait.observe(waitUs);
  }

  /** The series of sessions (`ModelInferStream`) and of unary graph runs (`ModelInfer`). */
  session(method: string, via: Interface): SessionMetrics {
    const key = `${method}/${via}`;
    let metrics = this.#sessions.get(key);
    if (metrics === undefined) {
      const name = this.#name;
      const labels = { name, api: 'KServe', method, interface: via };
      metrics = {
        accepted: this.#families.accepted.with(labels),
        rejected: this.#families.rejected.with(labels),
        responses: this.#families.responses.with(labels),
        failed: this.#families.graphError.with(labels),
        current: this.#families.currentGraphs.with({ name }),
        duration: this.#families.graphTime.with({ name, method }),
        latency: this.#families.graphLatency.with({ name, method }),
        droppedPackets: this.#families.droppedPackets.with({ name }),
        queuedPackets: this.#families.queuedPackets.with({ name }),
        queuedBytes: this.#families.queuedBytes.with({ name }),
      };
      this.#sessions.set(key, metrics);
    }
    return metrics;
  }

  /** A session was not opened, since so many are. */
  sessionRefused(scope: SessionLimitScope): void {
    this.#sessionsRefused.get(scope)?.add(1);
  }

  /** The execution provider that a model got, as a series of its own with value 1. */
  runsOn(provider: string): void {
    this.removed();
    this.#provider = provider;
    this.#families.provider.with({ name: this.#name, version: this.#version, provider }).set(1);
  }

  sequencesChanged(change: number): void {
    this.#families.sequences.with({ name: this.#name, version: this.#version }).add(change);
  }

  /** Served no more: what it has counted stays. */
  removed(): void {
    if (this.#provider === undefined) return;
    this.#families.provider.remove({ name: this.#name, version: this.#version, provider: this.#provider });
    this.#provider = undefined;
  }

  /** A session failed, or its client left, while so many responses to its last request had been given. */
  streamEnded(at: number, isCancelled: boolean): void {
    this.#responses.add(at, isCancelled ? 'cancel' : 'fail', 0);
    this.#failures[isCancelled ? 'CANCELED' : 'BACKEND']++;
  }

  /** What Triton's metrics follow. */
  counts(): TritonCounts {
    const { cacheHit, cacheMiss } = this.#totals;
    const isCached = cacheHit.count + cacheMiss.count > 0;
    return { ...this.statistics(), failures: this.#failures, pending: this.#pending, isCached };
  }

  statistics(): ServableStatistics {
    const { success, fail, cacheHit, cacheMiss } = this.#totals;
    const runs = this.#runs;
    return {
      name: this.#name,
      version: this.#version,
      lastInference: this.#lastInference,
      inferenceCount: runs.inferences,
      executionCount: runs.executions,
      success: success.toJSON(),
      fail: fail.toJSON(),
      queue: runs.queue.toJSON(),
      computeInput: runs.computeInput.toJSON(),
      computeInfer: runs.computeInfer.toJSON(),
      computeOutput: runs.computeOutput.toJSON(),
      cacheHit: cacheHit.toJSON(),
      cacheMiss: cacheMiss.toJSON(),
      batches: runs.batches(),
      responses: this.#responses.toJSON(),
    };
  }

  /** The version is left out as in OVMS: of questions to graphs, and wherever it is asked whether something is ready. */
  #requestCounter(method: Method, via: Interface, outcome: 'success' | 'fail'): Counter {
    const key = `${method}/${via}/${outcome}`;
    let counter = this.#requests.get(key);
    if (counter === undefined) {
      const family = outcome === 'success' ? this.#families.requestsSuccess : this.#families.requestsFail;
      const hasVersion = method === 'ModelInfer' || (method === 'ModelMetadata' && this.#kind !== 'graph');
      const labels = { name: this.#name, api: 'KServe', method, interface: via };
      counter = family.with(hasVersion ? { ...labels, version: this.#version } : labels);
      this.#requests.set(key, counter);
    }
    return counter;
  }
}

type Families = ReturnType<typeof createServableFamilies> & {
  readonly streams: StreamMetrics;
  readonly mlserver: MlserverMetrics;
  readonly triton: TritonMetrics;
};

/** All series of all servables, by entry; a servable that is removed and comes back goes on counting. */
export class Telemetry {
  readonly #families: Families;
  readonly #servables = new Map<string, ServableTelemetry>();
  /** Per entry, so that the hot path builds no key. */
  readonly #byEntry = new WeakMap<Entry, ServableTelemetry>();

  /** @param cacheUse of the responses that are remembered */
  constructor(meter: Meter, cacheUse: () => CacheUse | undefined = () => undefined) {
    const [streams, mlserver] = [new StreamMetrics(meter), new MlserverMetrics(meter)];
    const servables = (): readonly TritonCounts[] => [...this.#servables.values()].map((each) => each.counts());
    const triton = new TritonMetrics(meter, { servables, cache: cacheUse });
    this.#families = { ...createServableFamilies(meter), streams, mlserver, triton };
  }

  of(entry: Entry): ServableTelemetry {
    const known = this.#byEntry.get(entry);
    if (known !== undefined) return known;
    const key = `${entry.name}/${entry.version}/${entry.kind}`;
    let telemetry = this.#servables.get(key);
    if (telemetry === undefined) this.#servables.set(key, (telemetry = new ServableTelemetry(this.#families, entry)));
    this.#byEntry.set(entry, telemetry);
    return telemetry;
  }

  /** It is served no more. */
  removed(entry: Entry): void {
    this.#byEntry.get(entry)?.removed();
  }
}
