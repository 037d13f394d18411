/** How long streams may go on before everything else in the process has its turn. */
const TURN_MS = 2;

/**
 * Shares a process among streams whose code never waits: such a generator goes from `yield` to `yield` without ever
 * letting the event loop run, and other streams, requests and aborts would starve.
 */
export class Turns {
  #endsAt = 0;
  #next: Promise<void> | undefined;

  /** Asked before each step of a stream. Undefined: go on; else wait for it, and ask again. */
  spent(): Promise<void> | undefined {
    const now = performance.now();
    if (this.#next === undefined) {
      this.#endsAt = now + TURN_MS;
      this.#next = new Promise((resolve) => {
        setImmediate(() => {
          this.#next = undefined;
          resolve();
        });
      });
      return undefined;
    }
    return now < this.#endsAt ? undefined : this.#next;
  }
}
