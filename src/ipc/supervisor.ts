import type { BufferPool } from '../base/buffer-pool.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { HostClient, type HostEvents } from './host-client.ts';
import type { HostHandler } from './host-handler.ts';
import type { Infer } from './incoming-calls.ts';
import type { LaunchedHost, Launcher } from './launcher.ts';
import type { MetricUpdate } from './metric-update.ts';
import type { RunTiming } from './run-timing.ts';
import type { SessionLimits } from './session.ts';

export interface SupervisorOptions {
  /** For logs and messages, e.g. "host 0". */
  readonly name: string;
  /** Sent to the host in its hello. */
  readonly settings: object;
  readonly limits: SessionLimits;
  /** For big messages. Not for hosts in this process: they look at the very memory that was sent. */
  readonly pool?: BufferPool | undefined;
  /** A host that is silent for so long outside a model run is killed. */
  readonly maxSilenceMs: number;
  /** The same for one that starts or loads, which users' code may do in one go. */
  readonly maxStartMs: number;
  /** Added to a run's deadline before the host is killed. */
  readonly deadlineGraceMs: number;
  /** Longest run without a deadline of its own in a host that runs video pipelines; `maxStartMs` for the first after a load. 0: none. */
  readonly maxPipelineRunMs: number;
  /** First wait before a restart; doubles up to `maxBackOffMs`, and starts again after a minute of good life. */
  readonly backOffMs: number;
  readonly maxBackOffMs: number;
}

export const defaultSupervision = {
  maxStartMs: 120_000,
  deadlineGraceMs: 250,
  maxPipelineRunMs: 0,
  backOffMs: 100,
  maxBackOffMs: 10_000,
} as const;

export interface SupervisorEvents {
  /** A host greeted: load what it should have. Called again for each replacement. */
  onUp(client: HostClient): void;
  /** A model ran once. */
  onRun(loadId: number, timing: RunTiming): void;
  /** A runtime measured something itself. */
  onMetrics?(loadId: number, updates: readonly MetricUpdate[]): void;
  /** As of `HostEvents`. */
  onCall?: Infer;
  /** As of `HostEvents`. */
  onOpen?: HostHandler['open'];
  /** As of `HostEvents`. */
  onAcquire?: HostEvents['onAcquire'];
  /** As of `HostEvents`. */
  onReleased?(loadId: number): void;
  /**
   * It is gone with all its calls and sessions; a replacement comes unless the supervisor was closed.
   * @param neverStarted its program could not even be started
   */
  onDown(reason: string, neverStarted: boolean): void;
}

/** A run of a model that the host has told of; on an inference thread one that takes long. */
interface Run {
  readonly deadline: NodeJS.Timeout | undefined;
  /** Since it began. */
  beats: number;
}

const SILENT_BEATS = 5;
const GOOD_LIFE_MS = 60_000;
/** How long a host that closed its connection may take to end by itself. */
const LAST_WORDS_MS = 1000;

/** Keeps one host alive: start, heartbeat outside runs, run deadline, kill, restart with back-off, reap. */
export class Supervisor implements AsyncDisposable {
  readonly #launch: Launcher;
  readonly #options: SupervisorOptions;
  readonly #events: SupervisorEvents;
  readonly #logger: Logger;
  #host: LaunchedHost | undefined;
  #client: HostClient | undefined;
  #isClosed = false;
  #backOffMs: number;
  #restart: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #silentBeats = 0;
  #silenceReason = '';
  /** Under way, by thread; 0 is the host's own, which is not heard of meanwhile. */
  readonly #runs = new Map<number, Run>();
  /** An inference has ended in the present host since it last loaded something: a first one may compile for long. */
  #hasRun = false;
  #killReason: string | undefined;
  #finished: Promise<void> = Promise.resolve();

  constructor(launch: Launcher, options: SupervisorOptions, events: SupervisorEvents, logger: Logger) {
    this.#launch = launch;
    this.#options = options;
    this.#events = events;
    this.#logger = logger.child({ host: options.name });
    this.#backOffMs = options.backOffMs;
  }

  start(): void {
    const startedAt = Date.now();
    let host: LaunchedHost;
    try {
      host = this.#launch();
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, 'host could not be started');
      return this.#startLater();
    }
    this.#host = host;
    this.#killReason = undefined;
    this.#silentBeats = 0;
    this.#hasRun = false;
    const events = {
      onAlive: () => {
        this.#silentBeats = 0;
      },
      onRunStarted: (deadlineMs: number, thread: number) => this.#runStarted(client, deadlineMs, thread),
      onRunEnded: (loadId: number, timing: RunTiming, thread: number) => {
        this.#runEnded(thread);
        if (timing.batchSize > 0) this.#hasRun = true;
        if (loadId !== 0) this.#events.onRun(loadId, timing);
      },
      onMetrics: (loadId: number, updates: readonly MetricUpdate[]) => this.#events.onMetrics?.(loadId, updates),
      ...(this.#events.onCall && { onCall: this.#events.onCall }),
      ...(this.#events.onOpen && { onOpen: this.#events.onOpen }),
      ...(this.#events.onAcquire && { onAcquire: this.#events.onAcquire }),
      onReleased: (loadId: number) => this.#events.onReleased?.(loadId),
      onFault: (error: unknown) => this.#logger.error({ error: messageOf(error) }, 'fault in a call of a host'),
    };
    const { limits, pool } = this.#options;
    const client: HostClient = new HostClient(host.stream, limits, events, pool, host.stores);
    this.#client = client;
    const { maxSilenceMs } = this.#options;
    this.limitSilence(maxSilenceMs, `its host was silent for ${maxSilenceMs / 1000} s outside a model run`);
    this.#finished = this.#live(host, client, startedAt);
  }

  /**
   * Another limit than `maxSilenceMs` for the present host, which has loaded what it should.
   * @param maxMs 0: none
   * @param reason what its calls and sessions hear when it is killed for it
   */
  limitSilence(maxMs: number, reason: string): void {
    clearInterval(this.#heartbeat);
    this.#silentBeats = 0;
    this.#silenceReason = reason;
    const client = this.#client;
    if (maxMs === 0 || client === undefined) return;
    this.#heartbeat = setInterval(() => this.#beat(client, maxMs / SILENT_BEATS), maxMs / SILENT_BEATS);
    this.#heartbeat.unref();
  }

  /** Kills the present host; its calls and sessions hear `reason`. */
  kill(reason: string): void {
    this.#killReason = reason;
    if (this.#client !== undefined) this.#client.lossReason = reason;
    this.#host?.kill();
  }

  /** Closes the connection, waits for the host to end by itself, and kills it after `graceMs`. Idempotent. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    this.#client?.close('the server is shutting down');
    const timer = setTimeout(() => this.#host?.kill(), graceMs);
    await this.#finished;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(2000);
  }

  async #live(host: LaunchedHost, client: HostClient, startedAt: number): Promise<void> {
    client.hello(this.#options.settings).then(
      () => {
        this.#logger.debug({ pid: host.pid }, 'host is up');
        this.#events.onUp(client);
      },
      (error: unknown) => {
        if (this.#isClosed) return;
        // How it ended says more than that it did.
        if (client.isLost) setTimeout(() => host.kill(), LAST_WORDS_MS).unref();
        else this.kill(`its host did not start: ${messageOf(error)}`);
      },
    );
    const how = await host.ended;
    clearInterval(this.#heartbeat);
    for (const thread of this.#runs.keys()) this.#runEnded(thread);
    host.stream.destroy();
    const { neverStarted = false } = host;
    const what = neverStarted ? 'could not be started' : 'ended unexpectedly';
    const reason = this.#killReason ?? `its host process ${what} (${how})`;
    if (this.#isClosed) return;
    this.#logger.error({ pid: host.pid, ended: how, reason }, 'host lost');
    this.#events.onDown(reason, neverStarted);
    if (Date.now() - startedAt > GOOD_LIFE_MS) this.#backOffMs = this.#options.backOffMs;
    this.#startLater();
  }

  #startLater(): void {
    this.#restart = setTimeout(() => this.start(), this.#backOffMs);
    this.#backOffMs = Math.min(this.#backOffMs * 2, this.#options.maxBackOffMs);
  }

  #beat(client: HostClient, beatMs: number): void {
    if (this.#host?.pid === undefined) return;
    if (client.isLoading) this.#hasRun = false;
    for (const run of this.#runs.values()) this.#beatInRun(run, client, beatMs);
    if (this.#runs.has(0)) return;
    const { maxStartMs } = this.#options;
    if (this.#silentBeats++ >= (client.isLoading ? maxStartMs / beatMs : SILENT_BEATS)) {
      const whileLoading = `its host was silent for ${maxStartMs / 1000} s while it started or loaded`;
      this.kill(client.isLoading ? whileLoading : this.#silenceReason);
      return;
    }
    client.ping();
  }

  /** Nobody waits for a pipeline's frames with a deadline, and the other pipelines of the host stand still as well. */
  #beatInRun(run: Run, client: HostClient, beatMs: number): void {
    const { maxPipelineRunMs, maxStartMs } = this.#options;
    const isOther = client.isLoading || run.deadline !== undefined;
    if (isOther || maxPipelineRunMs === 0 || client.pipelineCount === 0) return;
    const longestMs = this.#hasRun ? maxPipelineRunMs : Math.max(maxPipelineRunMs, maxStartMs);
    if (run.beats++ < longestMs / beatMs) return;
    this.kill(
      `a model run took longer than ${longestMs} ms in a host with video pipelines (pipeline_run_deadline_ms) and its host was killed`,
    );
  }

  #runStarted(client: HostClient, deadlineMs: number, thread: number): void {
    this.#runEnded(thread);
    const isLimited = deadlineMs > 0 && client === this.#client && this.#host?.pid !== undefined;
    if (isLimited && thread !== 0) return this.#killLate(deadlineMs);
    const run: Run = {
      deadline: isLimited ? setTimeout(() => pass(), deadlineMs + this.#options.deadlineGraceMs) : undefined,
      beats: 0,
    };
    const pass = (): void => {
      // After a stall of the front its timers come before what has long been in its sockets, such as the end of this run.
      setImmediate(() => {
        if (this.#runs.get(thread) !== run) return;
        this.#killLate(deadlineMs);
      });
    };
    this.#runs.set(thread, run);
  }

  #killLate(deadlineMs: number): void {
    this.kill(`a model run passed its deadline of ${deadlineMs} ms and its host was killed`);
  }

  #runEnded(thread: number): void {
    clearTimeout(this.#runs.get(thread)?.deadline);
    this.#runs.delete(thread);
  }
}
