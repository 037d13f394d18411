import type { TensorSpec } from '../../tensor/tensor.ts';

/** A tensor that a request of a sequence gets beside its own: shape [1], behind the batch where there is one. */
export interface SequenceControl {
  readonly input: string;
  readonly kind: 'start' | 'ready' | 'end' | 'correlation_id';
  readonly datatype: TensorSpec['datatype'];
  /** Values for false and true; undefined for the correlation id. */
  readonly falseTrue: readonly [number, number] | undefined;
}

/** An output that is the input of the sequence's next request (Triton's implicit state). */
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

/** How requests of one correlation id go together (Triton's `sequence_batching`, KServe sheet §4). */
export interface SequenceOptions {
  /** A sequence without any request for so long has ended; 0: none does. Microseconds. */
  readonly maxIdleUs: number;
  readonly controls: readonly SequenceControl[];
  readonly strategy:
    | {
        readonly kind: 'direct';
        /** How long a run waits for more of the slots, where `minSlotUtilization` are not filled. Microseconds. */
        readonly maxQueueDelayUs: number;
        /** Part of the slots, 0 to 1. */
        readonly minSlotUtilization: number;
      }
    | {
        readonly kind: 'oldest';
        /** Sequences that are under way at once. */
        readonly maxCandidateSequences: number;
        readonly preferredSizes: readonly number[];
        readonly maxQueueDelayUs: number;
        readonly preservesOrder: boolean;
      };
  readonly states: readonly SequenceState[];
  /** Sequences that may wait for one to end; one more is refused. Undefined: {@link DEFAULT_BACKLOG}. */
  readonly maxBacklog?: number | undefined;
}

export const DEFAULT_BACKLOG = 4096;
