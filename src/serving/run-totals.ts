import type { RunTiming } from '../ipc/run-timing.ts';
import type { BatchStatistics, Duration } from './data-plane.ts';

/** Sizes of batches that are told apart; a model has few. */
const MAX_SIZES = 1024;

/** Events and the time that they took. */
export class Total {
  count = 0;
  ns = 0;

  add(ns: number, count = 1): void {
    this.count += count;
    this.ns += ns;
  }

  toJSON(): Duration {
    return { count: this.count, ns: this.ns };
  }
}

interface BatchTotals {
  readonly computeInput: Total;
  readonly computeInfer: Total;
  readonly computeOutput: Total;
}

/**
 * What a servable's executions took, as KServe's `ModelStatistics` has it: by request, each of which has the whole time of
 * its batch, and by size of the batch, where an execution counts once.
 */
export class RunTotals {
  readonly queue = new Total();
  readonly computeInput = new Total();
  readonly computeInfer = new Total();
  readonly computeOutput = new Total();
  inferences = 0;
  executions = 0;
  readonly #batches = new Map<number, BatchTotals>();

  /** A model ran. */
  ran({ batchSize, requests, queueNs, inputNs, inferNs, outputNs }: RunTiming): void {
    this.inferences += batchSize;
    this.executions++;
    this.queue.add(queueNs, requests);
    this.computeInput.add(inputNs * requests, requests);
    this.computeInfer.add(inferNs * requests, requests);
    this.computeOutput.add(outputNs * requests, requests);
    const batch = this.#batchOf(batchSize);
    batch?.computeInput.add(inputNs);
    batch?.computeInfer.add(inferNs);
    batch?.computeOutput.add(outputNs);
  }

  /** Requests to what has no parts to be timed; clients such as perf_analyzer look at the counts all the same. */
  ranWhole(ns: number, requests: number): void {
    this.inferences += requests;
    this.executions += requests;
    this.queue.add(0, requests);
    this.computeInput.add(0, requests);
    this.computeInfer.add(ns, requests);
    this.computeOutput.add(0, requests);
  }

  /** The smallest first. */
  batches(): BatchStatistics[] {
    const sizes = [...this.#batches].sort(([a], [b]) => a - b);
    return sizes.map(([batchSize, { computeInput, computeInfer, computeOutput }]) => ({
      batchSize,
      computeInput: computeInput.toJSON(),
      computeInfer: computeInfer.toJSON(),
      computeOutput: computeOutput.toJSON(),
    }));
  }

  #batchOf(size: number): BatchTotals | undefined {
    let batch = this.#batches.get(size);
    if (batch === undefined && this.#batches.size < MAX_SIZES) {
      batch = { computeInput: new Total(), computeInfer: new Total(), computeOutput: new Total() };
      this.#batches.set(size, batch);
    }
    return batch;
  }
}
