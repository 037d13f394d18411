import { MillraceError } from '../../base/errors.ts';
import type { CallContext, DataPlane } from '../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import {
  encodeStreamError,
  encodeStreamResponse,
  toInferenceRequest,
  type InferEnvelope,
  type MessageParts,
} from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { FRAME_BYTES, type StreamCall } from './transport.ts';

/** Requests under way in one stream before reading stops; enough to fill a batcher, bounded for memory. */
const MAX_IN_FLIGHT = 256;
/** The same in bytes of requests; one request is always let in. */
const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;

/** The place of a request's answer: answers go out in the order of the requests. */
interface Slot {
  readonly bytes: number;
  answer: MessageParts | undefined;
}

/**
 * A stream by Triton's rules: every request is an inference of its own, on whichever model it names; each is answered once,
 * in the order of the requests, marked `triton_final_response`. A failed one becomes `error_message`.
 */
export class ModelStream implements Conversation {
  readonly #call: StreamCall;
  readonly #dataPlane: DataPlane;
  readonly #context: CallContext;
  /** Metadata `triton_grpc_error: true`: the first failed inference ends the call with its status. */
  readonly #failsWhole: boolean;
  /** From the oldest unanswered request on; those before `#head` are answered. */
  #slots: Slot[] = [];
  #head = 0;
  #bytes = 0;
  #callIsFull = false;
  #halfClosed = false;
  /** The servable that was last found to be no graph. */
  #known: { readonly servable: string; readonly version: string } | undefined;

  constructor(call: StreamCall, dataPlane: DataPlane) {
    this.#call = call;
    this.#dataPlane = dataPlane;
    this.#context = { interface: 'gRPC', cancellation: call.cancellation };
    this.#failsWhole = call.header('triton_grpc_error') === 'true';
  }

  onRequest(envelope: InferEnvelope, messageBytes: number): void {
    const slot: Slot = { bytes: messageBytes, answer: undefined };
    this.#slots.push(slot);
    this.#bytes += messageBytes;
    let request: InferenceRequest;
    try {
      this.#refuseGraph(envelope);
      request = toInferenceRequest(envelope, 'triton');
    } catch (error) {
      this.#settle(slot, encodeStreamError(envelope.id, MillraceError.from(error).message, FRAME_BYTES));
      return;
    }
    this.#infer(request, slot);
    this.#regulateReading();
  }

  onHalfClose(): void {
    this.#halfClosed = true;
    this.#endIfDone();
  }

  onDrain(): void {
    this.#callIsFull = false;
    this.#regulateReading();
  }

  #infer(request: InferenceRequest, slot: Slot): void {
    this.#dataPlane
      .infer(request, this.#context)
      .then(
        (response) => this.#settle(slot, encodeStreamResponse(final(response), FRAME_BYTES)),
        (error: unknown) => this.#failed(request.id, slot, error),
      )
      .catch((error: unknown) => this.#call.end(MillraceError.from(error)));
  }

  #failed(requestId: string, slot: Slot, thrown: unknown): void {
    const error = MillraceError.from(thrown);
    if (this.#failsWhole) this.#call.end(error);
    else this.#settle(slot, encodeStreamError(requestId, error.message, FRAME_BYTES));
  }

  #settle(slot: Slot, answer: MessageParts): void {
    slot.answer = answer;
    for (let next = this.#slots[this.#head]; next?.answer !== undefined; next = this.#slots[this.#head]) {
      this.#head++;
      this.#bytes -= next.bytes;
      if (!this.#call.write(next.answer)) this.#callIsFull = true;
    }
    if (this.#head === this.#slots.length) {
      this.#slots = [];
      this.#head = 0;
    } else if (this.#head > MAX_IN_FLIGHT) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    this.#regulateReading();
    this.#endIfDone();
  }

  #regulateReading(): void {
    const isFull =
      this.#callIsFull || this.#slots.length - this.#head >= MAX_IN_FLIGHT || this.#bytes >= MAX_IN_FLIGHT_BYTES;
    if (isFull) this.#call.pause();
    else this.#call.resume();
  }

  #endIfDone(): void {
    if (this.#halfClosed && this.#slots.length === 0) this.#call.end();
  }

  /** Throws for a graph, and for what is not there. */
  #refuseGraph({ servable, version }: InferEnvelope): void {
    if (this.#known?.servable === servable && this.#known.version === version) return;
    if (this.#dataPlane.metadata(servable, version).kind === 'graph') {
      throw new MillraceError(
        'SERVABLE_MISMATCH',
        `'${servable}' is a graph and needs a stream of its own; this stream's first request named a model`,
        { details: { servable } },
      );
    }
    this.#known = { servable, version };
  }
}

function final(response: InferenceResponse): InferenceResponse {
  return { ...response, parameters: { ...response.parameters, triton_final_response: true } };
}
