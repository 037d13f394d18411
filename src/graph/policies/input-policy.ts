import type { InputStream } from '../input-stream.ts';

export type Readiness = 'process' | 'close' | 'wait';

/**
 * When a node runs and with which packets; one object per node and run, over the node's input streams in collection order.
 * The engine asks `readiness` after each visible change of an input, never while the node runs.
 */
export interface InputPolicy {
  /** After `readiness`: the time to process, or when waiting the smallest head or bound of the inputs. */
  readonly timestamp: bigint;
  /** A late policy chooses its packets when the node begins to run, not when it becomes ready. */
  readonly isLate?: boolean;
  /** Packets need not be in order of time. */
  readonly isUntimed?: boolean;
  readiness(): Readiness;
  /** Moves the packets of `timestamp` from the queues into the ports. Returns the input timestamp. */
  fill(timestamp: bigint): bigint;
  /** Fills the next input set that was promised together with the last one; nothing when there is none. */
  fillNext?(): bigint | undefined;
  /** A packet was queued at some input. */
  onQueued?(): void;
}

/** Made at validation, which is when options of the policy are checked. */
export type InputPolicyFactory = (inputs: readonly InputStream[]) => InputPolicy;
