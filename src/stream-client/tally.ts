import { createHistogram } from 'node:perf_hooks';
import type { SinkCounts } from '../media/sinks/video-sink.ts';
import type { SourceCounts } from '../media/sources/video-source.ts';

/** What came of a run; the first six are the keys of OVMS's demo client, whose times are in seconds. */
export interface StreamReport {
  /** From sending a frame until its answer came, the mean. (In OVMS's client: the mean gap between frames; here `average_frame_spacing`.) */
  readonly average_inference_latency: number;
  /** Frames that were sent and for which nothing was shown. */
  readonly dropped_frames: number;
  /** Pictures shown or written. */
  readonly frames: number;
  readonly fps: number;
  readonly total_time: number;
  /** Until the last frame was sent. */
  readonly sent_all_frames: number;
  readonly average_frame_spacing: number;
  readonly latency_ms: Latency;
  readonly sent: number;
  readonly answered: number;
  /** Frames that were lost on the way, by place and cause. */
  readonly drops: Readonly<Record<DropCause, number>>;
  readonly reconnections: { readonly source: number; readonly server: number; readonly sink: number };
  /** Complaints of the decoder, as of damaged data. */
  readonly decoder_complaints: number;
  /** The first of them; left out where there is none. */
  readonly first_decoder_complaint?: string;
}

export type DropCause =
  | 'source_full'
  | 'source_older'
  | 'skipped'
  | 'unanswered'
  | 'refused'
  | 'connection_lost'
  | 'no_picture'
  | 'out_of_order'
  | 'sink_full'
  | 'sink_lost';

export interface Latency {
  readonly avg: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Counts of a run while it goes on. */
export class Tally {
  readonly #startedAtMs = performance.now();
  readonly #latencyUs = createHistogram();
  #lastTimestampUs: number | undefined;
  #spacingUs = 0;
  #spacings = 0;
  #sentAllMs: number | undefined;
  sent = 0;
  answered = 0;
  shown = 0;
  skipped = 0;
  refused = 0;
  connectionLost = 0;
  noPicture = 0;
  outOfOrder = 0;
  serverReconnections = 0;

  /** Of answers so far; 0 before the first. */
  get meanLatencyMs(): number {
    return this.#latencyUs.count === 0 ? 0 : this.#latencyUs.mean / 1000;
  }

  latency(ms: number): void {
    this.answered++;
    this.#latencyUs.record(Math.max(1, Math.round(ms * 1000)));
  }

  showed(timestampUs: number): void {
    this.shown++;
    if (this.#lastTimestampUs !== undefined) {
      this.#spacingUs += Math.abs(timestampUs - this.#lastTimestampUs);
      this.#spacings++;
    }
    this.#lastTimestampUs = timestampUs;
  }

  sentAll(): void {
    this.#sentAllMs ??= performance.now() - this.#startedAtMs;
  }

  report(source: SourceCounts | undefined, sink: SinkCounts | undefined, unanswered: number): StreamReport {
    const totalMs = performance.now() - this.#startedAtMs;
    const drops = {
      source_full: source?.droppedFull ?? 0,
      source_older: source?.droppedOlder ?? 0,
      skipped: this.skipped,
      unanswered,
      refused: this.refused,
      connection_lost: this.connectionLost,
      no_picture: this.noPicture,
      out_of_order: this.outOfOrder,
      sink_full: sink?.droppedFull ?? 0,
      sink_lost: sink?.droppedLost ?? 0,
    };
    const droppedBySink = drops.sink_full + drops.sink_lost;
    const frames = this.shown - droppedBySink;
    return {
      average_inference_latency: round(this.meanLatencyMs / 1000, 6),
      dropped_frames:
        unanswered + this.refused + this.connectionLost + this.noPicture + this.outOfOrder + droppedBySink,
      frames,
      fps: round((frames * 1000) / totalMs, 2),
      total_time: round(totalMs / 1000, 3),
      sent_all_frames: round((this.#sentAllMs ?? totalMs) / 1000, 3),
      average_frame_spacing: this.#spacings === 0 ? 0 : round(this.#spacingUs / this.#spacings / 1e6, 6),
      latency_ms: this.#latency(),
      sent: this.sent,
      answered: this.answered,
      drops,
      reconnections: {
        source: source?.reconnections ?? 0,
        server: this.serverReconnections,
        sink: sink?.reconnections ?? 0,
      },
      decoder_complaints: source?.complaints ?? 0,
      ...(source?.firstComplaint !== undefined && { first_decoder_complaint: source.firstComplaint }),
    };
  }

  #latency(): Latency {
    const histogram = this.#latencyUs;
    if (histogram.count === 0) return { avg: 0, min: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 };
    const at = (percent: number): number => round(histogram.percentile(percent) / 1000, 3);
    return {
      avg: round(histogram.mean / 1000, 3),
      min: round(histogram.min / 1000, 3),
      p50: at(50),
      p90: at(90),
      p95: at(95),
      p99: at(99),
      max: round(histogram.max / 1000, 3),
    };
  }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
