import { InferenceThread } from './inference-thread.ts';
import type { SessionOpener } from './ort.ts';
import { RunQueue } from './run-queue.ts';

/** A thread that runs models, one run at a time. */
export interface RunPlace {
  /** 0: the caller's, which a run blocks. */
  readonly thread: number;
  readonly queue: RunQueue;
  readonly opener: SessionOpener;
}

interface ThreadInUse {
  readonly place: RunPlace;
  readonly end: () => void;
  models: number;
  modelBytes: number;
}

/** The threads of a process that run models: the caller's, and inference threads while models are on them. */
export class RunPlaces {
  readonly #ownQueue = new RunQueue();
  readonly #threads = new Map<number, ThreadInUse>();

  /**
   * Where a model is to run: of the inference threads the one with the least models, by the size of their files.
   * @param own opens sessions on the caller's thread
   * @param count of inference threads, as of `ModelOptions.inferenceThreads`
   * @param modelBytes of its file
   * @returns `leave` is called once, when it is closed
   */
  enter(own: SessionOpener, count: number, modelBytes: number): { place: RunPlace; leave: () => void } {
    if (count === 0) return { place: { thread: 0, queue: this.#ownQueue, opener: own }, leave: () => {} };
    const numbers = Array.from({ length: count }, (_, at) => at + 1);
    const load = (thread: number): number => this.#threads.get(thread)?.modelBytes ?? 0;
    const thread = numbers.reduce((least, each) => (load(each) < load(least) ? each : least));
    const inUse = this.#threads.get(thread) ?? this.#start(thread);
    inUse.models++;
    inUse.modelBytes += modelBytes;
    return { place: inUse.place, leave: () => this.#leave(inUse, modelBytes) };
  }

  #start(thread: number): ThreadInUse {
    const opener = new InferenceThread();
    const place = { thread, queue: new RunQueue(), opener };
    const inUse = { place, end: () => opener.end(), models: 0, modelBytes: 0 };
    this.#threads.set(thread, inUse);
    return inUse;
  }

  #leave(inUse: ThreadInUse, modelBytes: number): void {
    inUse.modelBytes -= modelBytes;
    if (--inUse.models > 0) return;
    this.#threads.delete(inUse.place.thread);
    inUse.end();
  }
}
