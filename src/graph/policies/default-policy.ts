import type { InputStream } from '../input-stream.ts';
import type { InputPolicy, Readiness } from './input-policy.ts';
import { SyncSet } from './sync-set.ts';

/** All packets of one timestamp together, once that timestamp is settled on every input. */
export class DefaultPolicy implements InputPolicy {
  readonly #set: SyncSet;

  constructor(inputs: readonly InputStream[], processBounds: boolean) {
    this.#set = new SyncSet(inputs, processBounds);
  }

  get timestamp(): bigint {
    return this.#set.timestamp;
  }

  readiness(): Readiness {
    return this.#set.readiness();
  }

  fill(timestamp: bigint): bigint {
    this.#set.fill(timestamp);
    return timestamp;
  }
}
