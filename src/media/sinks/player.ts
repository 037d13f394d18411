import { MillraceError } from '../../base/errors.ts';
import { causeOf, exitText, type FaultCause } from '../ffmpeg/faults.ts';
import { MediaProcess, type Exit, type MediaProcessOptions } from '../ffmpeg/media-process.ts';
import { nutFrameHead, nutHead } from '../ffmpeg/nut-writer.ts';
import type { Picture } from '../frame.ts';
import { fitted } from './fit.ts';
import type { SinkFrame } from './video-sink.ts';

/** A child that takes a video on its standard input: what `program` and `args` of {@link MediaProcess} start. */
export type PlayerProcess = Pick<MediaProcessOptions, 'program' | 'args' | 'env' | 'parentDeath'>;

export interface PlayerOptions extends PlayerProcess {
  readonly label: string;
  /** A child that takes nothing for this long is stuck. */
  readonly stallMs: number;
  /** For it to complete what it writes. */
  readonly finishMs: number;
}

/** Feeds pictures with their times to one child of ffmpeg's; all get the first one's size and format. */
export class Player {
  readonly #options: PlayerOptions;
  readonly #child: MediaProcess;
  readonly #shape: Omit<Picture, 'data'>;
  #lastUs = -1;
  #isStuck = false;
  #wake = (): void => {};
  /** It reports a frame in its output (`-progress pipe:1`), so that has been opened. */
  isConnected = false;

  /** @throws MillraceError FFMPEG_MISSING */
  constructor(options: PlayerOptions, { width, height, format }: Omit<Picture, 'data'>) {
    this.#options = options;
    this.#shape = { width, height, format };
    const { program, args, env = {}, parentDeath = 'TERM' } = options;
    this.#child = new MediaProcess({ program, args, env, hasInput: true, parentDeath });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (/^frame=\s*[1-9]/m.test(text)) this.isConnected = true;
    });
    this.#child.stdin.write(nutHead(this.#shape));
    void this.#child.exit.then(() => this.#wake());
  }

  get hasEnded(): boolean {
    return this.#child.hasEnded;
  }

  /** For tests that kill it. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves when the child has room for more. @throws MillraceError SINK_FAILED when it has ended or is stuck */
  async write(frame: SinkFrame): Promise<void> {
    if (this.#child.hasEnded) throw this.fault(await this.#child.exit);
    const { data } = fitted(frame, this.#shape);
    this.#lastUs = Math.max(Math.round(frame.timestampUs), this.#lastUs + 1);
    const { stdin } = this.#child;
    stdin.write(nutFrameHead(this.#lastUs, data.length));
    if (stdin.write(data)) return;
    const timer = setTimeout(() => {
      this.#isStuck = true;
      this.#child.kill();
    }, this.#options.stallMs);
    // Not a race with the exit: what waits for that would gather, one for each frame.
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#child.hasEnded) resolve();
      else stdin.once('drain', resolve);
    });
    clearTimeout(timer);
    if (this.#child.hasEnded) throw this.fault(await this.#child.exit);
  }

  /** The end of the input; resolves when the child has completed its output. */
  async finish(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => {
      this.#isStuck = true;
      this.#child.kill();
    }, this.#options.finishMs);
    const exit = await this.#child.exit;
    clearTimeout(timer);
    if (this.#isStuck || exit.code !== 0) throw this.fault(exit);
  }

  /** The end of the input, without much patience. */
  async abort(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => void this.#child.stop(1_000), 2_000);
    await this.#child.exit;
    clearTimeout(timer);
  }

  fault(exit: Exit): MillraceError {
    const { label, stallMs } = this.#options;
    if (this.#isStuck) return sinkFault(label, 'stalled', `took nothing for ${stallMs} ms`);
    return sinkFault(label, causeOf(exit, 'lost'), exitText(exit));
  }
}

export function sinkFault(label: string, cause: FaultCause, message: string): MillraceError {
  return new MillraceError('SINK_FAILED', `sink ${label}: ${message}`, { details: { sink: label, cause } });
}
