import type { InputStream } from '../input-stream.ts';
import { Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

/** Several sets of inputs, each by itself as Default; the ready set with the smallest time goes first. */
export class SyncSetPolicy implements InputPolicy {
  readonly #sets: readonly SyncSet[];
  #ready = -1;
  #timestamp: bigint = Timestamp.Unset;

  /** `groups`: positions of inputs; each input in exactly one group. */
  constructor(inputs: readonly InputStream[], processBounds: boolean, groups: readonly (readonly number[])[]) {
    this.#sets = groups.map(
      (group) =>
        new SyncSet(
          group.map((at) => inputs[at]).filter((input) => input !== undefined),
          processBounds,
        ),
    );
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    let bound: bigint = Timestamp.Done;
    let earliest: bigint = Timestamp.Done;
    this.#ready = -1;
    let processed: bigint = Timestamp.Unset;
    this.#sets.forEach((set, at) => {
      const before = set.lastProcessed;
      const readiness = set.readiness();
      if (set.timestamp < bound) bound = set.timestamp;
      if (readiness !== 'process') return;
      if (set.timestamp < earliest) {
        this.#ready = at;
        earliest = set.timestamp;
        processed = set.lastProcessed;
      }
      set.lastProcessed = before; // only the chosen set is processed now; the others are asked again
    });
    const chosen = this.#sets[this.#ready];
    if (chosen !== undefined) {
      chosen.lastProcessed = processed;
      this.#timestamp = earliest;
      return 'process';
    }
    this.#timestamp = bound;
    return bound >= Timestamp.OneOverPostStream ? 'close' : 'wait';
  }

  fill(timestamp: bigint): bigint {
    this.#sets.forEach((set, at) => {
      if (at === this.#ready) set.fill(timestamp);
      else set.fillSettled();
    });
    return timestamp;
  }
}
