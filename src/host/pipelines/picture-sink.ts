import { messageOf } from '../../base/errors.ts';
import type { VideoSink } from '../../media/sinks/video-sink.ts';
import type { FrameResult } from '../../media/sinks/results/result-record.ts';
import type { SinkReport } from '../../pipelines/common/report.ts';
import { annotated } from './annotate.ts';
import type { SourceFrame } from './source-runner.ts';

/** How long a lost stream or file may take to complete at the end. */
const FINISH_MS = 8_000;
/** A sink that failed is opened anew after this. */
const RETRY_MS = 2_000;

/** @param onLost told when a stream is lost, and tried again */
export type OpenPictures = (isLive: boolean, onLost: (error: Error) => void) => VideoSink;

/** A video file or RTSP stream of one source, with what was found drawn into it. */
export class PictureSink implements AsyncDisposable {
  readonly type: string;
  /** Once it is open, the file's name. */
  #target: string;
  readonly #sourceId: number;
  readonly #isAnnotated: boolean;
  readonly #open: OpenPictures;
  readonly #onError: (message: string) => void;
  #sink: VideoSink | undefined;
  #failed = 0;
  #lost = 0;
  #written = 0;
  #dropped = 0;
  #lastError: string | undefined;
  #retryAtMs = 0;
  #isClosed = false;

  constructor(
    type: 'video_file' | 'rtsp',
    target: string,
    sourceId: number,
    isAnnotated: boolean,
    open: OpenPictures,
    onError: (message: string) => void,
  ) {
    this.type = type;
    this.#target = target;
    this.#sourceId = sourceId;
    this.#isAnnotated = isAnnotated;
    this.#open = open;
    this.#onError = onError;
  }

  /** Takes the frame or drops one; a file that is made of files takes its time. */
  async show({ sourceId, frame }: SourceFrame, result: FrameResult | undefined, isLive: boolean): Promise<void> {
    if (sourceId !== this.#sourceId || this.#isClosed) return;
    if (performance.now() < this.#retryAtMs) {
      this.#lost++;
      return;
    }
    let sink: VideoSink;
    try {
      sink = this.#sink ??= this.#open(isLive, (error) => this.#tell(messageOf(error)));
      this.#target = sink.label;
    } catch (error) {
      return this.#fail(error);
    }
    try {
      const picture = this.#isAnnotated && result !== undefined ? annotated(frame, result.predictions) : frame;
      await sink.write({ ...picture, timestampUs: frame.timestampUs });
    } catch (error) {
      if (this.#sink === sink) this.#fail(error);
    }
  }

  get report(): SinkReport {
    const counts = this.#sink?.counts;
    return {
      type: this.type,
      target: this.#target,
      delivered: this.#written + (counts?.written ?? 0),
      failed: this.#failed,
      dropped: this.#dropped + this.#lost + (counts?.droppedFull ?? 0) + (counts?.droppedLost ?? 0),
      waiting: 0,
      last_error: this.#lastError,
    };
  }

  /** Completes the file or stream. */
  async finish(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, FINISH_MS)));
    const finished = this.#sink?.finish().catch((error: unknown) => this.#fail(error));
    await Promise.race([finished, limit]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#sink?.[Symbol.asyncDispose]();
  }

  /** The same error again is no news. */
  #tell(message: string): void {
    if (message !== this.#lastError) this.#onError(message);
    this.#lastError = message;
  }

  #fail(error: unknown): void {
    this.#failed++;
    this.#retryAtMs = performance.now() + RETRY_MS;
    this.#tell(messageOf(error));
    const sink = this.#sink;
    this.#sink = undefined;
    if (sink === undefined) return;
    const { written, droppedFull, droppedLost } = sink.counts;
    this.#written += written;
    this.#dropped += droppedFull + droppedLost;
    // A file that could not be written is not begun again over what is there.
    if (this.type === 'video_file') this.#isClosed = true;
    void sink[Symbol.asyncDispose]();
  }
}
