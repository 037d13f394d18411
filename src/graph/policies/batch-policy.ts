import type { InputStream } from '../input-stream.ts';
import type { Packet } from '../packet.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

interface InputSet {
  readonly timestamp: bigint;
  readonly packets: readonly (Packet | undefined)[];
}

/** Default with `batch_size`: input sets are collected and run in one go when there are enough, or at the end. */
export class BatchPolicy implements InputPolicy {
  readonly #inputs: readonly InputStream[];
  readonly #set: SyncSet;
  readonly #size: number;
  #batch: InputSet[] = [];
  #timestamp = 0n;

  constructor(inputs: readonly InputStream[], processBounds: boolean, size: number) {
    this.#inputs = inputs;
    this.#set = new SyncSet(inputs, processBounds);
    this.#size = size;
  }

  get timestamp(): bigint {
    return this.#timestamp;
  }

  readiness(): Readiness {
    while (this.#batch.length < this.#size) {
      const readiness = this.#set.readiness();
      this.#timestamp = this.#set.timestamp;
      if (readiness !== 'process') {
        const [first] = this.#batch;
        if (first === undefined) return readiness;
        // An incomplete batch: only its first timestamp is passed on, and it is flushed at the end.
        this.#timestamp = first.timestamp;
        return readiness === 'close' ? 'process' : 'wait';
      }
      this.#set.fill(this.#timestamp);
      this.#batch.push({ timestamp: this.#timestamp, packets: this.#inputs.map((input) => input.packet) });
    }
    this.#timestamp = this.#batch[0]?.timestamp ?? this.#timestamp;
    return 'process';
  }

  fill(timestamp: bigint): bigint {
    return this.fillNext() ?? timestamp;
  }

  fillNext(): bigint | undefined {
    const set = this.#batch.shift();
    if (set === undefined) return undefined;
    this.#inputs.forEach((input, at) => {
      const packet = set.packets[at];
      if (packet === undefined) input.showSettled();
      else input.show(packet);
    });
    return set.timestamp;
  }
}
