import type { MillraceError } from './errors.ts';

type Listener = (error: MillraceError) => void;

/**
 * Why a call should stop: client gone, deadline, shutdown. Lighter than an `AbortController` (one per request on the hot
 * path); `signal` makes a real `AbortSignal` for users' code only when somebody asks for it.
 */
export class Cancellation {
  #error: MillraceError | undefined;
  #listeners: Listener[] = [];
  #controller: AbortController | undefined;

  /** Set once cancelled. */
  get error(): MillraceError | undefined {
    return this.#error;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#error !== undefined) this.#controller.abort(this.#error);
    }
    return this.#controller.signal;
  }

  /** Calls `listener` once when cancelled, at once if that has happened. Returns how to take it back. */
  onCancel(listener: Listener): () => void {
    if (this.#error !== undefined) {
      listener(this.#error);
      return () => {};
    }
    this.#listeners.push(listener);
    return () => {
      const at = this.#listeners.indexOf(listener);
      if (at >= 0) this.#listeners.splice(at, 1);
    };
  }

  /** Later calls do nothing. */
  cancel(error: MillraceError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(error);
    this.#controller?.abort(error);
  }
}
