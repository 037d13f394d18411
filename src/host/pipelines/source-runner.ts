import { MillraceError } from '../../base/errors.ts';
import type { VideoFrame } from '../../media/frame.ts';
import { openSource, type SourceOptions } from '../../media/sources/ffmpeg-source.ts';
import { hideCredentials, hideInAddress } from '../../media/ffmpeg/redact.ts';
import type { SourceEvent, VideoSource } from '../../media/sources/video-source.ts';
import type { SourceCounts, SourceReport } from '../../pipelines/common/report.ts';
import { SEVERITY } from '../../pipelines/common/report.ts';
import type { SourceState } from '../../pipelines/common/states.ts';
import { CapturePace } from './capture-pace.ts';
import { Latencies } from './latencies.ts';
import type { SourcePlan } from './source-plan.ts';

/** A frame with the source that it came from. */
export interface SourceFrame {
  readonly sourceId: number;
  readonly frame: VideoFrame;
  /** From 1; goes on over reconnections and over the loss of a host. */
  readonly frameId: number;
  /** ms since the epoch. */
  readonly capturedAtMs: number;
  readonly video: SourceVideo;
}

/** What is known of a frame's video. */
export interface SourceVideo {
  readonly isLive: boolean;
  /** Declared. */
  readonly fps: number | undefined;
  /** Of a live source: that came, over its last frames. */
  readonly measuredFps: number | undefined;
}

/** Told of what happens to a source. */
export type OnSourceEvent = (severity: number, eventType: string, payload: Readonly<Record<string, unknown>>) => void;

export type OpenSource = (text: string, options: SourceOptions) => Promise<VideoSource>;

/** One video source of a pipeline: its states, and its frames one by one. */
export class SourceRunner {
  readonly id: number;
  readonly #plan: SourcePlan;
  readonly #onEvent: OnSourceEvent;
  readonly #open: OpenSource;
  readonly #closing = new AbortController();
  readonly latencies = new Latencies();
  #state: SourceState = 'NOT_STARTED';
  #source: VideoSource | undefined;
  #opening: Promise<void> | undefined;
  /** Waits while the source is held. */
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  #held: VideoFrame | undefined;
  #lastFrameAtMs: number | undefined;
  #nextRetryAtMs: number | undefined;
  #lastError: string | undefined;
  #muted = 0;
  readonly #pace = new CapturePace();
  readonly tally = { inferred: 0, failed: 0, unanswered: 0, rate: 0, ended: 0 };

  constructor(id: number, plan: SourcePlan, onEvent: OnSourceEvent, open: OpenSource = openSource) {
    this.id = id;
    this.#plan = plan;
    this.#onEvent = onEvent;
    this.#open = open;
  }

  get state(): SourceState {
    return this.#state;
  }

  /** Undefined before it is connected. */
  get isLive(): boolean | undefined {
    return this.#source?.properties.isLive;
  }

  /** Begins to connect; failures show in its state. @param isHeld it is muted before its first frame */
  start(isHeld: boolean): void {
    this.#become('INITIALISING');
    this.#opening = this.#connect(isHeld);
  }

  /** The next frame; undefined when there will be none. Never rejects. One call at a time. */
  async next(): Promise<SourceFrame | undefined> {
    await this.#opening;
    for (;;) {
      const source = this.#source;
      if (source === undefined || this.#isOver) return undefined;
      const frame = await this.#take(source);
      if (frame === undefined) return undefined;
      if (this.#gate !== undefined && this.isLive === true) this.#muted++;
      else if (this.#gate !== undefined) this.#held = frame;
      else return this.#stamped(frame);
      if (this.isLive !== true) await this.#gate?.opened;
    }
  }

  /** The table has allowed it. */
  hold(state: 'PAUSED' | 'MUTED'): void {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    this.#gate = { opened, open };
    this.#become(state);
  }

  resume(): void {
    this.#become('RUNNING');
    this.#release();
  }

  /** Ends it, whatever it is doing. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isOver) this.#become('TERMINATING');
    this.#closing.abort();
    this.#release();
    await this.#source?.[Symbol.asyncDispose]();
    await this.#opening;
    await this.#source?.[Symbol.asyncDispose]();
    if (this.#state === 'TERMINATING') {
      this.#become('ENDED');
      this.#onEvent(SEVERITY.INFO, 'VIDEO_CONSUMPTION_FINISHED', { source_id: this.id });
    }
  }

  report(): SourceReport {
    const properties = this.#source?.properties;
    return {
      source_id: this.id,
      reference: hideInAddress(this.#plan.reference),
      state: this.#state,
      properties: properties && {
        width: properties.width,
        height: properties.height,
        frames: properties.frames,
        is_live: properties.isLive,
        fps: properties.fps,
        codec: properties.codec,
      },
      ...this.#plan.namesOf(properties?.isLive),
      counts: this.#counts(),
      last_frame_at_ms: this.#lastFrameAtMs,
      next_retry_at_ms: this.#nextRetryAtMs,
      last_error: this.#lastError,
      latency: this.latencies.report(),
    };
  }

  async #connect(isHeld: boolean): Promise<void> {
    const { reference, options } = this.#plan;
    try {
      const source = await this.#open(reference, {
        ...options,
        retryFirst: true,
        signal: this.#closing.signal,
        onEvent: (event) => this.#happened(event),
      });
      this.#source = source;
      if (this.#closing.signal.aborted) return;
      if (this.#state !== 'RUNNING') this.#become('RUNNING');
      if (isHeld) this.hold('MUTED');
      this.#nextRetryAtMs = undefined;
      this.#onEvent(SEVERITY.INFO, 'VIDEO_CONSUMPTION_STARTED', { source_id: this.id });
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#fail(error);
    }
  }

  async #take(source: VideoSource): Promise<VideoFrame | undefined> {
    if (this.#gate === undefined && this.#held !== undefined) {
      const frame = this.#held;
      this.#held = undefined;
      return frame;
    }
    if (this.isLive !== true) await this.#gate?.opened;
    if (this.#isOver) return undefined;
    if (this.#held !== undefined) return this.#take(source);
    try {
      const frame = await source.next();
      if (frame === undefined && !this.#isOver) this.#finish();
      return frame;
    } catch (error) {
      if (!this.#isOver) this.#fail(error);
      return undefined;
    }
  }

  #stamped(frame: VideoFrame): SourceFrame {
    const capturedAtMs = performance.timeOrigin + frame.capturedAtMs;
    this.#lastFrameAtMs = capturedAtMs;
    const { isLive = false, fps } = this.#source?.properties ?? {};
    const measuredFps = isLive ? this.#pace.of(frame) : undefined;
    const video = { isLive, fps, measuredFps };
    return { sourceId: this.id, frame, frameId: this.#plan.startFrame + frame.number, capturedAtMs, video };
  }

  /** A live source comes and goes; the steps between are those of Roboflow's reports (sheet §3). */
  #happened(event: SourceEvent): void {
    if (this.#isOver || this.#closing.signal.aborted) return;
    if (event.type === 'connected') {
      this.#nextRetryAtMs = undefined;
      this.#lastError = undefined;
      this.#become(this.#gate === undefined ? 'RUNNING' : 'MUTED');
      return;
    }
    const { error, retryMs } = event;
    this.#lastError = error.message;
    this.#nextRetryAtMs = Date.now() + retryMs;
    const isFirst = this.#source === undefined;
    const isFailedTry = this.#state === 'INITIALISING';
    this.#onEvent(SEVERITY.WARNING, isFailedTry ? 'SOURCE_CONNECTION_ATTEMPT_FAILED' : 'SOURCE_CONNECTION_LOST', {
      ...failureOf(error, 'stream_consumer_thread'),
      source_id: this.id,
      retry_in: retryMs / 1000,
    });
    if (isFirst || isFailedTry) this.#become('ERROR');
    else this.#become('ENDED');
    this.#become('TERMINATING');
    this.#become('RESTARTING');
    this.#become('INITIALISING');
  }

  #finish(): void {
    this.#become('TERMINATING');
    this.#become('ENDED');
    this.#onEvent(SEVERITY.INFO, 'VIDEO_CONSUMPTION_FINISHED', { source_id: this.id });
  }

  #fail(thrown: unknown): void {
    const error = MillraceError.from(thrown);
    this.#lastError = error.message;
    this.#onEvent(SEVERITY.ERROR, 'SOURCE_ERROR', {
      ...failureOf(error, 'stream_consumer_thread'),
      source_id: this.id,
    });
    this.#become('ERROR');
  }

  get #isOver(): boolean {
    return this.#state === 'ENDED' || this.#state === 'ERROR' || this.#state === 'TERMINATING';
  }

  #become(next: SourceState): void {
    const previous = this.#state;
    if (previous === next) return;
    this.#state = next;
    this.#onEvent(SEVERITY.INFO, 'SOURCE_STATE_UPDATE', {
      previous_state: previous,
      new_state: next,
      source_id: this.id,
    });
  }

  #release(): void {
    const gate = this.#gate;
    this.#gate = undefined;
    gate?.open();
  }

  #counts(): SourceCounts {
    const counts = this.#source?.counts;
    const { inferred, failed, unanswered, rate, ended } = this.tally;
    return {
      captured: counts?.captured ?? 0,
      dropped_full: counts?.droppedFull ?? 0,
      dropped_stale: counts?.droppedOlder ?? 0,
      dropped_adaptive: counts?.droppedAdaptive ?? 0,
      dropped_muted: this.#muted,
      dropped_rate: rate,
      dropped_ended: ended,
      inferred,
      failed,
      unanswered,
      reconnects: counts?.reconnections ?? 0,
      complaints: counts?.complaints ?? 0,
    };
  }
}

/** As Roboflow's reports tell of an error. */
export function failureOf(error: MillraceError, context: string): Readonly<Record<string, unknown>> {
  const { cause } = error.details;
  return {
    error_type: error.reason,
    error_message: hideCredentials(error.message),
    error_context: context,
    ...(typeof cause === 'string' && { cause }),
  };
}
