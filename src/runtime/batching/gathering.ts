/** Of the last run's time: the longest wait for the clients that it answered. */
const SHARE = 0.25;
const MAX_WAIT_MS = 20;
/** Runs without a wait after one that was in vain. */
const SKIPPED = 16;

/**
 * How long a free model should wait for the clients that it has just answered, where none said how long. Clients that ask
 * again once they are answered would else fall into groups that take turns: while the batch of one runs, the others wait, and
 * no batch ever has all of them. Waits that brought little are not repeated for a while.
 */
export class Gathering {
  /** When the wait is over; -1: nobody is waited for. */
  #until = -1;
  /** Requests that make the batch as large as it gets. */
  #wanted = 0;
  #atEnd = 0;
  #skip = 0;

  /**
   * A run ended, and all that came during it is known.
   * @param requests that it answered
   * @param waiting requests that wait now
   */
  runEnded(now: number, requests: number, durationMs: number, waiting: number): void {
    this.#until = -1;
    if (this.#skip > 0) this.#skip--;
    else this.#until = now + Math.min(durationMs * SHARE, MAX_WAIT_MS);
    this.#wanted = requests + waiting;
    this.#atEnd = waiting;
  }

  /** @param waiting requests that wait now */
  waitMs(now: number, waiting: number): number {
    return waiting >= this.#wanted ? 0 : Math.max(0, this.#until - now);
  }

  /** The next run starts. @param requests that it takes */
  runStarts(requests: number): void {
    const hasWaited = this.#until >= 0 && this.#atEnd > 0;
    if (hasWaited && requests - this.#atEnd < requests * SHARE) this.#skip = SKIPPED;
    this.#until = -1;
  }
}
