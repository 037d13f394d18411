import type { MillraceError } from '../../base/errors.ts';
import type { VideoFrame } from '../frame.ts';

export interface SourceProperties {
  /** Without credentials. */
  readonly label: string;
  /** A camera or a stream: what is not taken in time is gone. Else a file, of which every frame counts. */
  readonly isLive: boolean;
  /** Of every frame, for as long as the source lives. */
  readonly width: number;
  readonly height: number;
  readonly codec: string;
  /** As declared. */
  readonly fps: number | undefined;
  readonly durationMs: number | undefined;
  /** Declared length in frames. */
  readonly frames: number | undefined;
}

/** What became of frames and connections so far. */
export interface SourceCounts {
  /** Frames that were decoded. */
  readonly captured: number;
  /** Frames that a full buffer had no room for. */
  readonly droppedFull: number;
  /** Frames that a newer one took the place of when one was asked for. */
  readonly droppedOlder: number;
  /** Frames that went because of the paces of the source and its reader. */
  readonly droppedAdaptive: number;
  /** Connections that were made anew. */
  readonly reconnections: number;
  /** Lines of complaint of the decoder, as of damaged packets. */
  readonly complaints: number;
  /** The first of them, without credentials. */
  readonly firstComplaint?: string | undefined;
}

export type SourceEvent =
  | { readonly type: 'connected' }
  /** A live source ended, froze or could not be reached; the next try is in `retryMs`. */
  | { readonly type: 'lost'; readonly error: MillraceError; readonly retryMs: number };

/** Frames of one video. Close it to end its decoder. */
export interface VideoSource extends AsyncDisposable {
  readonly properties: SourceProperties;
  readonly counts: SourceCounts;
  /**
   * The next frame, or the newest, as the source was opened; undefined at the end, and once it is closed. One call at a time.
   * @throws MillraceError SOURCE_FAILED when there will be no more
   */
  next(): Promise<VideoFrame | undefined>;
}
