import { MillraceError } from '../../base/errors.ts';
import { isRangeTimestamp, nextTimestamp, Timestamp, timestampName } from '../../graph/index.ts';
import type { Parameters } from '../../tensor/parameters.ts';

/** Request and response parameter with a packet's timestamp, int64 (OVMS sheet §1.4). */
export const TIMESTAMP_PARAMETER = 'OVMS_MP_TIMESTAMP';

export type AutomaticTimestamps = 'request' | 'wall_clock' | { readonly stepUs: number };

/**
 * Gives each request of a session its timestamp: the one it brings, else the automatic one. `request` counts from 0; after
 * a manual timestamp the next automatic one is that + 1. `wall_clock` is µs since the epoch, strictly increasing.
 */
export class SessionClock {
  readonly #automatic: AutomaticTimestamps;
  readonly #nowUs: () => bigint;
  #next: bigint = 0n;

  constructor(automatic: AutomaticTimestamps, nowUs: () => bigint = wallClockUs) {
    this.#automatic = automatic;
    this.#nowUs = nowUs;
    if (automatic === 'wall_clock') this.#next = Timestamp.Min;
  }

  /**
   * The timestamp that a request with these parameters has. The clock does not move until `take`.
   * @throws MillraceError INVALID_TIMESTAMP with OVMS's texts
   */
  timestampOf(parameters: Parameters | undefined): bigint {
    const given = parameters?.[TIMESTAMP_PARAMETER];
    if (given === undefined) return this.#automaticTimestamp();
    if (typeof given !== 'bigint') {
      throw malformed(`Invalid timestamp format in request parameter ${TIMESTAMP_PARAMETER}. Should be int64`);
    }
    return checked(given);
  }

  /** A request at `timestamp` was taken. */
  take(timestamp: bigint): void {
    const step = typeof this.#automatic === 'object' ? BigInt(this.#automatic.stepUs) : 1n;
    this.#next = step === 1n ? nextTimestamp(timestamp) : timestamp + step;
  }

  #automaticTimestamp(): bigint {
    if (this.#automatic !== 'wall_clock') return checked(this.#next);
    const now = this.#nowUs();
    return checked(now > this.#next ? now : this.#next);
  }
}

function checked(timestamp: bigint): bigint {
  if (isRangeTimestamp(timestamp)) return timestamp;
  throw malformed(timestampName(timestamp));
}

function malformed(details: string): MillraceError {
  return new MillraceError('INVALID_TIMESTAMP', `Malformed packet timestamp - ${details}`, {
    details: { parameter: TIMESTAMP_PARAMETER },
  });
}

function wallClockUs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));
}
