import { NewestQueue } from '../media/sinks/results/newest-queue.ts';
import { MAX_WAITING_BYTES, resultBytes } from '../media/sinks/results/result-size.ts';
import type { FrameResult } from '../media/sinks/results/result-record.ts';

/** The results of one batch: one for each source that had a frame, in their order. */
export interface ResultBatch {
  readonly sequence: number;
  readonly results: readonly FrameResult[];
}

/** The last results, until they are taken; the oldest goes when it is full, by number or bytes, and is counted. */
export class ResultRing {
  readonly #batches: NewestQueue<ResultBatch>;
  #lost = 0;
  #taken = 0;

  constructor(size: number) {
    this.#batches = new NewestQueue(size, MAX_WAITING_BYTES);
  }

  get counts(): { readonly waiting: number; readonly lost: number; readonly taken: number } {
    return { waiting: this.#batches.length, lost: this.#lost, taken: this.#taken };
  }

  put(batch: ResultBatch): void {
    const bytes = batch.results.reduce((sum, result) => sum + resultBytes(result), 0);
    this.#lost += this.#batches.put(batch, bytes);
  }

  /** The oldest. */
  take(): ResultBatch | undefined {
    const batch = this.#batches.take();
    if (batch !== undefined) this.#taken++;
    return batch;
  }
}
