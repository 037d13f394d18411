import type { InputStream } from '../input-stream.ts';
import { GraphError } from '../graph-error.ts';
import { Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';

/**
 * The last input holds a number k: the node runs at its time with it and with data input k, once that is settled there.
 * Older packets of all data inputs are dropped.
 */
export class MuxPolicy implements InputPolicy {
  readonly #data: readonly InputStream[];
  readonly #select: InputStream;
  #timestamp: bigint = Timestamp.Unset;

  constructor(inputs: readonly InputStream[]) {
    const select = inputs.at(-1);
    if (select === undefined) throw new GraphError('INTERNAL', 'the Mux input policy needs an input');
    this.#select = select;
    this.#data = inputs.slice(0, -1);
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    const control = this.#select.first;
    if (control === undefined) {
      this.#timestamp = this.#select.bound;
      if (this.#select.bound >= Timestamp.OneOverPostStream) return 'close';
      for (const input of this.#data) input.eraseBefore(this.#timestamp);
      return 'wait';
    }
    for (const input of this.#data) input.eraseBefore(control.timestamp);
    this.#timestamp = control.timestamp;
    const chosen = this.#chosen(control.value);
    if (chosen.first === undefined && chosen.bound <= control.timestamp) {
      this.#timestamp = chosen.bound;
      return 'wait';
    }
    return 'process';
  }

  fill(timestamp: bigint): bigint {
    const chosen = this.#chosen(this.#select.first?.value);
    this.#select.popAt(timestamp);
    for (const input of this.#data) {
      if (input === chosen) input.popAt(timestamp);
      else {
        input.eraseBefore(timestamp + 1n);
        input.showSettled();
      }
    }
    return timestamp;
  }

  #chosen(value: unknown): InputStream {
    const chosen = this.#data[Number(value)];
    if (chosen !== undefined) return chosen;
    throw new GraphError(
      'INVALID_ARGUMENT',
      `stream "${this.#select.name}" selects input ${String(value)}, but there are ${this.#data.length}`,
    );
  }
}
