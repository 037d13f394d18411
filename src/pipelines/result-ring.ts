import type { FrameResult } from '../media/sinks/results/result-record.ts';

/** The results of one batch: one for each source that had a frame, in their order. */
export interface ResultBatch {
  readonly sequence: number;
  readonly results: readonly FrameResult[];
}

/** The last results, until they are taken; the oldest goes when it is full, and is counted. */
export class ResultRing {
  readonly #size: number;
  #batches: ResultBatch[] = [];
  #lost = 0;
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get counts(): { readonly waiting: number; readonly lost: number; readonly taken: number } {
    return { waiting: this.#batches.length, lost: this.#lost, taken: this.#taken };
  }

  put(batch: ResultBatch): void {
    this.#batches.push(batch);
    if (this.#batches.length <= this.#size) return;
    this.#batches.shift();
    this.#lost++;
  }

  /** The oldest. */
  take(): ResultBatch | undefined {
    const batch = this.#batches.shift();
    if (batch !== undefined) this.#taken++;
    return batch;
  }
}
