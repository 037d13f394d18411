/** What a limited pipeline does with a batch that comes too early: live sources lose it, files wait (sheet §3). */
export type RateMode = 'drop' | 'wait';

/** A rate of 0 or below stands for this. */
const LOWEST_FPS = 0.01;
/** Times of videos are rounded. */
const SLACK_MS = 1;

/** Keeps the starts of batches apart. */
export class RateLimiter {
  #intervalMs: number;
  readonly #now: () => number;
  /** When the next batch may start. */
  #nextAtMs = -Infinity;
  /** The time in its video from which the next batch is taken. */
  #nextTimeMs = -Infinity;

  /** @param perSecond null: no limit */
  constructor(perSecond: number | null, now: () => number = () => performance.now()) {
    this.#intervalMs = intervalOf(perSecond);
    this.#now = now;
  }

  set rate(perSecond: number | null) {
    this.#intervalMs = intervalOf(perSecond);
    this.#nextAtMs = Math.min(this.#nextAtMs, this.#now() + this.#intervalMs);
    this.#nextTimeMs = -Infinity;
  }

  /**
   * Asks for the next batch to start.
   * @returns ms to wait before it does; undefined: it is dropped
   */
  admit(mode: RateMode): number | undefined {
    const now = this.#now();
    if (this.#intervalMs === 0) return 0;
    if (now >= this.#nextAtMs) {
      this.#nextAtMs = now + this.#intervalMs;
      return 0;
    }
    if (mode === 'drop') return undefined;
    const waitMs = this.#nextAtMs - now;
    this.#nextAtMs += this.#intervalMs;
    return waitMs;
  }

  /**
   * The same by the times of a video, however fast it is read.
   * @returns 0, or undefined: the batch at `timeMs` is dropped
   */
  take(timeMs: number): number | undefined {
    if (timeMs < this.#nextTimeMs - SLACK_MS) return undefined;
    const next = this.#nextTimeMs + this.#intervalMs;
    this.#nextTimeMs = next > timeMs ? next : timeMs + this.#intervalMs;
    return 0;
  }
}

function intervalOf(perSecond: number | null): number {
  return perSecond === null ? 0 : 1000 / Math.max(perSecond, LOWEST_FPS);
}
