import type { BatchingOptions } from '../runtime/batching/batching-options.ts';

export type { QueuePolicy } from '../runtime/batching/batching-options.ts';
export type { SequenceControl, SequenceOptions as SequenceBatching } from '../runtime/sequences/sequence-options.ts';

/** Triton's `dynamic_batching`: requests of several clients run as one. */
export interface DynamicBatching extends BatchingOptions {
  /** Rows in one batch; undefined: the `maxBatchSize` of the model's signature. */
  readonly maxBatchSize?: number | undefined;
}

/** What clients may ask of one model, whatever it could do. 0: no limit. */
export interface RequestLimit {
  /** As many may come at once after a second without any. */
  readonly maxPerSecond: number;
  /** Under way at once. */
  readonly maxAtOnce: number;
}
