import { MillraceError } from '../../base/errors.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import { decodeRequestEnvelope, type InferEnvelope } from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { kindOf } from './infer.ts';
import { MixedStream } from './mixed-stream.ts';
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
  /** What came while the graph that the first request names was loading: that request, and what had been read by then. */
  #held: Buffer[] | undefined;
  #isHalfClosed = false;

  constructor(call: StreamCall, dataPlane: DataPlane) {
    this.#call = call;
    this.#dataPlane = dataPlane;
  }

  /** Bytes that are no request end the call, as everywhere in gRPC; so does a first request that opens nothing. */
  onMessage(message: Buffer): void {
    if (this.#held !== undefined) {
      this.#held.push(message);
      return;
    }
    const envelope = decodeRequestEnvelope(message);
    const coming = this.#conversation === undefined ? this.#dataPlane.graphToCome(envelope.servable) : undefined;
    if (coming === undefined) this.#receive(envelope, message.length);
    else void this.#hold(message, coming);
  }

  /** Without any request the call ends well, as Triton has it. */
  onHalfClose(): void {
    this.#isHalfClosed = true;
    if (this.#held !== undefined) return;
    if (this.#conversation === undefined) this.#call.end();
    else this.#conversation.onHalfClose();
  }

  onDrain(): void {
    this.#conversation?.onDrain();
  }

  trailers(): Trailers {
    return this.#conversation?.trailers?.() ?? {};
  }

  #receive(envelope: InferEnvelope, messageBytes: number): void {
    this.#conversation ??= this.#open(envelope);
    this.#conversation.onRequest(envelope, messageBytes);
  }

  async #hold(first: Buffer, coming: Promise<void>): Promise<void> {
    const held = [first];
    this.#held = held;
    this.#call.pause();
    await coming;
    if (this.#call.cancellation.error !== undefined) return;
    this.#call.resume();
    try {
      for (const message of held) this.#receive(decodeRequestEnvelope(message), message.length);
      this.#held = undefined;
      if (this.#isHalfClosed) this.onHalfClose();
    } catch (error) {
      this.#call.end(MillraceError.from(error));
    }
  }

  #open(first: InferEnvelope): Conversation {
    const kind = kindOf(this.#dataPlane, first);
    return kind === undefined || kind === 'graph'
      ? new SessionStream(this.#call, this.#dataPlane, first)
      : new MixedStream(this.#call, this.#dataPlane, first);
  }
}
