/** Waits before one try after another: a quarter of a second, doubled each time, at most `maxMs`; a fifth of it random. */
export class BackOff {
  readonly #maxMs: number;
  #ms = 0;
  /** Tries since the last success. */
  tries = 0;

  constructor(maxMs = 5_000) {
    this.#maxMs = maxMs;
  }

  /** @returns ms to wait before the next try */
  next(): number {
    this.tries++;
    this.#ms = Math.min(this.#maxMs, this.#ms === 0 ? 250 : this.#ms * 2);
    return Math.round(this.#ms * (0.9 + 0.2 * Math.random()));
  }

  succeeded(): void {
    this.tries = 0;
    this.#ms = 0;
  }
}
