import { Cancellation } from '../../base/cancellation.ts';
import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { HostSession, SessionOutput } from '../../ipc/host-handler.ts';
import type { RuntimeResponse } from '../../runtime/script/define-runtime.ts';
import type { Headers, InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { CallClock } from './call-clock.ts';
import { RequestQueue } from './request-queue.ts';
import type { Turns } from './turns.ts';

/** How long the code of a stream that has ended may take over its `finally` before the log names it. */
export const GRACE_MS = 10_000;

/** What a stream needs of its runtime. */
export interface StreamRuntime {
  readonly name: string;
  readonly logger: Logger;
  readonly turns: Turns;
  /** Longest call without a response; 0: no limit. */
  readonly callDeadlineMs: number;
  /** Whether a request may have any number of responses. */
  readonly isDecoupled: boolean;
  /** Calls the user's code. */
  start(
    requests: AsyncIterable<InferenceRequest>,
    cancellation: Cancellation,
    headers: Headers | undefined,
  ): AsyncIterator<RuntimeResponse>;
  /** @throws MillraceError where the runtime does not take it */
  check(request: InferenceRequest): void;
  /** @throws MillraceError where the answer, which is the user's code's, cannot be sent */
  response(request: InferenceRequest | undefined, answer: RuntimeResponse): InferenceResponse;
  failure(error: unknown): MillraceError;
}

/**
 * One call of `predictStream`. Its generator is asked for the next response only when the client can take it. When the
 * client leaves, the call's signal is aborted and the generator returned at once, so that its `finally` runs.
 */
export class RuntimeStream implements HostSession {
  readonly #runtime: StreamRuntime;
  readonly #output: SessionOutput;
  readonly #requests: RequestQueue;
  readonly #cancellation = new Cancellation();
  readonly #clock: CallClock;
  #iterator: AsyncIterator<RuntimeResponse> | undefined;
  #onRoom: (() => void) | undefined;
  #grace: NodeJS.Timeout | undefined;
  #settle!: () => void;
  /** Resolves when its code has ended, or has had its grace. */
  readonly ended = new Promise<void>((resolve) => (this.#settle = resolve));

  /** @param headers of the stream's first request */
  constructor(runtime: StreamRuntime, headers: Headers | undefined, output: SessionOutput) {
    this.#runtime = runtime;
    this.#output = output;
    const { callDeadlineMs, name } = runtime;
    this.#clock = new CallClock(callDeadlineMs, () => {
      const text = `runtime '${name}' gave no response within ${callDeadlineMs} ms (call_deadline_ms)`;
      const error = new MillraceError('CALL_TIMED_OUT', text, { details: { servable: name, limit: callDeadlineMs } });
      output.end(error);
      this.abort(error);
    });
    this.#requests = new RequestQueue({
      onTaken: (request) => output.taken(request),
      onFinished: (request) => this.#finish(request),
      onWaiting: (isWaiting) => (isWaiting ? this.#clock.stop() : this.#clock.start()),
    });
    void this.#run(headers).finally(() => {
      clearTimeout(this.#grace);
      this.#clock.close();
      this.#settle();
    });
  }

  push(request: InferenceRequest): void {
    try {
      this.#runtime.check(request);
    } catch (error) {
      this.#output.refuse(request, MillraceError.from(error));
      return;
    }
    this.#requests.push(request);
  }

  halfClose(): void {
    this.#requests.end();
  }

  abort(error: MillraceError): void {
    if (this.#cancellation.error !== undefined) return;
    this.#clock.close();
    this.#grace = setTimeout(() => this.#abandon(), GRACE_MS).unref();
    this.#cancellation.cancel(error);
    this.#requests.abort();
    // A generator that waits at its `yield` ends now; one that is running does when it comes to the next.
    this.#return();
    this.onRoom();
  }

  onRoom(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }

  async #run(headers: Headers | undefined): Promise<void> {
    try {
      this.#iterator = this.#runtime.start(this.#requests, this.#cancellation, headers);
      while (await this.#step(this.#iterator));
    } catch (error) {
      if (this.#cancellation.error === undefined) this.#output.end(this.#runtime.failure(error));
      else this.#logLate(error);
    }
  }

  /** @returns whether there is more to come */
  async #step(iterator: AsyncIterator<RuntimeResponse>): Promise<boolean> {
    if (this.#output.isFull) await new Promise<void>((resolve) => (this.#onRoom = resolve));
    for (let turn = this.#runtime.turns.spent(); turn !== undefined; turn = this.#runtime.turns.spent()) await turn;
    if (this.#cancellation.error !== undefined) return false;
    this.#clock.start();
    const step = await iterator.next();
    this.#clock.stop();
    if (this.#cancellation.error !== undefined) return false;
    if (step.done === true) {
      this.#output.end(undefined);
      return false;
    }
    const { last } = this.#requests;
    let response: InferenceResponse;
    try {
      response = this.#runtime.response(last?.request, step.value);
    } catch (error) {
      this.#return();
      throw error;
    }
    this.#output.respond(response, last?.timer.responded());
    return true;
  }

  #return(): void {
    // An iterator of somebody's own making may throw here, or give no promise.
    const returned = (async () => this.#iterator?.return?.())();
    returned.catch((error: unknown) => this.#logLate(error));
  }

  /** Triton's clients may ask to be told that a request has all its responses. */
  #finish(request: InferenceRequest): void {
    const isAsked = request.parameters?.['triton_enable_empty_final_response'] === true;
    if (!isAsked || !this.#runtime.isDecoupled || this.#cancellation.error !== undefined) return;
    const parameters = { triton_final_response: true };
    this.#output.respond(this.#runtime.response(request, { outputs: [], parameters }));
  }

  #abandon(): void {
    const { name, logger } = this.#runtime;
    const text = `a stream's code has not ended ${GRACE_MS / 1000} s after its client left: it awaits what does not heed context.signal`;
    logger.warn({ servable: name, why: this.#cancellation.error?.message }, text);
    this.#settle();
  }

  /** Nobody is left to hear of it. */
  #logLate(error: unknown): void {
    if (error === this.#cancellation.error || (error as Error | null)?.name === 'AbortError') return;
    this.#runtime.logger.debug({ error: messageOf(error) }, 'a stream failed after its client had left');
  }
}
