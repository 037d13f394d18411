import type { VideoFrame } from '../../media/frame.ts';

type Captured = Pick<VideoFrame, 'number' | 'capturedAtMs'>;

const FRAMES = 30;

/** How many frames a second come from a source, also where not all of them are looked at: their numbers tell. */
export class CapturePace {
  readonly #last: Captured[] = [];

  /** @returns over the last frames that were looked at; undefined before the second one */
  of({ number, capturedAtMs }: Captured): number | undefined {
    this.#last.push({ number, capturedAtMs });
    if (this.#last.length > FRAMES) this.#last.shift();
    const [first] = this.#last;
    const spanMs = first === undefined ? 0 : capturedAtMs - first.capturedAtMs;
    return first === undefined || spanMs <= 0 ? undefined : (1000 * (number - first.number)) / spanMs;
  }
}
