import type { InputStream } from '../input-stream.ts';
import { isRangeTimestamp, nextTimestamp, Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

export interface FixedSizeOptions {
  /** An input that holds this many packets is cut … */
  readonly triggerQueueSize: number;
  /** … to its newest so many. */
  readonly targetQueueSize: number;
  /** Cut only when every input has reached the trigger. */
  readonly fixedMinSize: boolean;
}

/** Default, but old packets are dropped when an input grows, and an input set is chosen as late as possible. */
export class FixedSizePolicy implements InputPolicy {
  readonly isLate = true;
  readonly #inputs: readonly InputStream[];
  readonly #set: SyncSet;
  readonly #options: FixedSizeOptions;
  #isPromised = false;
  #kept: bigint = Timestamp.Unset;

  constructor(inputs: readonly InputStream[], processBounds: boolean, options: FixedSizeOptions) {
    this.#inputs = inputs;
    this.#set = new SyncSet(inputs, processBounds);
    this.#options = options;
  }

  get timestamp(): bigint {
    return this.#set.timestamp;
  }

  readiness(): Readiness {
    if (this.#isPromised) return 'wait';
    this.#dropSurplus(false);
    const readiness = this.#set.readiness();
    this.#isPromised = readiness === 'process';
    return readiness;
  }

  onQueued(): void {
    if (!this.#isPromised) this.#dropSurplus(false);
  }

  fill(): bigint {
    this.#isPromised = false;
    this.#dropSurplus(true);
    let timestamp: bigint = Timestamp.Done;
    for (const input of this.#inputs) {
      const { bound } = input;
      const t = input.first?.timestamp ?? (isRangeTimestamp(bound) ? bound - 1n : bound);
      if (t < timestamp) timestamp = t;
    }
    this.#set.fill(timestamp);
    return timestamp;
  }

  #dropSurplus(keepOne: boolean): void {
    if (this.#options.fixedMinSize) this.#dropWhenAllReached();
    else this.#dropWhenAnyReached(keepOne);
  }

  #dropWhenAllReached(): void {
    const { triggerQueueSize, targetQueueSize } = this.#options;
    let first: bigint = Timestamp.Max;
    for (const input of this.#inputs) {
      if (input.size < triggerQueueSize) return;
      const t = input.latest(targetQueueSize)?.timestamp;
      if (t !== undefined && t < first) first = t;
    }
    for (const input of this.#inputs) input.dropBefore(first);
  }

  #dropWhenAnyReached(keepOne: boolean): void {
    const { triggerQueueSize, targetQueueSize } = this.#options;
    for (const input of this.#inputs) {
      const size = input.size >= triggerQueueSize ? targetQueueSize : triggerQueueSize - 1;
      if (input.size <= size) continue;
      const cut = input.latest(size + 1)?.timestamp;
      const kept = cut === undefined ? Timestamp.Unset : nextTimestamp(cut);
      if (kept > this.#kept) this.#kept = kept;
    }
    if (keepOne) {
      const last = this.#lastCommon();
      if (last < this.#kept) this.#kept = last;
    }
    for (const input of this.#inputs) input.dropBefore(this.#kept);
  }

  /** The newest time of which an input set can still be made. */
  #lastCommon(): bigint {
    let least: bigint = Timestamp.Done;
    for (const input of this.#inputs) {
      const newest = input.latest(1);
      const bound = newest === undefined ? input.bound : nextTimestamp(newest.timestamp);
      if (bound < least) least = bound;
    }
    return isRangeTimestamp(least) ? least - 1n : least;
  }
}
