const LEAST_MS = 50;

/** Waits before one try after another: a quarter of a second, doubled each time, at most `maxMs`; a fifth of it random. */
export class BackOff {
  readonly #maxMs: number;
  readonly #fixedMs: number | undefined;
  #ms = 0;
  /** Tries since the last success. */
  tries = 0;

  /** @param fixedMs always this long, instead */
  constructor(maxMs = 5_000, fixedMs?: number) {
    this.#maxMs = maxMs;
    this.#fixedMs = fixedMs;
  }

  /** @returns ms to wait before the next try */
  next(): number {
    this.tries++;
    if (this.#fixedMs !== undefined) return Math.max(LEAST_MS, this.#fixedMs);
    this.#ms = Math.min(this.#maxMs, this.#ms === 0 ? 250 : this.#ms * 2);
    return Math.round(this.#ms * (0.9 + 0.2 * Math.random()));
  }

  succeeded(): void {
    this.tries = 0;
    this.#ms = 0;
  }
}
