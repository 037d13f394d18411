import type { RunTiming } from '../../ipc/run-timing.ts';
import type { RunMonitor } from '../model-session.ts';
import type { RunPlace } from './run-places.ts';

/**
 * A regular run on the caller's thread that takes longer than this is told of the next time; one of any kind on an inference thread,
 * which keeps nobody from hearing of it, while it is under way.
 */
const BRIEF_MS = 100;
/** Ends of brief regular runs are told of together, after so long: each would wake the front. */
const TOLD_MS = 250;

/** Tells a monitor of the runs of one model, which come one after another, as far as somebody must know. */
export class RunTeller {
  readonly #monitor: RunMonitor;
  readonly #place: RunPlace;
  readonly #deadlineMs: number;
  /** The run that is under way, and whether its end is to be told of at once. */
  #run: { readonly isRegular: boolean; isTold: boolean } | undefined;
  #becomesLong: NodeJS.Timeout | undefined;
  /** Of the last run that was told to be regular. */
  #regularMs = Infinity;
  /** Brief regular runs that nobody was told of. */
  #untold: RunTiming[] = [];
  #telling: NodeJS.Timeout | undefined;

  /** @param deadlineMs of each run; 0: none */
  constructor(monitor: RunMonitor, place: RunPlace, deadlineMs: number) {
    this.#monitor = monitor;
    this.#place = place;
    this.#deadlineMs = deadlineMs;
  }

  /** A run may start once this settles, or at once where nothing is returned. */
  begin(isRegular: boolean): Promise<void> | void {
    const { thread } = this.#place;
    const isBrief = isRegular && this.#deadlineMs === 0 && this.#regularMs < BRIEF_MS;
    const run = { isRegular, isTold: thread === 0 ? !isBrief : !isRegular };
    this.#run = run;
    if (thread === 0) return isBrief ? undefined : this.#monitor.runStarted(this.#deadlineMs, thread);
    this.#becomesLong = setTimeout(() => {
      // What was going on here meanwhile may have kept the end of the run from being heard of.
      setImmediate(() => {
        if (this.#run !== run) return;
        run.isTold = true;
        void this.#monitor.runStarted(this.#deadlineMs, thread);
      });
    }, this.#deadlineMs || BRIEF_MS);
  }

  end(timing: RunTiming): void {
    const run = this.#run;
    this.#run = undefined;
    clearTimeout(this.#becomesLong);
    if (run?.isRegular === true) this.#regularMs = timing.inferNs / 1e6;
    if (run?.isTold === false) this.#tellLater(timing);
    else this.#monitor.runEnded(timing, this.#place.thread);
  }

  /** Tells of what nobody was told of yet. */
  tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    for (const timing of this.#untold.splice(0)) this.#monitor.runEnded(timing, this.#place.thread);
  }

  /** In the queue, so that it is not taken for the end of another run, whose beginning was told of. */
  #tellLater(timing: RunTiming): void {
    this.#untold.push(timing);
    this.#telling ??= setTimeout(() => void this.#place.queue.run(async () => this.tell()), TOLD_MS).unref();
  }
}
