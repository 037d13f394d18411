/** One execution of a model, in whole nanoseconds (exact up to 2^53). */
export interface RunTiming {
  /** Inferences in it. */
  readonly batchSize: number;
  /** Waiting for the model. */
  readonly queueNs: number;
  readonly inputNs: number;
  readonly inferNs: number;
  readonly outputNs: number;
}

export const noTiming: RunTiming = { batchSize: 0, queueNs: 0, inputNs: 0, inferNs: 0, outputNs: 0 };
