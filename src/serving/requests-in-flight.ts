import { MillraceError } from '../base/errors.ts';
import { costOf } from '../ipc/codec.ts';
import type { InferenceRequest } from '../tensor/inference.ts';

interface Limits {
  readonly maxRequestsInFlight: number;
  readonly maxBytesInFlight: number;
}

/** The unary requests that are being served, and how many there may be. */
export class RequestsInFlight {
  readonly #limits: Limits;
  #count = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * A single request is taken however big it is.
   * @param onRefused called before it throws
   * @returns what to release when it has ended
   * @throws MillraceError LIMIT_REACHED
   */
  admit(request: InferenceRequest, onRefused?: () => void): number {
    const { maxRequestsInFlight, maxBytesInFlight } = this.#limits;
    const bytes = costOf(request.inputs);
    if (this.#count >= maxRequestsInFlight) {
      onRefused?.();
      throw new MillraceError(
        'LIMIT_REACHED',
        `${maxRequestsInFlight} requests are in flight, which is the limit (max_requests_in_flight)`,
      );
    }
    if (this.#count > 0 && this.#bytes + bytes > maxBytesInFlight) {
      onRefused?.();
      throw new MillraceError(
        'LIMIT_REACHED',
        `${this.#bytes} bytes are in flight, ${bytes} more would pass the limit of ${maxBytesInFlight} (max_bytes_in_flight)`,
      );
    }
    this.#count++;
    this.#bytes += bytes;
    return bytes;
  }

  release(bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
  }
}
