import { MillraceError, type Reason } from '../../base/errors.ts';
import type { CallContext, DataPlane } from '../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import {
  encodeStreamError,
  encodeStreamResponse,
  partsSize,
  toInferenceRequest,
  type InferEnvelope,
  type MessageParts,
} from '../wire/infer-codec.ts';
import type { Conversation } from './conversation.ts';
import { graphAmongModels } from './graph-among-models.ts';
import { FRAME_BYTES, type StreamCall } from './transport.ts';

/** Requests under way in one stream before reading stops; enough to fill a batcher, bounded for memory. */
const MAX_IN_FLIGHT = 256;
/** The same until an answer has shown how large they are. */
const MAX_IN_FLIGHT_AT_FIRST = 8;
/** The same in bytes, of requests or of their answers, whichever are more; one request is always let in. */
const MAX_IN_FLIGHT_BYTES = 64 * 1024 * 1024;

/** Found before anything ran, so `error_message` whatever the client asked for (KServe sheet §2.3). */
const REQUEST_FAULTS: ReadonlySet<Reason> = new Set<Reason>([
  'UNEXPECTED_INPUT',
  'MISSING_INPUT',
  'DUPLICATE_INPUT',
  'UNEXPECTED_OUTPUT',
  'WRONG_DATATYPE',
  'WRONG_SHAPE',
  'WRONG_BYTE_SIZE',
  'MALFORMED_BYTES',
  'INVALID_PARAMETER',
]);

/** The place of a request's answer: answers go out in the order of the requests. */
interface Slot {
  readonly requestBytes: number;
  answer: MessageParts | undefined;
  /** 0 until answered. */
  answerBytes: number;
}

/**
 * The inferences of a stream by Triton's rules: on whichever model each names; each is answered once, in the order of the
 * requests, marked `triton_final_response`. A failed one becomes `error_message`.
 */
export class ModelStream implements Conversation {
  readonly #call: StreamCall;
  readonly #dataPlane: DataPlane;
  readonly #context: CallContext;
  /** Metadata `triton_grpc_error: true`: the first inference that fails in running ends the call with its status. */
  readonly #failsWhole: boolean;
  /** It no longer counts among the sessions; undefined once that is so. */
  #leave: (() => void) | undefined;
  /** From the oldest unanswered request on; those before `#head` are answered. */
  #slots: Slot[] = [];
  #head = 0;
  #unanswered = 0;
  #unansweredBytes = 0;
  /** Of answers that wait for an earlier one. */
  #heldBytes = 0;
  /** Of one response so far; 0: there was none. What is unanswered is taken to become as large. */
  #largestAnswer = 0;
  #callIsFull = false;
  #halfClosed = false;
  /** The servable that was last found to take inferences one by one. */
  #known: { readonly servable: string; readonly version: string; readonly isRuntime: boolean } | undefined;

  /** @throws MillraceError LIMIT_REACHED when so many sessions are open */
  constructor(call: StreamCall, dataPlane: DataPlane, first: InferEnvelope) {
    this.#call = call;
    this.#dataPlane = dataPlane;
    this.#context = { interface: 'gRPC', cancellation: call.cancellation };
    this.#failsWhole = call.header('triton_grpc_error') === 'true';
    this.#leave = dataPlane.openModelStream(first.servable, first.version);
    call.cancellation.onCancel(() => this.#close());
  }

  onRequest(envelope: InferEnvelope, messageBytes: number): void {
    const slot: Slot = { requestBytes: messageBytes, answer: undefined, answerBytes: 0 };
    this.#slots.push(slot);
    this.#unanswered++;
    this.#unansweredBytes += messageBytes;
    let request: InferenceRequest;
    let leave: (() => void) | undefined;
    try {
      this.#checkServable(envelope);
      request = toInferenceRequest(envelope, 'triton');
      if (this.#known?.isRuntime === true) request = { ...request, headers: this.#call.headers() };
      leave = this.#call.grant?.enterRequest();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#settle(slot, encodeStreamError(envelope.id, error.message, FRAME_BYTES));
      return;
    }
    this.#infer(request, slot, leave);
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

  /** @param leave called when it is over */
  #infer(request: InferenceRequest, slot: Slot, leave: (() => void) | undefined): void {
    this.#dataPlane
      .infer(request, this.#context)
      .finally(leave)
      .then(
        (response) => this.#answer(slot, encodeStreamResponse(final(response), FRAME_BYTES)),
        (error: unknown) => this.#failed(request.id, slot, error),
      )
      .catch((error: unknown) => this.#call.end(MillraceError.from(error)));
  }

  #failed(requestId: string, slot: Slot, thrown: unknown): void {
    const error = MillraceError.from(thrown);
    // The end of a call logs what only the log may say.
    const isOurs = error.reason === 'INTERNAL' && error.cause !== undefined;
    if (isOurs || (this.#failsWhole && !REQUEST_FAULTS.has(error.reason))) this.#call.end(error);
    else this.#settle(slot, encodeStreamError(requestId, error.message, FRAME_BYTES));
  }

  #answer(slot: Slot, answer: MessageParts): void {
    this.#largestAnswer = Math.max(this.#largestAnswer, partsSize(answer));
    this.#settle(slot, answer);
  }

  #settle(slot: Slot, answer: MessageParts): void {
    slot.answer = answer;
    slot.answerBytes = partsSize(answer);
    this.#unanswered--;
    this.#unansweredBytes -= slot.requestBytes;
    this.#heldBytes += slot.answerBytes;
    for (let next = this.#slots[this.#head]; next?.answer !== undefined; next = this.#slots[this.#head]) {
      this.#head++;
      this.#heldBytes -= next.answerBytes;
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
    const inFlight = this.#slots.length - this.#head;
    const most = this.#largestAnswer === 0 ? MAX_IN_FLIGHT_AT_FIRST : MAX_IN_FLIGHT;
    const bytes = this.#heldBytes + Math.max(this.#unansweredBytes, this.#unanswered * this.#largestAnswer);
    const isFull = this.#callIsFull || inFlight >= most || (inFlight > 0 && bytes >= MAX_IN_FLIGHT_BYTES);
    if (isFull) this.#call.pause();
    else this.#call.resume();
  }

  #close(): void {
    this.#leave?.();
    this.#leave = undefined;
  }

  #endIfDone(): void {
    if (!this.#halfClosed || this.#slots.length > 0) return;
    this.#close();
    this.#call.end();
  }

  /** Throws for a graph, and for what is not there. */
  #checkServable({ servable, version }: InferEnvelope): void {
    if (this.#known?.servable === servable && this.#known.version === version) return;
    const { kind } = this.#dataPlane.metadata(servable, version);
    if (kind === 'graph') throw graphAmongModels(servable);
    this.#known = { servable, version, isRuntime: kind === 'runtime' };
  }
}

function final(response: InferenceResponse): InferenceResponse {
  return { ...response, parameters: { ...response.parameters, triton_final_response: true } };
}
