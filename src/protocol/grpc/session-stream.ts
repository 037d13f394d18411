import { MillraceError } from '../../base/errors.ts';
import type { DataPlane, Session, SessionSink } from '../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import {
  encodeStreamError,
  encodeStreamResponse,
  toInferenceRequest,
  type Dialect,
  type InferEnvelope,
  type MessageParts,
} from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { FRAME_BYTES, type StreamCall } from './transport.ts';

/**
 * A stream bound to the graph or runtime that its first request named. Refused requests become `error_message` and the
 * stream goes on; the session's end is the call's end.
 */
export class SessionStream implements Conversation {
  readonly #call: StreamCall;
  readonly #session: Session;
  readonly #dialect: Dialect;
  readonly #servable: string;
  readonly #firstId: string;
  #received = 0;
  #ended = false;
  /** The session wants no request until its `onDrain`. */
  #sessionIsFull = false;
  /** The client is slow: the session is paused, and nothing is read that might call for an answer. */
  #callIsFull = false;

  /** Throws what keeps the session from opening; `first` itself is handed over by `onRequest` like every other. */
  constructor(call: StreamCall, dataPlane: DataPlane, first: InferEnvelope) {
    this.#call = call;
    this.#servable = first.servable;
    this.#firstId = first.id;
    // Its tensors may be at fault; that is for `error_message` and no reason not to open.
    const opening = toInferenceRequest({ ...first, tensors: [], outputs: [], raw: [] }, 'ovms');
    const context = { interface: 'gRPC', cancellation: call.cancellation } as const;
    this.#session = dataPlane.openSession(opening, context, this.#sink());
    this.#dialect = this.#session.kind === 'graph' ? 'ovms' : 'triton';
    call.cancellation.onCancel((error) => {
      if (!this.#ended) this.#session.abort(error);
    });
  }

  onRequest(envelope: InferEnvelope): void {
    if (this.#ended) return;
    this.#received++;
    const mismatch = this.#received === 1 ? undefined : this.#mismatch(envelope);
    if (mismatch !== undefined) {
      this.#refuse(envelope.id, mismatch);
      return;
    }
    const request = this.#checked(envelope);
    if (request !== undefined && !this.#session.push(request)) {
      this.#sessionIsFull = true;
      this.#call.pause();
    }
  }

  onHalfClose(): void {
    if (!this.#ended) this.#session.halfClose();
  }

  onDrain(): void {
    if (!this.#callIsFull) return;
    this.#callIsFull = false;
    this.#session.resume();
    if (!this.#sessionIsFull) this.#call.resume();
  }

  #sink(): SessionSink {
    return {
      onResponse: (response) => {
        if (!this.#ended) this.#write(encodeStreamResponse(this.#marked(response), FRAME_BYTES));
      },
      onRequestError: (requestId, error) => {
        if (!this.#ended) this.#refuse(requestId, this.#withSuffix(error, this.#isFirst(requestId, error)));
      },
      onEnd: (error) => {
        if (this.#ended) return;
        this.#ended = true;
        this.#call.end(error);
      },
      onDrain: () => {
        this.#sessionIsFull = false;
        if (!this.#callIsFull) this.#call.resume();
      },
    };
  }

  /** Triton's mark on every response of what is no graph; one that is final says so itself. */
  #marked(response: InferenceResponse): InferenceResponse {
    if (this.#session.kind === 'graph') return response;
    return { ...response, parameters: { triton_final_response: false, ...response.parameters } };
  }

  /** OVMS's texts; the session's version may also go by "0" or "". */
  #mismatch(envelope: InferEnvelope): string | undefined {
    if (envelope.servable !== this.#servable) {
      return 'Subsequent request with incorrect servable name; validate subsequent requests';
    }
    const { version } = envelope;
    if (version !== '' && version !== '0' && version !== this.#session.version) {
      return 'Subsequent request with incorrect servable version; validate subsequent requests';
    }
    return undefined;
  }

  #checked(envelope: InferEnvelope): InferenceRequest | undefined {
    try {
      return toInferenceRequest(envelope, this.#dialect);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#refuse(envelope.id, this.#withSuffix(error, this.#received === 1));
      return undefined;
    }
  }

  #withSuffix(error: MillraceError, isFirst: boolean): string {
    if (this.#dialect !== 'ovms') return error.message;
    return `${error.message}; partial deserialization of ${isFirst ? 'first request' : 'subsequent requests'}`;
  }

  /** A session may say which request it was (`details.requestIndex`); else the id tells, or that there was only one. */
  #isFirst(requestId: string, error: MillraceError): boolean {
    const index = error.details['requestIndex'];
    if (typeof index === 'number') return index === 0;
    return this.#received === 1 || (requestId !== '' && requestId === this.#firstId);
  }

  #refuse(requestId: string, text: string): void {
    this.#write(encodeStreamError(requestId, text, FRAME_BYTES));
  }

  #write(message: MessageParts): void {
    if (this.#call.write(message) || this.#callIsFull) return;
    this.#callIsFull = true;
    this.#session.pause();
    this.#call.pause();
  }
}
