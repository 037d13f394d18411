import type { InputStream } from '../input-stream.ts';
import { Timestamp } from '../timestamp.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

/** Default, but the node closes as soon as any input is done. */
export class EarlyClosePolicy implements InputPolicy {
  readonly #inputs: readonly InputStream[];
  readonly #set: SyncSet;

  constructor(inputs: readonly InputStream[], processBounds: boolean) {
    this.#inputs = inputs;
    this.#set = new SyncSet(inputs, processBounds);
  }

  get timestamp(): bigint {
    return this.#set.timestamp;
  }

  readiness(): Readiness {
    if (this.#inputs.some((input) => input.headOrBound >= Timestamp.OneOverPostStream)) return 'close';
    return this.#set.readiness();
  }

  fill(timestamp: bigint): bigint {
    this.#set.fill(timestamp);
    return timestamp;
  }
}
