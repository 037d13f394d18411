import type { DataPlane } from '../../serving/data-plane.ts';
import { decodeRequestEnvelope, type InferEnvelope } from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { kindOf } from './infer.ts';
import { ModelStream } from './model-stream.ts';
import { SessionStream } from './session-stream.ts';
import type { StreamCall, StreamHandler, StreamListener, Trailers } from './transport.ts';

/** ModelStreamInfer: the first request decides by whose rules the stream goes on (design, "Servables"). */
export function streamInferHandler(dataPlane: DataPlane): StreamHandler {
  return (call) => new InferStream(call, dataPlane);
}

class InferStream implements StreamListener {
  readonly #call: StreamCall;
  readonly #dataPlane: DataPlane;
  #conversation: Conversation | undefined;

  constructor(call: StreamCall, dataPlane: DataPlane) {
    this.#call = call;
    this.#dataPlane = dataPlane;
  }

  /** Bytes that are no request end the call, as everywhere in gRPC; so does a first request that opens nothing. */
  onMessage(message: Buffer): void {
    const envelope = decodeRequestEnvelope(message);
    this.#conversation ??= this.#open(envelope);
    this.#conversation.onRequest(envelope, message.length);
  }

  /** Without any request the call ends well, as Triton has it. */
  onHalfClose(): void {
    if (this.#conversation === undefined) this.#call.end();
    else this.#conversation.onHalfClose();
  }

  onDrain(): void {
    this.#conversation?.onDrain();
  }

  trailers(): Trailers {
    return this.#conversation?.trailers?.() ?? {};
  }

  #open(first: InferEnvelope): Conversation {
    return kindOf(this.#dataPlane, first) === 'model'
      ? new ModelStream(this.#call, this.#dataPlane, first)
      : new SessionStream(this.#call, this.#dataPlane, first);
  }
}
