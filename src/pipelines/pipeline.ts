import { MillraceError } from '../base/errors.ts';
import { epochMs, utcTime } from '../media/sinks/results/payload.ts';
import { hideCredentials, hideInAddress } from '../media/ffmpeg/redact.ts';
import type { PipelineMessage } from './common/messages.ts';
import { referencesOf, type ModelConfiguration, type PipelineRequest } from './common/pipeline-schema.ts';
import {
  NO_COUNTS,
  NO_LATENCY,
  SEVERITY,
  type HostReport,
  type SourceCounts,
  type SourceReport,
  type StatusUpdate,
} from './common/report.ts';
import { notAllowedText, operateOnAll, type Operation } from './common/states.ts';
import { HostLink } from './host-link.ts';
import { ResultRing, type ResultBatch } from './result-ring.ts';
import { Watchers, type PipelineWatcher } from './watchers.ts';

/**
 * `starting` until a host has it, `waiting` while it has none and will try again; the last three are for good: every source
 * ended, somebody asked for it, it could not be started.
 */
export type PipelineState = 'starting' | 'running' | 'waiting' | 'ended' | 'terminated' | 'failed';

export interface PipelineParts {
  readonly id: string;
  readonly pipeline: PipelineRequest;
  readonly createdAtMs: number;
  /** Whose it is; undefined where nobody has to say. */
  readonly token: string | undefined;
  /** Opens it in a host. @throws MillraceError */
  readonly open: (pipeline: Pipeline, events: ConstructorParameters<typeof HostLink>[1]) => HostLink;
  readonly onEnd: (pipeline: Pipeline) => void;
  readonly onChange: (pipeline: Pipeline) => void;
}

/** Updates that are kept (sheet §3). */
const MAX_UPDATES = 512;
const COMMAND_MS = 5_000;
/** How long a pipeline may take to end by itself: files are completed. */
const END_MS = 10_000;
const START_MS = 10_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;

/** A pipeline as the front knows it: what its host says, and another host where that one is lost. */
export class Pipeline {
  readonly #parts: PipelineParts;
  readonly updates: StatusUpdate[] = [];
  readonly ring: ResultRing | undefined;
  readonly #watchers: Watchers;
  #pipeline: PipelineRequest;
  #state: PipelineState = 'starting';
  #link: HostLink | undefined;
  #report: HostReport | undefined;
  /** Of runs in hosts that were lost: by source. */
  #earlier: (SourceCounts | undefined)[] = [];
  #hostLosses = 0;
  #retryMs = FIRST_RETRY_MS;
  #retry: { readonly timer: NodeJS.Timeout; readonly atMs: number } | undefined;
  #isHeld = false;
  #isTerminating = false;
  #hasRun = false;
  #lastSequence = 0;
  #patching: Promise<void> = Promise.resolve();
  #endedAtMs: number | undefined;
  #failure: MillraceError | undefined;
  #lastConsumedMs = Date.now();
  #wakeStart: (() => void)[] = [];
  #wakeEnd: (() => void)[] = [];

  constructor(parts: PipelineParts, isHeld = false) {
    this.#parts = parts;
    this.#pipeline = parts.pipeline;
    this.#isHeld = isHeld;
    const memory = parts.pipeline.sinks.find(({ type }) => type === 'memory');
    this.ring = memory?.type === 'memory' ? new ResultRing(memory.results_buffer_size) : undefined;
    this.#watchers = new Watchers((results, frames) => {
      this.#link
        ?.ask({ type: 'watch', results: results || this.ring !== undefined, frames }, COMMAND_MS)
        .catch(() => {});
    });
  }

  get id(): string {
    return this.#parts.id;
  }
  get token(): string | undefined {
    return this.#parts.token;
  }
  get createdAtMs(): number {
    return this.#parts.createdAtMs;
  }
  get request(): PipelineRequest {
    return this.#pipeline;
  }
  get state(): PipelineState {
    return this.#state;
  }
  get isOver(): boolean {
    return this.#endedAtMs !== undefined;
  }
  /** A host has had it. */
  get hasRun(): boolean {
    return this.#hasRun;
  }
  get endedAtMs(): number | undefined {
    return this.#endedAtMs;
  }
  get isHeld(): boolean {
    return this.#isHeld;
  }
  /** Why it failed, or waits. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }
  get hostLosses(): number {
    return this.#hostLosses;
  }
  get nextTryAtMs(): number | undefined {
    return this.#retry?.atMs;
  }
  /** Frames of each source so far, over all hosts. */
  get frames(): number[] {
    return this.report.sources.map(({ counts }) => counts.captured);
  }
  /** Of the last result that is known of: a host that was lost may have given some more to its sinks. */
  get sequence(): number {
    return Math.max(this.#report?.results ?? 0, this.#lastSequence);
  }
  get lastConsumedMs(): number {
    return this.#lastConsumedMs;
  }

  /**
   * Starts it in a host.
   * @param mayWait a servable that is not ready yet is waited for
   * @throws MillraceError where it could not be started; it is over then
   */
  async start(mayWait: boolean): Promise<void> {
    this.#open(mayWait);
    if (this.#state === 'starting') {
      const timer = setTimeout(() => this.#wake(), START_MS);
      await new Promise<void>((resolve) => this.#wakeStart.push(resolve));
      clearTimeout(timer);
    }
    if (this.#state === 'failed' && this.#failure !== undefined) throw this.#failure;
  }

  /** What its host said last, with what came before that host; what is known without one otherwise. */
  get report(): HostReport {
    const report = this.#report ?? this.#unconnected();
    return {
      ...report,
      sources: report.sources.map((source, index) => ({ ...source, counts: sum(source.counts, this.#earlier[index]) })),
      throughput: this.isOver || this.#state === 'waiting' ? 0 : report.throughput,
    };
  }

  /**
   * Pauses, mutes or resumes it.
   * @throws MillraceError PIPELINE_STATE, DEADLINE_EXCEEDED
   */
  async operate(operation: Exclude<Operation, 'terminate'>): Promise<'done' | 'already'> {
    if (this.#link === undefined || this.isOver) throw this.#refusal(operation);
    const answer = await this.#link.ask({ type: 'operate', operation }, COMMAND_MS);
    this.#isHeld = operation !== 'resume';
    this.#parts.onChange(this);
    return answer;
  }

  /** The text of a refusal of what is so already. */
  refusalOf(operation: Operation): string {
    const state = this.report.sources.find(({ state: each }) => each !== 'ENDED' && each !== 'ERROR')?.state ?? 'ENDED';
    return notAllowedText(operation, state);
  }

  /** One after another, so that none goes back on what another has changed. @throws MillraceError PIPELINE_STATE, DEADLINE_EXCEEDED */
  patch(configuration: ModelConfiguration | undefined, maxFps: number | null | undefined): Promise<void> {
    const patched = this.#patching.then(() => this.#patch(configuration, maxFps));
    this.#patching = patched.catch(() => {});
    return patched;
  }

  async #patch(configuration: ModelConfiguration | undefined, maxFps: number | null | undefined): Promise<void> {
    if (this.isOver) throw ended();
    const merged = { ...this.#pipeline.model_configuration, ...configuration };
    await this.#link?.ask(
      { type: 'patch', model_configuration: merged, ...(maxFps !== undefined && { max_fps: maxFps }) },
      COMMAND_MS,
    );
    this.#pipeline = {
      ...this.#pipeline,
      model_configuration: merged,
      ...(maxFps !== undefined && { max_fps: maxFps }),
    };
    this.#parts.onChange(this);
  }

  /** Ends it in every state, within some seconds, whatever its host does. Idempotent. */
  async terminate(): Promise<void> {
    if (this.isOver) return;
    this.#isTerminating = true;
    clearTimeout(this.#retry?.timer);
    this.#retry = undefined;
    const link = this.#link;
    if (link === undefined) return this.#end('terminated');
    const timer = setTimeout(
      () => link.abort(new MillraceError('CANCELLED', 'its host did not end it in time')),
      END_MS,
    );
    // A host that hangs is not waited for as long as one that completes files.
    link.ask({ type: 'operate', operation: 'terminate' }, COMMAND_MS).catch((error: unknown) => {
      link.abort(MillraceError.from(error));
    });
    if (!this.isOver) await new Promise<void>((resolve) => this.#wakeEnd.push(resolve));
    clearTimeout(timer);
  }

  /** The oldest result that nobody has had; undefined where there is none now. */
  consume(): ResultBatch | undefined {
    this.#lastConsumedMs = Date.now();
    return this.ring?.take();
  }

  /** @returns to be called when it looks no more */
  watch(watcher: PipelineWatcher): () => void {
    return this.#watchers.add(watcher);
  }

  #open(mayWait: boolean): void {
    try {
      this.#link = this.#parts.open(this, {
        onMessage: (message, jpeg) => this.#hear(message, jpeg),
        onEnd: (error) => this.#lost(error, mayWait),
      });
    } catch (error) {
      this.#lost(MillraceError.from(error), mayWait);
    }
  }

  #hear(message: Exclude<PipelineMessage, { type: 'reply' }>, jpeg: Uint8Array | undefined): void {
    switch (message.type) {
      case 'report': {
        this.#report = message.report;
        if (this.#state === 'starting' || this.#state === 'waiting') this.#began();
        this.#watchers.report(this.report);
        return;
      }
      case 'update':
        return this.#update(message.update);
      case 'results':
        this.#lastSequence = message.sequence + message.results.length - 1;
        this.ring?.put(message);
        return this.#watchers.results(message);
      case 'frame':
        if (jpeg !== undefined) this.#watchers.frame(message.source_id, message.frame_id, jpeg);
    }
  }

  #began(): void {
    this.#state = 'running';
    this.#hasRun = true;
    this.#failure = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#watchers.begin();
    this.#wake();
  }

  #update(update: StatusUpdate): void {
    this.updates.push(update);
    if (this.updates.length > MAX_UPDATES) this.updates.shift();
    this.#watchers.update(update);
  }

  /** Its session has ended: for good, or until another host has it. */
  #lost(error: MillraceError | undefined, mayWait: boolean): void {
    this.#link = undefined;
    if (this.#isTerminating) return this.#end('terminated');
    if (error === undefined) return this.#end('ended');
    const wasRunning = this.#state === 'running' || this.#state === 'waiting';
    const mayPass = error.reason === 'HOST_LOST' || error.reason === 'SERVABLE_NOT_READY';
    this.#failure = error;
    if (!mayPass || !(wasRunning || mayWait)) {
      this.#update(errorUpdate(error));
      return this.#end('failed');
    }
    if (this.#state === 'running') {
      this.#hostLosses++;
      this.#update(errorUpdate(error));
      this.#earlier = this.report.sources.map(({ counts }) => counts);
      this.#report = this.#unconnected();
    }
    this.#state = 'waiting';
    const waitMs = Math.round(this.#retryMs * (0.9 + 0.2 * Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    this.#retry = {
      atMs: Date.now() + waitMs,
      timer: setTimeout(() => {
        this.#retry = undefined;
        this.#open(true);
      }, waitMs),
    };
    this.#retry.timer.unref();
    this.#wake();
  }

  #end(state: 'ended' | 'terminated' | 'failed'): void {
    if (this.isOver) return;
    this.#state = state;
    this.#endedAtMs = Date.now();
    const { sources } = this.#report ?? this.#unconnected();
    this.#report = { ...(this.#report ?? this.#unconnected()), sources: sources.map(over) };
    this.#watchers.end();
    this.#wake();
    const waiting = this.#wakeEnd;
    this.#wakeEnd = [];
    for (const wake of waiting) wake();
    this.#parts.onEnd(this);
  }

  #wake(): void {
    const waiting = this.#wakeStart;
    this.#wakeStart = [];
    for (const wake of waiting) wake();
  }

  #refusal(operation: Operation): MillraceError {
    const states = this.report.sources.map(({ state }) => state);
    const answer = operateOnAll(operation, states);
    const state = answer.answer === 'refused' ? answer.state : (states[0] ?? 'ENDED');
    return new MillraceError('PIPELINE_STATE', notAllowedText(operation, state), { details: { state, operation } });
  }

  #unconnected(): HostReport {
    const isAgain = this.#hostLosses > 0;
    const sources = referencesOf(this.#pipeline).map((reference, index): SourceReport => {
      const before = this.#report?.sources[index];
      return {
        source_id: index,
        reference: hideInAddress(reference),
        state: isAgain ? 'RESTARTING' : 'NOT_STARTED',
        properties: before?.properties,
        filling: before?.filling,
        consumption: before?.consumption,
        drops_by: before?.drops_by,
        buffer_size: before?.buffer_size ?? this.#pipeline.buffer_size ?? 2,
        counts: NO_COUNTS,
        last_frame_at_ms: before?.last_frame_at_ms,
        next_retry_at_ms: this.#retry?.atMs,
        last_error: this.#failure?.message,
        latency: before?.latency ?? NO_LATENCY,
      };
    });
    return { sources, sinks: this.#report?.sinks ?? [], results: this.#report?.results ?? 0, throughput: 0 };
  }
}

function sum(counts: SourceCounts, earlier: SourceCounts | undefined): SourceCounts {
  if (earlier === undefined) return counts;
  const keys = Object.keys(NO_COUNTS) as (keyof SourceCounts)[];
  return Object.fromEntries(keys.map((key) => [key, counts[key] + earlier[key]])) as unknown as SourceCounts;
}

/** A source whose pipeline is over. */
function over(source: SourceReport): SourceReport {
  return source.state === 'ERROR' ? source : { ...source, state: 'ENDED', next_retry_at_ms: undefined };
}

function errorUpdate(error: MillraceError): StatusUpdate {
  return {
    at: utcTime(epochMs()),
    severity: SEVERITY.ERROR,
    event_type: 'INFERENCE_ERROR',
    payload: { error_type: error.reason, error_message: hideCredentials(error.message), error_context: 'host' },
    context: 'inference_pipeline',
  };
}

function ended(): MillraceError {
  return new MillraceError('PIPELINE_STATE', 'the pipeline has ended', { details: { state: 'ENDED' } });
}
