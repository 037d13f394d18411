import { RunCost } from './run-cost.ts';

/** Of the last run's time: the longest wait while it is not known what a run saved would save. */
const SHARE = 0.25;
const MAX_WAIT_MS = 20;
/** After so long without a request no others are waited for, unless runs are long. */
const GAP_MS = 2;
/** Runs without a wait after one that was in vain. */
const SKIPPED = 16;

/**
 * How long a free model should wait for the clients that it has just answered, where none said how long. Clients that ask
 * again once they are answered would else fall into groups that take turns: while the batch of one runs, the others wait, and
 * no batch ever has all of them.
 *
 * A run saved saves what a run costs whatever its rows, so no wait is longer than that; nor is the wait for one request longer than
 * its share of the batch's time so far, at which the batch has as many requests per second with it as without. After a wait in
 * vain, which did not bring all, there is none for a while.
 */
export class Gathering {
  readonly #cost = new RunCost();
  /** When the wait is over; -1: nobody is waited for. */
  #until = -1;
  /** Requests that make the batch as large as it gets. */
  #wanted = 0;
  #isInVain = false;
  #skip = 0;
  #endedAt = 0;
  #fixedMs = 0;
  /** Requests that waited when last looked, and since when so many. */
  #waiting = 0;
  #since = 0;

  /**
   * A run ended, and all that came during it is known.
   * @param requests that it answered
   * @param rows that it had
   * @param waiting requests that wait now
   */
  runEnded(now: number, requests: number, rows: number, durationMs: number, waiting: number): void {
    this.#cost.ran(rows, durationMs);
    this.#fixedMs = Math.min(durationMs, this.#cost.fixedMs ?? durationMs * SHARE);
    this.#until = -1;
    if (this.#skip > 0) this.#skip--;
    else this.#until = now + Math.min(this.#fixedMs, MAX_WAIT_MS);
    this.#wanted = requests + waiting;
    this.#isInVain = false;
    this.#endedAt = this.#since = now;
    this.#waiting = waiting;
  }

  /** Asked whenever a request has come. @param waiting requests that wait now */
  waitMs(now: number, waiting: number): number {
    if (waiting !== this.#waiting) {
      this.#waiting = waiting;
      this.#since = now;
    }
    if (waiting >= this.#wanted) return 0;
    const share = (now - this.#endedAt + this.#fixedMs) / waiting;
    const waitMs = Math.max(0, Math.min(this.#until, this.#since + Math.max(GAP_MS, share)) - now);
    this.#isInVain = waitMs === 0 && this.#until >= 0;
    return waitMs;
  }

  /** The next run starts. */
  runStarts(): void {
    if (this.#isInVain) this.#skip = SKIPPED;
    this.#isInVain = false;
    this.#until = -1;
  }
}
