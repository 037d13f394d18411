import type { ClientDuplexStream, Metadata, ServiceError } from '@grpc/grpc-js';
import { decodeInferResponse, decodeStreamResponse } from '../protocol/wire/infer-codec.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import { messageOf } from './framing.ts';
import { InferenceError, statusName } from './inference-error.ts';
import type { ClientRequest } from './request.ts';

export type StreamDialect = 'triton' | 'mlserver';

/** One answer of a stream: a response, or why a request was refused. */
export type StreamAnswer =
  | { readonly response: InferenceResponse; readonly error?: undefined }
  | { readonly response?: undefined; readonly error: InferenceError };

/**
 * Not in the turn that made the call: grpc-js (1.14) would tell us that it has ended, start it all the same a moment later,
 * and leave it to the server for ever.
 */
export function cancelSoon(rpc: { cancel(): void }): void {
  setImmediate(() => rpc.cancel());
}

/**
 * One ModelStreamInfer call. Requests go out with {@link send}, answers come by iteration, independently of each other. A
 * slow reader slows the server down (HTTP/2 flow control), which then takes no more requests: do not wait for `send` and
 * for answers in turn unless the servable answers each request.
 */
export class InferStream implements AsyncIterable<StreamAnswer>, Disposable {
  readonly #rpc: ClientDuplexStream<Buffer, Buffer>;
  readonly #dialect: StreamDialect;
  readonly #signal: AbortSignal | undefined;
  /** The server's trailing metadata, once the stream has ended; never rejects. */
  readonly trailers: Promise<Metadata>;
  #hasEnded = false;
  /** Of those that wait for room. */
  #wakers: (() => void)[] = [];

  constructor(rpc: ClientDuplexStream<Buffer, Buffer>, dialect: StreamDialect, signal: AbortSignal | undefined) {
    this.#rpc = rpc;
    this.#dialect = dialect;
    this.#signal = signal;
    const abort = (): void => this.cancel();
    if (signal?.aborted === true) this.cancel();
    else signal?.addEventListener('abort', abort, { once: true });
    rpc.on('error', () => {}); // iteration throws it
    // grpc-js holds the server back only between two reads: before the first one it would take in everything.
    rpc.read(0);
    rpc.on('drain', () => this.#wakeSenders());
    this.trailers = new Promise((resolve) => {
      rpc.once('status', ({ metadata }) => {
        this.#hasEnded = true;
        signal?.removeEventListener('abort', abort);
        this.#wakeSenders();
        resolve(metadata);
      });
    });
  }

  /**
   * Resolves when there is room for another request, and at once when the stream has ended: its fault is told by iteration.
   */
  async send(request: ClientRequest): Promise<void> {
    if (this.#hasEnded || this.#rpc.writableEnded) return;
    if (this.#rpc.write(messageOf(request)) || this.#hasEnded) return;
    await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  #wakeSenders(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  /** No more requests: the server answers what it has, and ends. */
  halfClose(): void {
    this.#rpc.end();
  }

  /** Gives up what is under way. */
  cancel(): void {
    cancelSoon(this.#rpc);
  }

  [Symbol.dispose](): void {
    if (!this.#hasEnded) this.cancel();
  }

  /** Once. @throws InferenceError when the stream ends with a status other than OK; the reason of the aborted signal */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamAnswer, void, undefined> {
    try {
      for await (const bytes of this.#rpc as AsyncIterable<Buffer>) yield this.#decode(bytes);
    } catch (error) {
      if (this.#signal?.aborted === true) throw this.#signal.reason;
      const { code, details } = error as Partial<ServiceError>;
      if (code === undefined) throw error;
      throw new InferenceError(statusName(code), details ?? '', { cause: error });
    } finally {
      this[Symbol.dispose]();
    }
  }

  #decode(bytes: Buffer): StreamAnswer {
    if (this.#dialect === 'mlserver') return { response: decodeInferResponse(bytes) };
    const { errorMessage, response } = decodeStreamResponse(bytes);
    if (errorMessage === '' && response !== undefined) return { response };
    // The wire has no code for it: a request that was refused is at fault.
    return { error: new InferenceError('INVALID_ARGUMENT', errorMessage, { requestId: response?.id ?? '' }) };
  }
}
