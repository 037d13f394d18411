import { MillraceError } from '../../base/errors.ts';
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
  /** Says more of a fault than the child did. */
  readonly explained?: (error: MillraceError) => MillraceError;
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
  /** It was opened to take the place of one that was lost, and has not shown that it is connected. */
  #isAnew = false;
  /** Of players that were lost while their child ran on. */
  #ending: Promise<unknown> = Promise.resolve();
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
      this.#lost(MillraceError.from(error));
      return;
    }
    if (!this.#player.isConnected) return;
    if (this.#isAnew) this.reconnections++;
    this.#isAnew = false;
    this.#wasConnected = true;
    this.#backOff.succeeded();
  }

  async finish(): Promise<void> {
    try {
      await this.#player?.finish();
    } catch (error) {
      throw this.#explained(MillraceError.from(error));
    }
    await this.#ending;
  }

  async abort(): Promise<void> {
    this.#isAborted = true;
    await this.#player?.abort();
    await this.#ending;
  }

  #open(frame: SinkFrame): Player {
    const { label, process, stallMs } = this.#options;
    this.#isAnew = this.#retryAtMs > 0;
    return new Player({ ...process(frame), label, stallMs, finishMs: FINISH_MS }, frame);
  }

  #explained(error: MillraceError): MillraceError {
    return this.#options.explained?.(error) ?? error;
  }

  /** @throws what came, where it is not to be tried again */
  #lost(error: MillraceError): void {
    const { maxReconnects, retryFirst, onEvent, endedByItself } = this.#options;
    if (this.#isAborted) return;
    const player = this.#player;
    this.#wasConnected ||= player?.isConnected === true;
    this.#player = undefined;
    if (player?.hasEnded === false) this.#ending = Promise.all([this.#ending, player.abort()]);
    if (endedByItself !== undefined && player !== undefined && isGoodEnd(error)) throw endedByItself();
    const { cause } = error.details;
    const isPassing =
      error.reason === 'SINK_FAILED' && cause !== undefined && cause !== 'unauthorized' && cause !== 'full';
    const mayRetry = isPassing && (this.#wasConnected || retryFirst) && this.#backOff.tries < maxReconnects;
    if (!mayRetry) throw this.#explained(error);
    const retryMs = this.#backOff.next();
    this.#retryAtMs = performance.now() + retryMs;
    this.droppedLost++;
    onEvent({ type: 'lost', error, retryMs });
  }
}

function isGoodEnd({ message }: MillraceError): boolean {
  return message.endsWith('exit code 0');
}
