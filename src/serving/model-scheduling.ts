import type { TensorSpec } from '../tensor/tensor.ts';

/** Triton's `ModelQueuePolicy` (KServe sheet §4): what becomes of requests that wait too long, or are too many. */
export interface QueuePolicy {
  /** `delay`: behind all others, and none is refused for its wait. */
  readonly onTimeout: 'reject' | 'delay';
  /** 0: none. Microseconds. */
  readonly defaultTimeoutUs: number;
  /** A request's `timeout` parameter may shorten the default. */
  readonly allowsTimeoutOverride: boolean;
  /** 0: no limit. Requests. */
  readonly maxQueueSize: number;
}

/** Triton's `dynamic_batching`: requests of several clients run as one. */
export interface DynamicBatching {
  /** Rows in one batch; undefined: the `maxBatchSize` of the model's signature. */
  readonly maxBatchSize?: number | undefined;
  /** Increasing; none: the largest batch that the model takes. */
  readonly preferredSizes: readonly number[];
  /** How long the oldest request waits for others. Microseconds. */
  readonly maxQueueDelayUs: number;
  readonly preservesOrder: boolean;
  /** 0: no priorities. Else 1 is served first. */
  readonly priorityLevels: number;
  readonly defaultPriorityLevel: number;
  readonly queuePolicy: QueuePolicy;
  /** Of priority levels that have their own, by level. */
  readonly priorityQueuePolicies: Readonly<Record<string, QueuePolicy>>;
}

/** A tensor that the server adds to each request of a sequence, shape [1] behind the batch. */
export interface SequenceControl {
  readonly input: string;
  readonly kind: 'start' | 'ready' | 'end' | 'correlation_id';
  readonly datatype: TensorSpec['datatype'];
  /** Values for false and true; undefined for the correlation id. */
  readonly falseTrue: readonly [number, number] | undefined;
}

/** An output that is fed back as an input of the sequence's next request. */
export interface SequenceState {
  readonly input: string;
  readonly output: string;
  /** Undefined: that of the model's input. */
  readonly datatype?: TensorSpec['datatype'] | undefined;
  /** Without the batch; −1 is any. Undefined: that of the model's input. */
  readonly shape?: readonly number[] | undefined;
  /** Of the first request. Without a shape: `shape`, its −1 as 1; without a file: zeros. The file's path is absolute. */
  readonly initial: { readonly shape: readonly number[] | undefined; readonly file: string | undefined } | undefined;
}

/** Triton's `sequence_batching`: requests of one correlation id go to one slot. */
export interface SequenceBatching {
  /** A sequence without any request for so long has ended; 0: none does. Microseconds. */
  readonly maxIdleUs: number;
  readonly controls: readonly SequenceControl[];
  readonly strategy:
    | { readonly kind: 'direct'; readonly maxQueueDelayUs: number; readonly minSlotUtilization: number }
    | {
        readonly kind: 'oldest';
        readonly maxCandidateSequences: number;
        readonly preferredSizes: readonly number[];
        readonly maxQueueDelayUs: number;
        readonly preservesOrder: boolean;
      };
  readonly states: readonly SequenceState[];
  /** Sequences that may wait for another one to end. Undefined: thousands. */
  readonly maxBacklog?: number | undefined;
}

/** What clients may ask of one model, whatever it could do. 0: no limit. */
export interface RequestLimit {
  /** As many may come at once after a second without any. */
  readonly maxPerSecond: number;
  /** Under way at once. */
  readonly maxAtOnce: number;
}
