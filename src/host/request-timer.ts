import type { ResponseTiming } from '../ipc/session.ts';

/** Times the responses to one request, from when it came in. */
export class RequestTimer {
  readonly #startedAt = performance.now();
  #lastUs: number | undefined;

  /** A response goes out now. */
  responded(): ResponseTiming {
    const previousUs = this.#lastUs;
    this.#lastUs = Math.round((performance.now() - this.#startedAt) * 1000);
    return { latencyUs: this.#lastUs, previousUs };
  }
}
