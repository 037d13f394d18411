import type { MillraceError } from '../base/errors.ts';
import type { HostSession, SessionOutput } from '../ipc/host-handler.ts';
import type { ResponseTiming, SessionPort, SessionSink } from '../ipc/session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** The front between an ensemble's host and the host of a step that answers more than once: it passes on, and counts nothing. */
export class StepSession implements HostSession, SessionSink {
  readonly #output: SessionOutput;
  readonly #port: SessionPort;
  readonly #onDone: () => void;
  #request: InferenceRequest | undefined;

  /** @param onDone it has ended well */
  constructor(output: SessionOutput, open: (sink: SessionSink) => SessionPort, onDone: () => void) {
    this.#output = output;
    this.#onDone = onDone;
    this.#port = open(this);
  }

  push(request: InferenceRequest): void {
    this.#request = request;
    this.#port.push(request);
    this.#output.taken(request);
  }

  halfClose(): void {
    this.#port.halfClose();
  }

  abort(error: MillraceError): void {
    this.#port.abort(error);
  }

  onRoom(): void {
    this.#port.resume();
  }

  onResponse(response: InferenceResponse, timing: ResponseTiming | undefined): void {
    this.#output.respond(response, timing);
    if (this.#output.isFull) this.#port.pause();
  }

  onRequestError(_requestId: string, error: MillraceError): void {
    if (this.#request !== undefined) this.#output.refuse(this.#request, error);
  }

  onDrain(): void {}

  /** What came before is told first. */
  onEnd(error: MillraceError | undefined): void {
    if (error === undefined) this.#onDone();
    this.#output.end(error, true);
  }
}
