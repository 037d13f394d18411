/** Limits each call of a stream's code; while that waits for the client the clock stands still. */
export class CallClock {
  readonly #ms: number;
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;

  /** @param ms 0: no limit */
  constructor(ms: number, onExpired: () => void) {
    this.#ms = ms;
    this.#onExpired = onExpired;
  }

  /** A call begins, or goes on after a wait, with all its time. */
  start(): void {
    if (this.#ms === 0) return;
    this.#isRunning = true;
    if (this.#timer !== undefined) this.#timer.refresh();
    else
      this.#timer = setTimeout(() => {
        if (this.#isRunning) this.#onExpired();
      }, this.#ms);
  }

  stop(): void {
    this.#isRunning = false;
  }

  /** The last call. */
  close(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
