import type { InputStream } from '../input-stream.ts';
import { Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';

/** One packet of each input, whatever their times; closes when any input is done. */
export class BarrierPolicy implements InputPolicy {
  readonly isUntimed = true;
  readonly #inputs: readonly InputStream[];
  #timestamp: bigint = Timestamp.Unset;

  constructor(inputs: readonly InputStream[]) {
    this.#inputs = inputs;
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    let least: bigint = Timestamp.Done;
    let isComplete = true;
    for (const input of this.#inputs) {
      const { first } = input;
      if (first === undefined) {
        if (input.bound >= Timestamp.OneOverPostStream) return 'close';
        isComplete = false;
      }
      const t = first === undefined ? input.bound : first.timestamp;
      if (t < least) least = t;
    }
    this.#timestamp = least;
    return isComplete ? 'process' : 'wait';
  }

  fill(timestamp: bigint): bigint {
    for (const input of this.#inputs) input.popFirst();
    return timestamp;
  }
}
