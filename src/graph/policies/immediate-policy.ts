import type { InputStream } from '../input-stream.ts';
import { Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

/**
 * Each input by itself: a packet on any of them makes the node ready at that packet's time, the smallest first. Without
 * processing of bounds the node also runs once when an input becomes done; with it, once per input at `Max`.
 */
export class ImmediatePolicy implements InputPolicy {
  readonly #sets: readonly SyncSet[];
  /** Per set: the time at which it is ready, else `Unset`. */
  readonly #ready: bigint[];
  readonly #processBounds: boolean;
  #timestamp: bigint = Timestamp.Unset;

  constructor(inputs: readonly InputStream[], processBounds: boolean) {
    this.#sets = inputs.map((input) => new SyncSet([input], processBounds));
    this.#ready = inputs.map(() => Timestamp.Unset);
    this.#processBounds = processBounds;
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    let earliest: bigint = Timestamp.Done;
    let bound: bigint = Timestamp.Done;
    let becameDone = false;
    this.#sets.forEach((set, at) => {
      let ready = this.#ready[at] ?? Timestamp.Unset;
      if (ready === Timestamp.Unset) {
        const before = set.lastProcessed;
        const readiness = set.readiness();
        if (readiness === 'process') ready = set.timestamp;
        else if (readiness === 'close' && this.#processBounds && before < Timestamp.Max) {
          ready = Timestamp.Max;
          set.lastProcessed = Timestamp.Max;
        } else if (readiness === 'close' && !this.#processBounds && before < Timestamp.Done) becameDone = true;
        this.#ready[at] = ready;
        if (ready === Timestamp.Unset && readiness === 'wait' && set.timestamp < bound) bound = set.timestamp;
      }
      if (ready === Timestamp.Unset) return;
      if (ready < earliest) earliest = ready;
      if (ready < bound) bound = ready;
    });
    this.#timestamp = earliest < Timestamp.Done ? earliest : bound;
    if (bound === Timestamp.Done) return 'close';
    if (earliest < Timestamp.Done || becameDone) return 'process';
    return 'wait';
  }

  fill(timestamp: bigint): bigint {
    this.#sets.forEach((set, at) => {
      if (this.#ready[at] !== timestamp) return set.fillSettled();
      set.fill(timestamp);
      this.#ready[at] = Timestamp.Unset;
    });
    return timestamp;
  }
}
