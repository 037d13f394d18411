import type { InputStream } from '../input-stream.ts';
import { prevTimestamp, Timestamp } from '../timestamp.ts';
import type { Readiness } from './input-policy.ts';

/** Inputs whose packets of one timestamp belong together: the rule of the Default policy, of which others are made. */
export class SyncSet {
  readonly inputs: readonly InputStream[];
  /** See `InputPolicy.timestamp`. */
  timestamp: bigint = Timestamp.Unset;
  lastProcessed: bigint = Timestamp.Unset;
  readonly #processBounds: boolean;

  constructor(inputs: readonly InputStream[], processBounds: boolean) {
    this.inputs = inputs;
    this.#processBounds = processBounds;
  }

  readiness(): Readiness {
    let head: bigint = Timestamp.Done;
    let bound: bigint = Timestamp.Done;
    for (const input of this.inputs) {
      const { first } = input;
      if (first === undefined) {
        if (input.bound < bound) bound = input.bound;
      } else if (first.timestamp < head) head = first.timestamp;
    }
    const least = head < bound ? head : bound;
    this.timestamp = least;
    if (least >= Timestamp.OneOverPostStream) {
      this.lastProcessed = Timestamp.Done;
      return 'close';
    }
    if (!this.#processBounds) {
      if (head >= bound) return 'wait';
      this.lastProcessed = head;
      return 'process';
    }
    return this.#settledReadiness(head, bound);
  }

  fill(timestamp: bigint): void {
    for (const input of this.inputs) input.popAt(timestamp);
  }

  fillSettled(): void {
    for (const input of this.inputs) input.showSettled();
  }

  /** With processing of bounds: any time that is settled and not yet processed will do. */
  #settledReadiness(head: bigint, bound: bigint): Readiness {
    const settled = head === Timestamp.PostStream && bound > head ? head : prevTimestamp(bound);
    const t = head < settled ? head : settled;
    if (t <= this.lastProcessed || t <= Timestamp.Unstarted) return 'wait';
    this.timestamp = t;
    this.lastProcessed = t;
    return 'process';
  }
}
