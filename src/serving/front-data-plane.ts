import { MillraceError } from '../base/errors.ts';
import type { Logger, LogSettings } from '../base/logger.ts';
import type { Meter } from '../base/meter.ts';
import { SharedMemoryRegions } from '../shared-memory/regions.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { JsonParameter } from '../tensor/parameters.ts';
import type {
  CallContext,
  DataPlane,
  ServableKind,
  ServableMetadata,
  ServableStatistics,
  ServableStatus,
  Session,
  SessionSink,
} from './data-plane.ts';
import type { HostClient } from '../ipc/host-client.ts';
import type { SessionPort } from '../ipc/session.ts';
import { decoupledUnary } from './decoupled-unary.ts';
import type { Deployment } from './deployment.ts';
import { countExecutionStreams } from './execution-streams.ts';
import { graphToCome } from './graph-to-come.ts';
import type { HostPoolOptions } from './host-pool.ts';
import type { LoadOverride } from './load-override.ts';
import { IdleWaiters } from './idle-waiters.ts';
import { OpenSessions, type SessionLimitScope } from './open-sessions.ts';
import { OwnRoutes } from './own-routes.ts';
import type { Question } from './questions.ts';
import { ModelRepository, type Entry } from './repository.ts';
import { ResponseCache } from './response-cache.ts';
import type { ServableSpec, SessionQuota } from './servable-spec.ts';
import { RequestsInFlight } from './requests-in-flight.ts';
import { RouteSession } from './route-session.ts';
import { RuntimeMetrics } from './runtime-metrics.ts';
import { ServableInformation } from './servable-information.ts';
import { ServingSession } from './serving-session.ts';
import { SessionRegions } from './shared-inference.ts';
import { graphOutcome, Telemetry, type ServableTelemetry } from './telemetry.ts';
import { UnaryAnswers } from './unary-answers.ts';
import { WantedServables, type WantedServablesOptions } from './wanted-servables.ts';

export interface ServingLimits {
  readonly maxSessions: number;
  readonly maxRequestsInFlight: number;
  readonly maxBytesInFlight: number;
  /** Of a session on what is no graph; a graph's is in its spec. */
  readonly session: SessionQuota;
}

export interface FrontDataPlaneOptions extends WantedServablesOptions {
  readonly hosts: HostPoolOptions;
  readonly limits: ServingLimits;
  /** Responses that are remembered, of servables that say so. Default 0. */
  readonly cacheEntries?: number | undefined;
  /** Where requests' tensors may be. Default: it is off. */
  readonly sharedMemory?: SharedMemoryRegions | undefined;
  /** Of their tensors, all together. Default 64 MiB. */
  readonly cacheBytes?: number | undefined;
}

/** The data plane over host processes: admission, placement, metrics. */
export class FrontDataPlane implements DataPlane, AsyncDisposable {
  /** Runtimes' own, on the port of REST. */
  readonly ownRoutes: OwnRoutes;
  readonly #options: FrontDataPlaneOptions;
  readonly #repository: ModelRepository;
  readonly #telemetry: Telemetry;
  readonly #runtimeMetrics: RuntimeMetrics;
  readonly #unary: UnaryAnswers;
  readonly #sharedMemory: SharedMemoryRegions;
  readonly #logger: Logger;
  readonly #information: ServableInformation;
  readonly #sessions = new OpenSessions();
  readonly #routeSessions = new Set<RouteSession>();
  readonly #inFlight: RequestsInFlight;
  #isStopping = false;
  #hasLoaded = false;
  readonly #waiters = new IdleWaiters();
  readonly #wanted: WantedServables;

  constructor(options: FrontDataPlaneOptions, meter: Meter, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#inFlight = new RequestsInFlight(options.limits);
    const cache = new ResponseCache(options.cacheEntries ?? 0, options.cacheBytes);
    this.#telemetry = new Telemetry(meter, () => cache.use);
    this.#runtimeMetrics = new RuntimeMetrics(meter, logger);
    this.#repository = new ModelRepository(
      options.hosts,
      {
        onRun: (entry, timing) => this.#telemetry.of(entry).ran(timing),
        onLoaded: (name, description) => this.ownRoutes.check(name, description),
        onReady: (entry, description) => {
          const telemetry = this.#telemetry.of(entry);
          if (description.provider !== undefined) telemetry.runsOn(description.provider);
          for (const text of this.ownRoutes.doubles(entry.name, description))
            logger.warn({ servable: entry.name }, text);
        },
        onStep: (entry, ns) => this.#telemetry.of(entry).ranWhole(ns),
        onMetrics: (entry, host, updates) => this.#runtimeMetrics.apply(entry, host, updates),
        onSequences: (entry, change) => {
          this.#telemetry.of(entry).sequencesChanged(change);
          this.#waiters.wake();
        },
        onHostLost: (host) => this.#runtimeMetrics.lost(host),
        onRemoved: (entry) => {
          this.#telemetry.removed(entry);
          this.#runtimeMetrics.removed(entry);
        },
      },
      logger,
    );
    this.ownRoutes = new OwnRoutes(this.#repository);
    this.#information = new ServableInformation(this.#repository, this.#telemetry);
    const pendingOf = (entry: Entry): number => this.#telemetry.of(entry).pending;
    countExecutionStreams(meter, () => this.#repository.entries(), pendingOf);
    this.#wanted = new WantedServables(options, this.#repository, logger);
    this.#sharedMemory = options.sharedMemory ?? new SharedMemoryRegions({ isEnabled: false });
    this.#unary = new UnaryAnswers({
      cache,
      sharedMemory: this.#sharedMemory,
      telemetry: this.#telemetry,
      unavailable: (entry) => this.#unavailable(entry),
    });
  }

  get watchedFiles(): readonly string[] {
    return this.#wanted.files;
  }

  /** Loads the configuration and waits until every servable is ready or has failed. */
  async start(): Promise<void> {
    await this.reload();
    this.#hasLoaded = true;
  }

  reload(): Promise<boolean> {
    return this.#wanted.reload();
  }

  /** What the hosts log from now on. */
  setLog(settings: LogSettings): void {
    this.#repository.setLog(settings);
  }

  load(name: string, override?: LoadOverride, checkModel?: (model: string) => void): Promise<void> {
    return this.#wanted.load(name, override, checkModel);
  }

  unload(name: string, checkModel?: (model: string) => void): Promise<void> {
    return this.#wanted.unload(name, checkModel);
  }

  isLive(): boolean {
    return true;
  }

  isReady(): boolean {
    return this.#hasLoaded && !this.#isStopping;
  }

  isServableReady(name: string, version: string): boolean {
    if (this.#isStopping) return false;
    try {
      this.#repository.resolve(name, version);
      return true;
    } catch {
      return false;
    }
  }

  metadata(name: string, version: string): ServableMetadata {
    return this.#information.metadata(name, version);
  }

  countQuestion(question: Question, isAnswered: boolean): void {
    this.#information.countQuestion(question, isAnswered);
  }

  kind(name: string, version: string): ServableKind {
    return this.#repository.resolve(name, version).kind;
  }

  list(): readonly ServableStatus[] {
    return this.#repository.entries().map((entry) => this.#repository.status(entry));
  }

  statistics(name: string, version: string): Promise<readonly ServableStatistics[]> {
    return Promise.resolve().then(() => this.#information.statistics(name, version));
  }

  async infer(request: InferenceRequest, context: CallContext): Promise<InferenceResponse> {
    let entry: Entry;
    try {
      entry = this.#repository.resolve(request.servable, request.version);
    } catch (error) {
      entry = await this.#waitForGraph(request, error);
    }
    const deployment = entry.current;
    if (deployment?.description?.decoupled === true) throw decoupledUnary(entry, context.interface);
    if (deployment?.pickForCall() === undefined) throw this.#unavailable(entry);
    if (this.#isStopping && !deployment.continuesSequence(request)) throw shuttingDown();
    const leave = deployment.rate?.admit();
    const bytes = this.#inFlight.admit(request, leave);
    const telemetry = this.#telemetry.of(entry);
    const graph = entry.kind === 'graph' ? telemetry.session('ModelInfer', context.interface) : undefined;
    const startedAt = performance.now();
    let isRemembered = false;
    telemetry.started();
    graph?.current.add(1);
    try {
      const response = await this.#unary.answer(entry, deployment, request, context.cancellation, (isHit, ns) => {
        isRemembered = isHit;
        telemetry.lookedUp(isHit, ns);
      });
      const ns = Math.round((performance.now() - startedAt) * 1e6);
      telemetry.finished(context.interface, ns, 'success');
      if (!isRemembered) telemetry.ranWhole(ns);
      graph?.accepted.add(1);
      graph?.responses.add(1);
      graph?.duration.observe(ns / 1000);
      return response;
    } catch (error) {
      const { reason } = MillraceError.from(error);
      const ns = Math.round((performance.now() - startedAt) * 1e6);
      telemetry.finished(context.interface, ns, reason === 'CANCELLED' ? 'cancelled' : 'fail', reason);
      const outcome = graphOutcome(reason);
      if (outcome !== undefined) graph?.[outcome].add(1);
      this.#logFailure(error, entry, request.id);
      throw error;
    } finally {
      graph?.current.add(-1);
      this.#inFlight.release(bytes);
      leave?.();
      this.#waiters.wake();
    }
  }

  /**
   * A graph that is loading. The request counts as one in flight meanwhile.
   * @throws MillraceError LIMIT_REACHED, or `error` where there is nothing to wait for
   */
  async #waitForGraph(request: InferenceRequest, error: unknown): Promise<Entry> {
    const coming = this.graphToCome(request.servable);
    if (coming === undefined) throw error;
    const bytes = this.#inFlight.admit(request);
    await coming.finally(() => {
      this.#inFlight.release(bytes);
      this.#waiters.wake();
    });
    return this.#repository.resolve(request.servable, request.version);
  }

  graphToCome(name: string): Promise<void> | undefined {
    return graphToCome(this.#repository, name);
  }

  openSession(first: InferenceRequest, context: CallContext, sink: SessionSink): Session {
    const entry = this.#resolveForSession(first);
    const deployment = entry.current;
    const host = deployment?.pickForSession(first);
    if (deployment === undefined || host === undefined) throw this.#unavailable(entry);
    this.#checkAccepting();
    if (first.route !== undefined) return this.#openRoute(entry, deployment, host, first, context, sink);
    const telemetry = this.#admitSession(entry);
    const session: ServingSession = new ServingSession({
      entry,
      sink,
      telemetry,
      metrics: telemetry.session('ModelInferStream', context.interface),
      stream: telemetry.stream(context.interface),
      quota: deployment.spec.kind === 'graph' ? deployment.spec.quota : this.#options.limits.session,
      regions: new SessionRegions(this.#sharedMemory),
      onRefused: (id, error) => this.#logFailure(error, entry, id),
      onEnd: (error) => {
        this.#sessions.delete(session);
        if (error !== undefined) this.#logFailure(error, entry, first.id);
        this.#waiters.wake();
      },
    });
    this.#sessions.add(session);
    const isPaced = entry.kind === 'runtime';
    session.attach(host.openSession(deployment.loadId, first, session, isPaced), context.cancellation);
    return session;
  }

  /** Admitted as a request is, not as a stream. @throws MillraceError LIMIT_REACHED */
  #openRoute(
    entry: Entry,
    deployment: Deployment,
    host: HostClient,
    first: InferenceRequest,
    context: CallContext,
    sink: SessionSink,
  ): Session {
    const leave = deployment.rate?.admit();
    const bytes = this.#inFlight.admit(first, leave);
    const session: RouteSession = new RouteSession({
      entry,
      via: context.interface,
      sink,
      telemetry: this.#telemetry.of(entry),
      onEnd: (error) => {
        this.#routeSessions.delete(session);
        this.#inFlight.release(bytes);
        leave?.();
        if (error !== undefined) this.#logFailure(error, entry, first.id);
        this.#waiters.wake();
      },
    });
    this.#routeSessions.add(session);
    session.attach(host.openSession(deployment.loadId, first, session, true), context.cancellation);
    return session;
  }

  /** What a servable that can be used now is made of. @throws MillraceError as `openSession` */
  specOf(name: string, version: string): ServableSpec {
    const entry = this.#repository.resolve(name, version);
    if (entry.current === undefined) throw this.#unavailable(entry);
    return entry.current.spec;
  }

  /**
   * Starts a video pipeline in the host with the fewest calls and sessions among those that have the servable.
   * @param programOf what the host is told to run, once it is known what of the servable it is for
   * @throws MillraceError as `openSession`
   */
  openPipeline(
    name: string,
    version: string,
    programOf: (spec: ServableSpec) => object,
    sink: SessionSink,
  ): SessionPort {
    const entry = this.#repository.resolve(name, version);
    const deployment = entry.current;
    const host = deployment?.pickForSession();
    if (deployment === undefined || host === undefined) throw this.#unavailable(entry);
    this.#checkAccepting();
    const program = new JsonParameter(JSON.stringify(programOf(deployment.spec)));
    const { version: ownVersion } = entry;
    const first = { servable: name, version: ownVersion, id: '', inputs: [], outputs: [], parameters: { program } };
    return host.openPipeline(deployment.loadId, first, sink);
  }

  openModelStream(name: string, version: string): () => void {
    const entry = this.#repository.resolve(name, version);
    // While its sequences go on, each request is looked at itself.
    if ((entry.current?.openSequences ?? 0) === 0) this.#checkAccepting();
    const { sessions } = this.#admitSession(entry);
    const end = this.#sessions.addStream(entry.name);
    sessions.add(1);
    return () => {
      end();
      sessions.add(-1);
    };
  }

  /**
   * No new work but requests that go on with a sequence that is open; resolves when none is any more, or after `graceMs`
   * (KServe sheet §4, `--exit-timeout-secs`).
   */
  async finishSequences(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await this.#waiters.whileBusy(
      () => this.#repository.entries().some(({ current }) => (current?.openSequences ?? 0) > 0),
      graceMs,
    );
  }

  /**
   * No new work; resolves when what was accepted has ended, or after `leftMs`, when the rest is aborted.
   * @param graceMs of the whole shutdown, for what clients are told
   */
  async drain(graceMs: number, leftMs = graceMs): Promise<void> {
    this.#isStopping = true;
    await this.#waiters.whileBusy(() => this.#inFlight.count > 0 || this.#sessions.size > 0, leftMs);
    const error = new MillraceError(
      'SHUTTING_DOWN',
      `the server is shutting down; the grace time of ${graceMs} ms is over`,
    );
    for (const session of [...this.#sessions, ...this.#routeSessions]) session.abort(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    await this.#repository[Symbol.asyncDispose]();
    await this.#wanted[Symbol.asyncDispose]();
  }

  /** A graph's version is not looked at in a session's first request (OVMS sheet §1.2). */
  #resolveForSession(first: InferenceRequest): Entry {
    const isGraph = this.#repository.versions(first.servable)?.every((entry) => entry.kind === 'graph') === true;
    return this.#repository.resolve(first.servable, isGraph ? '' : first.version);
  }

  #checkAccepting(): void {
    if (this.#isStopping) throw shuttingDown();
  }

  /** @throws MillraceError LIMIT_REACHED, which is counted */
  #admitSession(entry: Entry): ServableTelemetry {
    const telemetry = this.#telemetry.of(entry);
    try {
      this.#sessions.checkRoom(entry.name, entry.current?.spec.maxSessions, this.#options.limits.maxSessions);
    } catch (error) {
      telemetry.sessionRefused(MillraceError.from(error).details['scope'] as SessionLimitScope);
      throw error;
    }
    return telemetry;
  }

  #unavailable(entry: Entry): MillraceError {
    const { reason } = this.#repository.status(entry);
    return new MillraceError(
      'SERVABLE_NOT_READY',
      `servable '${entry.name}' is not ready: ${reason || 'no host has it now'}`,
      {
        details: { servable: entry.name },
      },
    );
  }

  #logFailure(error: unknown, entry: Entry, id: string): void {
    const { reason, message } = MillraceError.from(error);
    const isTheirs = reason === 'CANCELLED' || reason === 'DEADLINE_EXCEEDED';
    const fields = { reason, servable: entry.name, version: entry.version, request: id };
    if (isTheirs) this.#logger.debug(fields, message);
    else this.#logger.warn(fields, message);
  }
}

function shuttingDown(): MillraceError {
  return new MillraceError('SHUTTING_DOWN', 'the server is shutting down and has stopped accepting new requests');
}
