import { MillraceError } from '../../base/errors.ts';
import type { SessionSink } from '../../serving/data-plane.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';

/** Waits for the one response of a session; none, or a second one, fails. */
export class SingleResponse implements SessionSink {
  readonly response: Promise<InferenceResponse>;
  readonly #resolve: (response: InferenceResponse) => void;
  readonly #reject: (error: MillraceError) => void;
  #first: InferenceResponse | undefined;

  constructor() {
    let resolve: (response: InferenceResponse) => void = () => {};
    let reject: (error: MillraceError) => void = () => {};
    this.response = new Promise((onResponse, onError) => {
      resolve = onResponse;
      reject = onError;
    });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onResponse(response: InferenceResponse): void {
    if (this.#first !== undefined) this.#reject(notOne('more than 1 came'));
    this.#first ??= response;
  }

  onRequestError(_requestId: string, error: MillraceError): void {
    this.#reject(error);
  }

  onEnd(error: MillraceError | undefined): void {
    if (error !== undefined) this.#reject(error);
    else if (this.#first === undefined) this.#reject(notOne('none came'));
    else this.#resolve(this.#first);
  }

  onDrain(): void {}
}

function notOne(what: string): MillraceError {
  return new MillraceError(
    'NOT_ONE_RESPONSE',
    `generate expects model to produce exactly 1 response, use generate stream for model types that generate various number of responses (${what})`,
  );
}
