import { DEFAULT_TIMEOUT_MS, type CallOptions } from './request.ts';

/**
 * The abort of one call: by the caller's signal, by time, or by leaving. Not `AbortSignal.any`: in Node 20 one whose parts
 * are timeouts may be collected before they fire (nodejs/node#54614).
 */
export class CallLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #caller: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #abort = (): void => this.#controller.abort(this.#caller?.reason);
  #isLate = false;

  constructor({ signal, timeoutMs = DEFAULT_TIMEOUT_MS }: CallOptions) {
    this.#caller = signal;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
    if (timeoutMs === 0) return;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      this.#controller.abort();
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The time is over. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** Ends the call, should it still be under way. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#abort);
    this.#controller.abort();
  }
}
