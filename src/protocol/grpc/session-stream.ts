import { MillraceError, type Reason } from '../../base/errors.ts';
import type { DataPlane, Session, SessionSink } from '../../serving/data-plane.ts';
import type { Headers, InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import {
  encodeStreamError,
  encodeStreamResponse,
  toInferenceRequest,
  type Dialect,
  type InferEnvelope,
  type MessageParts,
} from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { kindOf } from './infer.ts';
import { FRAME_BYTES, type StreamCall, type Trailers } from './transport.ts';

/** Reasons of ours: OVMS has no text for them, and nothing was deserialized in part. */
const WITHOUT_SUFFIX: ReadonlySet<Reason> = new Set<Reason>(['LIMIT_REACHED', 'SIDE_PACKET_CHANGED']);

/**
 * A stream bound to the graph or runtime that its first request named. Refused requests become `error_message` and the
 * stream goes on; the session's end is the call's end.
 */
export class SessionStream implements Conversation {
  readonly #call: StreamCall;
  readonly #session: Session;
  readonly #dialect: Dialect;
  readonly #servable: string;
  /** Every request has exactly one response: a runtime that is not decoupled. */
  readonly #isOneToOne: boolean;
  #received = 0;
  /** Of the last response that had any. */
  #headers: Headers | undefined;
  #firstWasPushed = false;
  #ended = false;
  /** The session wants no request until its `onDrain`. */
  #sessionIsFull = false;
  /** The client is slow: the session is paused, and nothing is read that might call for an answer. */
  #callIsFull = false;

  /** Throws what keeps the session from opening; `first` itself is handed over by `onRequest` like every other. */
  constructor(call: StreamCall, dataPlane: DataPlane, first: InferEnvelope) {
    this.#call = call;
    this.#servable = first.servable;
    // Its tensors may be at fault; that is for `error_message` and no reason not to open.
    const bare = toInferenceRequest({ ...first, tensors: [], outputs: [], raw: [] }, 'ovms');
    const opening = kindOf(dataPlane, first) === 'runtime' ? { ...bare, headers: call.headers() } : bare;
    const context = { interface: 'gRPC', cancellation: call.cancellation } as const;
    this.#session = dataPlane.openSession(opening, context, this.#sink());
    this.#dialect = this.#session.kind === 'graph' ? 'ovms' : 'triton';
    if (this.#session.kind === 'runtime') call.paceWrites();
    this.#isOneToOne = this.#session.kind !== 'graph' && !dataPlane.metadata(first.servable, first.version).decoupled;
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
    if (request === undefined) return;
    if (this.#received === 1) this.#firstWasPushed = true;
    if (!this.#session.push(request)) {
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

  /** A runtime's headers, and the session in numbers: packets taken, given and dropped, and how long it was open. */
  trailers(): Trailers {
    const { packetsIn, packetsOut, packetsDropped, durationMs } = this.#session.summary;
    return {
      ...this.#headers,
      'millrace-packets-in': String(packetsIn),
      'millrace-packets-out': String(packetsOut),
      'millrace-packets-dropped': String(packetsDropped),
      'millrace-ms': String(Math.round(durationMs)),
    };
  }

  #sink(): SessionSink {
    return {
      onResponse: (response) => {
        this.#headers = response.headers ?? this.#headers;
        if (!this.#ended) this.#write(encodeStreamResponse(this.#marked(response), FRAME_BYTES), true);
      },
      onRequestError: (requestId, error) => {
        if (!this.#ended) this.#refuse(requestId, this.#withSuffix(error, this.#isFirst(error)));
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
    return { ...response, parameters: { triton_final_response: this.#isOneToOne, ...response.parameters } };
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
    if (this.#dialect !== 'ovms' || WITHOUT_SUFFIX.has(error.reason)) return error.message;
    // Clients may know the text; what helps people comes after it.
    const [, text = '', hint = ''] = /^([^]*?)(; did you mean "[^]*"\?)?$/.exec(error.message) ?? [];
    return `${text}; partial deserialization of ${isFirst ? 'first request' : 'subsequent requests'}${hint}`;
  }

  /** A graph's session counts the requests that it was given; the stream's first may not be among them. */
  #isFirst(error: MillraceError): boolean {
    return this.#firstWasPushed && error.details['requestIndex'] === 0;
  }

  #refuse(requestId: string, text: string): void {
    this.#write(encodeStreamError(requestId, text, FRAME_BYTES));
  }

  #write(message: MessageParts, isResponse = false): void {
    if (this.#call.write(message) || this.#callIsFull) return;
    this.#callIsFull = true;
    this.#session.pause();
    // How many requests a runtime takes is its own affair; those that it does not take are bounded by the session's credit.
    if (this.#session.kind !== 'runtime' || !isResponse) this.#call.pause();
  }
}
