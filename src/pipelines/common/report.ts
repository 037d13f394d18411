import type { SourceState } from './states.ts';

export const SEVERITY = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40 } as const;

/** Something that happened to a pipeline, in the words of Roboflow's report (sheet §3). */
export interface StatusUpdate {
  /** ISO 8601, UTC, with microseconds. */
  readonly at: string;
  readonly severity: number;
  readonly event_type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly context: string;
}

/** Frames by what became of them; each captured frame is in one of the others, or still under way. */
export interface SourceCounts {
  readonly captured: number;
  /** The buffer had no room. */
  readonly dropped_full: number;
  /** A newer frame was taken in its place. */
  readonly dropped_stale: number;
  /** By an adaptive strategy: the source, or its reader, was behind. */
  readonly dropped_adaptive: number;
  /** The source was muted. */
  readonly dropped_muted: number;
  /** Above `max_fps`. */
  readonly dropped_rate: number;
  /** Came after the rest of its batch had gone, or the pipeline ended. */
  readonly dropped_ended: number;
  readonly inferred: number;
  readonly failed: number;
  /** The servable had nothing to say of it. */
  readonly unanswered: number;
  readonly reconnects: number;
  /** Complaints of the decoder, as of damaged packets. */
  readonly complaints: number;
}

export interface SourceProperties {
  readonly width: number;
  readonly height: number;
  /** Declared; undefined of a live source. */
  readonly frames: number | undefined;
  readonly is_live: boolean;
  readonly fps: number | undefined;
  readonly codec: string;
}

export interface SourceReport {
  readonly source_id: number;
  /** Without credentials. */
  readonly reference: string;
  readonly state: SourceState;
  /** Undefined before the first connection. */
  readonly properties: SourceProperties | undefined;
  readonly filling: string | undefined;
  readonly consumption: string | undefined;
  readonly buffer_size: number;
  /** What an adaptive strategy goes by. */
  readonly drops_by?: 'paces' | 'fullness' | undefined;
  readonly counts: SourceCounts;
  /** When the last frame was captured: ms since the epoch. */
  readonly last_frame_at_ms: number | undefined;
  /** When the next try to connect comes: ms since the epoch. */
  readonly next_retry_at_ms: number | undefined;
  readonly last_error: string | undefined;
  readonly latency: LatencyReport;
}

/** Seconds; means over the last 64 frames, undefined before the first one. */
export interface LatencyReport {
  readonly frame_decoding_latency: number | undefined;
  readonly inference_latency: number | undefined;
  readonly e2e_latency: number | undefined;
  /** Of e2e, over the last 512 frames. */
  readonly p50: number | undefined;
  readonly p90: number | undefined;
  readonly p99: number | undefined;
}

export interface SinkReport {
  readonly type: string;
  /** Without credentials. */
  readonly target: string;
  readonly delivered: number;
  readonly failed: number;
  /** A full queue had no room. */
  readonly dropped: number;
  readonly waiting: number;
  readonly last_error: string | undefined;
}

/** What a host says of a pipeline. */
export interface HostReport {
  readonly sources: readonly SourceReport[];
  readonly sinks: readonly SinkReport[];
  /** Frames with a result so far, of this and of earlier hosts. */
  readonly results: number;
  /** Results per second over the last 30 of them; 0 when none came for long. */
  readonly throughput: number;
}

/** Of a source that has not had a frame. */
export const NO_COUNTS: SourceCounts = {
  captured: 0,
  dropped_full: 0,
  dropped_stale: 0,
  dropped_adaptive: 0,
  dropped_muted: 0,
  dropped_rate: 0,
  dropped_ended: 0,
  inferred: 0,
  failed: 0,
  unanswered: 0,
  reconnects: 0,
  complaints: 0,
};

export const NO_LATENCY: LatencyReport = {
  frame_decoding_latency: undefined,
  inference_latency: undefined,
  e2e_latency: undefined,
  p50: undefined,
  p90: undefined,
  p99: undefined,
};
