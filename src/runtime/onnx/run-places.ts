import { InferenceThread } from './inference-thread.ts';
import type { SessionOpener } from './ort.ts';
import { RunQueue } from './run-queue.ts';

/** A thread that runs models, one run at a time. */
export interface RunPlace {
  /** 0: the caller's. */
  readonly thread: number;
  readonly queue: RunQueue;
  /** undefined: the addon itself. */
  readonly opener: SessionOpener | undefined;
}

/** The threads of a process that run models: the caller's, and inference threads as far as models need them. */
export class RunPlaces {
  readonly #own: RunPlace = { thread: 0, queue: new RunQueue(), opener: undefined };
  readonly #threads: { readonly place: RunPlace; modelBytes: number }[] = [];

  /**
   * Where a model is to run: of the inference threads the one with the least models, by the size of their files.
   * @param count of inference threads, as of `ModelOptions.inferenceThreads`
   * @param modelBytes of its file
   * @returns `leave` is called once, when it is closed
   */
  enter(count: number, modelBytes: number): { place: RunPlace; leave: () => void } {
    while (this.#threads.length < count) {
      const place = { thread: this.#threads.length + 1, queue: new RunQueue(), opener: new InferenceThread() };
      this.#threads.push({ place, modelBytes: 0 });
    }
    const [least] = this.#threads.slice(0, count).toSorted((a, b) => a.modelBytes - b.modelBytes);
    if (least === undefined) return { place: this.#own, leave: () => {} };
    least.modelBytes += modelBytes;
    return { place: least.place, leave: () => void (least.modelBytes -= modelBytes) };
  }
}
