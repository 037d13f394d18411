import { MillraceError } from '../../../base/errors.ts';
import type { DataPlane, Session, SessionSink } from '../../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../../tensor/inference.ts';
import type { CloudEvents } from '../../wire/cloud-events.ts';
import {
  decodeRequestEnvelope,
  toInferenceRequest,
  type encodeInferResponse,
  type InferEnvelope,
} from '../../wire/infer-codec.ts';
import { toMlserverError } from '../../wire/mlserver-faults.ts';
import { FRAME_BYTES, type StreamCall, type StreamHandler, type StreamListener, type Trailers } from '../transport.ts';
import { encoderFor, readRequest } from './infer.ts';

/**
 * ModelStreamInfer as MLServer has it (its sheet, §8): the first request selects the servable, and later ones go to it
 * whatever they name; answers are plain ModelInferResponses, so any fault ends the call with its status.
 */
export function mlserverStreamHandler(dataPlane: DataPlane, events: CloudEvents): StreamHandler {
  return (call) => new MlserverStream(call, dataPlane, events);
}

/** What the first request decides. */
interface Opened {
  readonly session: Session;
  readonly first: InferenceRequest;
  readonly encode: typeof encodeInferResponse;
}

class MlserverStream implements StreamListener {
  readonly #call: StreamCall;
  readonly #dataPlane: DataPlane;
  readonly #events: CloudEvents;
  #opened: Opened | undefined;
  #last: InferenceResponse | undefined;
  #ended = false;
  /** The session wants no request until its `onDrain`. */
  #sessionIsFull = false;
  /** The client is slow: the session is paused, and nothing is read that might call for an answer. */
  #callIsFull = false;

  constructor(call: StreamCall, dataPlane: DataPlane, events: CloudEvents) {
    this.#call = call;
    this.#dataPlane = dataPlane;
    this.#events = events;
  }

  onMessage(message: Buffer): void {
    if (this.#ended) return;
    let ref = { servable: '', version: '' };
    try {
      const envelope = decodeRequestEnvelope(message);
      ref = this.#opened?.first ?? envelope;
      const request = this.#opened === undefined ? this.#open(envelope) : this.#later(envelope, this.#opened);
      if (this.#opened?.session.push(request) !== false) return;
      this.#sessionIsFull = true;
      this.#call.pause();
    } catch (error) {
      this.#ended = true;
      throw toMlserverError(error, ref); // cancels the call, and with it the session
    }
  }

  onHalfClose(): void {
    if (this.#opened === undefined) this.#call.end();
    else if (!this.#ended) this.#opened.session.halfClose();
  }

  onDrain(): void {
    if (!this.#callIsFull) return;
    this.#callIsFull = false;
    this.#opened?.session.resume();
    if (!this.#sessionIsFull) this.#call.resume();
  }

  /** Only of a call that ended well, the last message's. */
  trailers(isOk: boolean): Trailers {
    if (!isOk || this.#opened === undefined) return {};
    const { servable, id } = this.#opened.first;
    return this.#events.headersOf(this.#last ?? { servable, version: '', id, outputs: [] });
  }

  #open(envelope: InferEnvelope): InferenceRequest {
    const first = readRequest(envelope, this.#call, this.#dataPlane);
    const context = { interface: 'gRPC', cancellation: this.#call.cancellation } as const;
    const session = this.#dataPlane.openSession(first, context, this.#sink());
    if (session.kind === 'runtime') this.#call.paceWrites();
    this.#opened = { session, first, encode: encoderFor(envelope) };
    return first;
  }

  /** To a runtime with the first one's id, which any answer may be to. */
  #later(envelope: InferEnvelope, { session, first }: Opened): InferenceRequest {
    const { servable, version } = first;
    const request = { ...toInferenceRequest(envelope, 'mlserver'), servable, version };
    return session.kind === 'runtime' ? { ...request, id: first.id } : request;
  }

  #sink(): SessionSink {
    return {
      onResponse: (response) => this.#answer(response),
      onRequestError: (_requestId, error) => this.#fail(error),
      onEnd: (error) => {
        if (error !== undefined) return this.#fail(error);
        if (this.#ended) return;
        this.#ended = true;
        this.#call.end();
      },
      onDrain: () => {
        this.#sessionIsFull = false;
        if (!this.#callIsFull) this.#call.resume();
      },
    };
  }

  #answer(response: InferenceResponse): void {
    if (this.#ended || this.#opened === undefined) return;
    const { session, first, encode } = this.#opened;
    const answer = session.kind === 'runtime' ? { ...response, id: first.id } : response;
    this.#last = answer;
    let message;
    try {
      message = encode(answer, FRAME_BYTES);
    } catch (error) {
      return this.#fail(MillraceError.from(error));
    }
    if (this.#call.write(message) || this.#callIsFull) return;
    this.#callIsFull = true;
    session.pause();
    // How many requests a runtime takes is its own affair; those that it does not take are bounded by the session's credit.
    if (session.kind !== 'runtime') this.#call.pause();
  }

  #fail(error: MillraceError): void {
    if (this.#ended || this.#opened === undefined) return;
    this.#ended = true;
    const { session, first } = this.#opened;
    const failure = toMlserverError(error, first);
    this.#call.end(failure);
    session.abort(failure);
  }
}
