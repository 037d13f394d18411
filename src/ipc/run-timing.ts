/** One execution of a model; times in whole nanoseconds (exact up to 2^53). */
export interface RunTiming {
  /** Inferences in it: the rows of a batch. */
  readonly batchSize: number;
  /** Requests in it. */
  readonly requests: number;
  /** Waiting for the model, all requests together. */
  readonly queueNs: number;
  readonly inputNs: number;
  readonly inferNs: number;
  readonly outputNs: number;
}

export const noTiming: RunTiming = { batchSize: 0, requests: 0, queueNs: 0, inputNs: 0, inferNs: 0, outputNs: 0 };
