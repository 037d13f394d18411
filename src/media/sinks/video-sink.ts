import type { MillraceError } from '../../base/errors.ts';
import type { Picture } from '../frame.ts';

/** A picture and when it is shown. */
export interface SinkFrame extends Picture {
  /** In µs from the start of the video; not below that of the frame before. */
  readonly timestampUs: number;
}

export interface SinkCounts {
  readonly written: number;
  /** Frames that a full queue had no room for. */
  readonly droppedFull: number;
  /** Frames that came while the sink's connection was lost. */
  readonly droppedLost: number;
  readonly reconnections: number;
}

export type SinkEvent = { readonly type: 'lost'; readonly error: MillraceError; readonly retryMs: number };

/** Where one sequence of pictures goes, behind a bounded queue of its own. */
export interface VideoSink extends AsyncDisposable {
  /** For people and logs; without credentials. */
  readonly label: string;
  readonly counts: SinkCounts;
  /**
   * Resolves when the frame is in the queue, or was dropped because that is full.
   * @throws MillraceError SINK_FAILED when the sink has failed for good; CANCELLED when its window was closed
   */
  write(frame: SinkFrame): Promise<void>;
  /** Writes what waits and completes the file or stream. @throws MillraceError as `write` */
  finish(): Promise<void>;
  /** Leaves out what waits; a file has what was written and can be played. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a kind of sink implements; {@link QueuedSink} calls one method at a time. */
export interface SinkDriver {
  readonly label: string;
  /** Resolves when the next frame may come. */
  write(frame: SinkFrame): Promise<void>;
  finish(): Promise<void>;
  /** Ends at once; a `write` under way rejects or resolves. Idempotent. */
  abort(): Promise<void>;
  readonly droppedLost?: number;
  readonly reconnections?: number;
}
