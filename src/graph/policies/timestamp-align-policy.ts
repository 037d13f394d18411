import type { InputStream } from '../input-stream.ts';
import { addToTimestamp, isRangeTimestamp, Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';

/**
 * Inputs with clocks of their own: until every input has had a packet only the base input is passed on; then as Default,
 * the others shifted by (first base time − their first time) and restamped to the base's time.
 */
export class TimestampAlignPolicy implements InputPolicy {
  readonly #inputs: readonly InputStream[];
  readonly #base: InputStream;
  #offsets: readonly bigint[] | undefined;
  #timestamp: bigint = Timestamp.Unset;

  constructor(inputs: readonly InputStream[], base: InputStream) {
    this.#inputs = inputs;
    this.#base = base;
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    if (this.#offsets === undefined && this.#inputs.every(({ first }) => first !== undefined)) {
      const start = this.#base.headOrBound;
      this.#offsets = this.#inputs.map((input) => start - input.headOrBound);
    }
    if (this.#offsets === undefined) {
      this.#timestamp = this.#base.headOrBound;
      if (this.#base.first !== undefined) return 'process';
      return this.#timestamp >= Timestamp.OneOverPostStream ? 'close' : 'wait';
    }
    let head: bigint = Timestamp.Done;
    let bound: bigint = Timestamp.Done;
    this.#inputs.forEach((input, at) => {
      const t = shift(input.headOrBound, this.#offsets?.[at] ?? 0n);
      if (input.first === undefined) bound = t < bound ? t : bound;
      else head = t < head ? t : head;
    });
    this.#timestamp = head < bound ? head : bound;
    if (this.#timestamp >= Timestamp.OneOverPostStream) return 'close';
    return head < bound ? 'process' : 'wait';
  }

  fill(timestamp: bigint): bigint {
    this.#inputs.forEach((input, at) => {
      if (input === this.#base) return input.popAt(timestamp);
      if (this.#offsets === undefined) {
        input.showSettled();
        return;
      }
      input.popAt(shift(timestamp, -(this.#offsets[at] ?? 0n)));
      if (input.packet !== undefined) input.show({ value: input.packet.value, timestamp });
    });
    return timestamp;
  }
}

function shift(t: bigint, offset: bigint): bigint {
  return isRangeTimestamp(t) ? addToTimestamp(t, offset) : t;
}
