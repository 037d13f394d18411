import type { BufferPool } from '../base/buffer-pool.ts';
import { Cancellation } from '../base/cancellation.ts';
import { messageOf, MillraceError } from '../base/errors.ts';
import type { Logger, LogSettings } from '../base/logger.ts';
import { usableProcessors } from '../base/processors.ts';
import type { HostHandler, HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { MetricUpdate } from '../ipc/metric-update.ts';
import type { ResourceNeed } from '../ipc/resource-need.ts';
import { noTiming, type RunTiming } from '../ipc/run-timing.ts';
import { backendFor } from '../runtime/index.ts';
import { KeptFiles } from '../shared-memory/kept-files.ts';
import type { ModelService } from '../runtime/model-service.ts';
import type { ModelSession, RunMonitor } from '../runtime/model-session.ts';
import { modelThreads } from '../runtime/model-threads.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { loadEnsemble } from './ensemble/ensemble-servable.ts';
import { GraphMeter } from './graph/graph-meter.ts';
import { loadGraph } from './graph/graph-servable.ts';
import type { GraphLoad, HostSpec, ModelLoad, RuntimeLoad } from './host-spec.ts';
import { Lease } from './lease.ts';
import { LeasedSession } from './leased-session.ts';
import { modelServable, ModelServable } from './model-servable.ts';
import { RateLimitedSession } from './rate-limited-session.ts';
import { RemoteModelSession, type RemoteModels } from './remote-model-session.ts';
import { openPipeline } from './pipelines/open-pipeline.ts';
import { loadRuntimeServable } from './runtime/load-runtime-servable.ts';
import { HostMeter } from './runtime/runtime-meter.ts';
import { Turns } from './runtime/turns.ts';
import type { HostServable } from './servable.ts';
import { SharedCalls } from './shared-calls.ts';
import { warmUp } from './warm-up.ts';

/** The front, as its host talks to it unasked. */
export interface FrontLink extends RemoteModels {
  /** As of `RunMonitor`. */
  runStarted(deadlineMs: number, thread: number): Promise<void> | undefined;
  runEnded(loadId: number, timing: RunTiming, thread: number): void;
  /** Waits for resources that runs of all hosts share. @returns how to give them back */
  acquire(loadId: number, need: ResourceNeed): Promise<() => void>;
  /** A runtime measured something itself, or nodes of a graph ran. */
  metered(loadId: number, updates: readonly MetricUpdate[]): void;
}

export interface HostSettings {
  /** Hosts that share this machine's cores. */
  readonly hosts: number;
  /** Responses that a runtime's stream may make before it is known that its client reads them. @default 1 */
  readonly streamLookAhead?: number | undefined;
}

const PATIENCE_MS = 1000;

/** Everything that one host process serves. */
export class Host implements HostHandler {
  readonly #logger: Logger;
  readonly #front: FrontLink;
  readonly #loaded = new Map<number, Lease<HostServable>>();
  /** The generations of each model, the newest last, for graphs: by name and version. */
  readonly #models = new Map<string, readonly Lease<HostServable>[]>();
  /** The same of graphs and runtimes, wherever they are, for the steps of ensembles. */
  readonly #steps = new Map<string, readonly Lease<HostServable>[]>();
  /** Servables that were retired and have not closed yet. */
  readonly #closing = new Set<Promise<void>>();
  /** Loads begin one after another: models before the graphs that name them. */
  #loading: Promise<unknown> = Promise.resolve();
  /** Of graphs and runtimes that load, or wait for that: cancelled when they are unloaded before. */
  readonly #lives = new Map<number, Cancellation>();
  readonly #turns = new Turns();
  readonly #files = new KeptFiles();
  readonly #sharedCalls: SharedCalls;
  /** Load ids of what is warming up: its runs count nowhere. */
  readonly #warming = new Set<number>();
  #streamLookAhead = 1;
  /** It has a process of its own. */
  #isAlone = true;
  /** Its share of those that the server may use. */
  #processors = 1;
  /** Load ids of models that came with a graph; the front does not know them. */
  #nextOwnId = -1;

  /** @param pool of the memory of requests that come in */
  constructor(front: FrontLink, logger: Logger, pool: BufferPool) {
    this.#front = front;
    this.#logger = logger;
    this.#sharedCalls = new SharedCalls(pool, this.#files);
  }

  start(settings: object): Promise<void> {
    const { hosts, streamLookAhead = 1 } = settings as HostSettings;
    this.#streamLookAhead = streamLookAhead;
    this.#isAlone = hosts > 0;
    this.#processors = Math.max(1, Math.floor(usableProcessors() / Math.max(1, hosts)));
    return Promise.resolve();
  }

  load(loadId: number, spec: unknown): Promise<object> {
    const { kind } = spec as HostSpec;
    if (kind !== 'model' && kind !== 'remote') this.#lives.set(loadId, new Cancellation());
    const loading = this.#loading.then(() => this.#load(loadId, spec as HostSpec));
    const settled = loading.then(nothing, nothing);
    // Users' code may take its time, or for ever; nothing but itself waits for a graph or a runtime.
    this.#loading = kind !== 'model' ? Promise.race([settled, this.#loading.then(patience)]) : settled;
    return loading.finally(() => this.#lives.delete(loadId));
  }

  setLog(settings: LogSettings): void {
    this.#logger.control?.set(settings);
  }

  unload(loadId: number): void {
    this.#lives.get(loadId)?.cancel(new MillraceError('SHUTTING_DOWN', 'it was unloaded while it loaded'));
    void this.#loading.then(() => {
      const lease = this.#loaded.get(loadId);
      this.#loaded.delete(loadId);
      for (const table of [this.#models, this.#steps]) {
        for (const [key, generations] of table) {
          const left = generations.filter((generation) => generation !== lease);
          if (left.length > 0) table.set(key, left);
          else table.delete(key);
        }
      }
      if (lease !== undefined) this.#retire(lease);
    });
  }

  async infer(
    loadId: number,
    request: InferenceRequest,
    cancellation: Cancellation,
    waitedMs: number,
  ): Promise<InferenceResponse> {
    const lease = this.#find(loadId);
    lease.acquire();
    try {
      return await this.#sharedCalls.run(request, lease.resource.forgetsInputs === true, async (whole) => {
        const response = await lease.resource.infer(whole, cancellation, waitedMs);
        if (cancellation.error !== undefined) throw cancellation.error;
        return response;
      });
    } finally {
      lease.release();
    }
  }

  open(loadId: number, first: InferenceRequest, output: SessionOutput): HostSession {
    return new LeasedSession(this.#find(loadId), first, output, undefined, this.#files);
  }

  openPipeline(loadId: number, first: InferenceRequest, output: SessionOutput): HostSession {
    return new LeasedSession(this.#find(loadId), first, output, (servable, own) =>
      openPipeline(servable, first, own, () => this.#modelService()),
    );
  }

  /** Resolves when everything has closed, also what was unloaded before. */
  async stop(): Promise<void> {
    for (const life of this.#lives.values()) life.cancel(new MillraceError('SHUTTING_DOWN', 'the server is gone'));
    await this.#loading;
    for (const lease of this.#loaded.values()) this.#retire(lease);
    this.#loaded.clear();
    this.#models.clear();
    this.#steps.clear();
    await Promise.all(this.#closing);
    this.#files[Symbol.dispose]();
  }

  #retire(lease: Lease<HostServable>): void {
    const closed = lease.retire().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }

  async #load(loadId: number, spec: HostSpec): Promise<object> {
    const servable = await this.#loadServable(loadId, spec);
    this.#warming.add(loadId);
    try {
      await warmUp(servable, spec);
    } catch (error) {
      await servable.close();
      throw error;
    } finally {
      this.#warming.delete(loadId);
    }
    const { error: ended } = this.#lives.get(loadId) ?? {};
    if (ended !== undefined) {
      await servable.close();
      throw ended;
    }
    const lease = new Lease(servable, (error) => {
      this.#logger.error({ servable: spec.name, error: String(error) }, 'servable failed to close');
    });
    this.#loaded.set(loadId, lease);
    const key = `${spec.name}/${spec.version}`;
    if (spec.kind === 'model' || spec.kind === 'remote') {
      const table = spec.kind === 'remote' && spec.step !== undefined ? this.#steps : this.#models;
      table.set(key, [...(table.get(key) ?? []), lease]);
    }
    return servable.description;
  }

  #loadServable(loadId: number, spec: HostSpec): Promise<HostServable> {
    switch (spec.kind) {
      case 'model':
        return this.#loadModel(loadId, spec);
      case 'runtime':
        return this.#loadRuntime(loadId, spec);
      case 'graph':
        return this.#loadGraphAlone(loadId, spec);
      case 'remote':
        return Promise.resolve(new ModelServable(new RemoteModelSession(loadId, spec, this.#front)));
      case 'ensemble':
        return Promise.resolve(loadEnsemble(spec, () => this.#modelService(true)));
    }
  }

  async #loadModel(loadId: number, spec: ModelLoad): Promise<HostServable> {
    const monitor: RunMonitor = {
      runStarted: (deadlineMs, thread) => this.#front.runStarted(deadlineMs, thread),
      runEnded: (timing, thread) => {
        const counts = timing !== noTiming && !this.#warming.has(loadId);
        this.#front.runEnded(counts ? Math.max(0, loadId) : 0, timing, thread);
      },
    };
    const threads = modelThreads(spec.intraOpThreads, this.#processors);
    // A model that runs alone is faster on this thread; and the front may end whenever it likes, which no run of a thread survives.
    const inferenceThreads = this.#isAlone && spec.isOfGraph === true ? threads.inferenceThreads : 0;
    const loaded = await backendFor(spec.path).load({ ...spec, ...threads, inferenceThreads }, monitor, this.#logger);
    const { rateLimiter: need } = spec;
    const backend =
      need === undefined ? loaded : new RateLimitedSession(loaded, () => this.#front.acquire(loadId, need));
    try {
      return await modelServable(backend, spec);
    } catch (error) {
      await backend[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #loadRuntime(loadId: number, spec: RuntimeLoad): Promise<HostServable> {
    const life = this.#lives.get(loadId) ?? new Cancellation();
    if (life.error !== undefined) throw life.error;
    const logger = this.#logger.child({ servable: spec.name });
    const meter = new HostMeter((updates) => this.#front.metered(loadId, updates));
    const parts = { logger, meter, turns: this.#turns, lookAhead: this.#streamLookAhead };
    return loadRuntimeServable(spec, parts, life);
  }

  /** With the models that it brings; one that fails is told of as if it were not there. */
  async #loadGraphAlone(loadId: number, spec: GraphLoad): Promise<HostServable> {
    for (const model of spec.models ?? []) {
      await this.#load(this.#nextOwnId--, { ...model, kind: 'model' }).catch((error: unknown) => {
        this.#logger.error({ servable: model.name, error: messageOf(error) }, 'model of a graph failed to load');
      });
    }
    const meter = new GraphMeter((updates) => this.#front.metered(loadId, updates));
    return loadGraph(spec, () => this.#modelService(), this.#logger, meter);
  }

  /**
   * The models that one graph run takes; `release` gives them back.
   * @param withSteps graphs and runtimes, too
   */
  #modelService(withSteps = false): { models: ModelService; release: () => void } {
    const held: Lease<HostServable>[] = [];
    return {
      models: {
        session: (name, version) => {
          const lease = this.#findModel(name, version, withSteps);
          lease.acquire();
          held.push(lease);
          return lease.resource instanceof ModelServable ? lease.resource.session : unreachable(name);
        },
      },
      release: () => {
        for (const lease of held.splice(0)) lease.release();
      },
    };
  }

  /** @param version "" and "0" ask for the highest */
  #findModel(name: string, version: string, withSteps: boolean): Lease<HostServable> {
    for (const table of withSteps ? [this.#models, this.#steps] : [this.#models]) {
      const keys = [...table.keys()].filter((key) => key.slice(0, key.lastIndexOf('/')) === name);
      const isAny = version === '' || version === '0';
      const key = isAny ? keys.toSorted((a, b) => versionOf(a) - versionOf(b)).at(-1) : `${name}/${version}`;
      const lease = key === undefined ? undefined : table.get(key)?.at(-1);
      if (lease !== undefined) return lease;
    }
    throw new MillraceError(
      'SERVABLE_NOT_FOUND',
      `model '${name}'${version === '' || version === '0' ? '' : ` version ${version}`} is not loaded`,
      { code: 'FAILED_PRECONDITION', details: { servable: name } },
    );
  }

  #find(loadId: number): Lease<HostServable> {
    const lease = this.#loaded.get(loadId);
    if (lease === undefined) throw new MillraceError('SERVABLE_NOT_READY', 'the servable was unloaded');
    return lease;
  }
}

const nothing = (): void => {};

/** How long the next load waits for a graph's or a runtime's. */
const patience = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PATIENCE_MS).unref());

const versionOf = (key: string): number => Number(key.slice(key.lastIndexOf('/') + 1));

function unreachable(name: string): ModelSession {
  throw new MillraceError('INTERNAL', `'${name}' is listed as a model and is none: this is a bug`);
}
