import type { MillraceError } from '../../base/errors.ts';
import { BackOff } from '../sources/back-off.ts';
import { Player, type PlayerProcess } from './player.ts';
import type { SinkDriver, SinkEvent, SinkFrame } from './video-sink.ts';

export interface FfmpegSinkOptions {
  readonly label: string;
  /** The child for frames of this size. */
  readonly process: (size: { readonly width: number; readonly height: number }) => PlayerProcess;
  /** A connection that was lost is made anew this many times in a row; 0: it fails. */
  readonly maxReconnects: number;
  /** The first one too. */
  readonly retryFirst: boolean;
  readonly onEvent: (event: SinkEvent) => void;
  /** Nothing taken for this long is a loss. */
  readonly stallMs: number;
  /** What an end of the child by itself means, where it is no fault. */
  readonly endedByItself?: () => Error;
}

const FINISH_MS = 15_000;

/** One ffmpeg or ffplay after another, fed with frames; while none is there, frames are dropped and counted. */
export class FfmpegSink implements SinkDriver {
  readonly #options: FfmpegSinkOptions;
  readonly #backOff = new BackOff();
  #player: Player | undefined;
  #isAborted = false;
  #wasConnected = false;
  #retryAtMs = 0;
  droppedLost = 0;
  reconnections = 0;

  constructor(options: FfmpegSinkOptions) {
    this.#options = options;
  }

  get label(): string {
    return this.#options.label;
  }

  async write(frame: SinkFrame): Promise<void> {
    if (this.#isAborted) return;
    if (performance.now() < this.#retryAtMs) {
      this.droppedLost++;
      return;
    }
    try {
      this.#player ??= this.#open(frame);
      await this.#player.write(frame);
    } catch (error) {
      await this.#lost(error as MillraceError);
      return;
    }
    if (!this.#player.isConnected) return;
    this.#wasConnected = true;
    this.#backOff.succeeded();
  }

  async finish(): Promise<void> {
    await this.#player?.finish();
  }

  async abort(): Promise<void> {
    this.#isAborted = true;
    await this.#player?.abort();
  }

  #open(frame: SinkFrame): Player {
    const { label, process, stallMs } = this.#options;
    if (this.#retryAtMs > 0) this.reconnections++;
    return new Player({ ...process(frame), label, stallMs, finishMs: FINISH_MS }, frame);
  }

  async #lost(error: MillraceError): Promise<void> {
    const { maxReconnects, retryFirst, onEvent, endedByItself } = this.#options;
    if (this.#isAborted) return;
    const hadPlayer = this.#player !== undefined;
    this.#wasConnected ||= this.#player?.isConnected === true;
    this.#player = undefined;
    this.droppedLost++;
    if (endedByItself !== undefined && hadPlayer && isGoodEnd(error)) throw endedByItself();
    const { cause } = error.details;
    const isPassing =
      error.reason === 'SINK_FAILED' && cause !== undefined && cause !== 'unauthorized' && cause !== 'full';
    const mayRetry = isPassing && (this.#wasConnected || retryFirst) && this.#backOff.tries < maxReconnects;
    if (!mayRetry) throw error;
    const retryMs = this.#backOff.next();
    this.#retryAtMs = performance.now() + retryMs;
    onEvent({ type: 'lost', error, retryMs });
  }
}

function isGoodEnd({ message }: MillraceError): boolean {
  return message.endsWith('exit code 0');
}
