import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { costOf, writeError, writeResponse, writeResponseTiming } from './codec.ts';
import type { Connection } from './connection.ts';
import { MESSAGE } from './frame.ts';
import type { HostSession, SessionOutput } from './host-handler.ts';
import { ProgressTally } from './progress-tally.ts';
import { WINDOW_GROWTH, type QueueUse, type ResponseTiming, type SessionLimits } from './session.ts';

const EMPTY: QueueUse = { packets: 0, bytes: 0 };

/** While something waits in a session, how often the front hears how much. */
const QUEUE_REPORT_MS = 250;

/** The host's end of one session: credits in both directions, and its end. */
export class SessionChannel implements SessionOutput {
  readonly #connection: Connection;
  readonly #channel: number;
  readonly #limits: SessionLimits;
  readonly #onFault: (error: unknown) => void;
  readonly #forget: () => void;
  #session: HostSession | undefined;
  /** Responses that wait for credit. */
  #waiting: { readonly response: InferenceResponse; readonly timing: ResponseTiming | undefined }[] = [];
  #lookAhead: number;
  /** How many may be under way now. */
  #window: number;
  /** The reader is slow: nothing more until it gives credit. */
  #isPaused = false;
  #unacknowledgedMessages = 0;
  #unacknowledgedBytes = 0;
  readonly #tally = new ProgressTally();
  #isTakenScheduled = false;
  /** As last reported. */
  #queue = EMPTY;
  #queueTimer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  /** How it ends once the waiting responses are sent. */
  #ending: { readonly error: MillraceError | undefined } | undefined;

  constructor(
    connection: Connection,
    channel: number,
    limits: SessionLimits,
    onFault: (error: unknown) => void,
    forget: () => void,
  ) {
    this.#connection = connection;
    this.#channel = channel;
    this.#limits = limits;
    this.#lookAhead = this.#window = limits.maxMessages;
    this.#onFault = onFault;
    this.#forget = forget;
  }

  get isFull(): boolean {
    return (
      this.#isPaused ||
      this.#unacknowledgedMessages >= this.#window ||
      this.#unacknowledgedBytes >= this.#limits.maxBytes
    );
  }

  limitLookAhead(messages: number): void {
    this.#lookAhead = this.#window = Math.min(messages, this.#limits.maxMessages);
  }

  get maxBytes(): number {
    return this.#limits.maxBytes;
  }

  start(open: () => HostSession): void {
    this.#attempt(() => {
      this.#session = open();
    });
  }

  push(request: InferenceRequest): void {
    this.#attempt(() => this.#session?.push(request));
  }

  halfClose(): void {
    this.#attempt(() => this.#session?.halfClose());
  }

  abort(error: MillraceError): void {
    if (this.#hasEnded) return;
    this.#close();
    try {
      this.#session?.abort(error);
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  pause(): void {
    this.#isPaused = true;
    this.#window = this.#lookAhead;
  }

  credit(messages: number, bytes: number): void {
    const wasFull = this.isFull;
    if (!this.#isPaused) this.#window = Math.min(this.#window * WINDOW_GROWTH, this.#limits.maxMessages);
    this.#isPaused = false;
    this.#unacknowledgedMessages -= messages;
    this.#unacknowledgedBytes -= bytes;
    while (!this.isFull) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#send(next.response, next.timing);
    }
    if (this.#hasEnded) return;
    if (this.#ending !== undefined && this.#waiting.length === 0) this.#finish(this.#ending.error);
    else if (wasFull && !this.isFull) this.#attempt(() => this.#session?.onRoom());
  }

  respond(response: InferenceResponse, timing?: ResponseTiming): void {
    if (this.#hasEnded || this.#ending !== undefined) return;
    if (this.#waiting.length > 0 || this.isFull) this.#waiting.push({ response, timing });
    else this.#send(response, timing);
  }

  refuse(request: InferenceRequest, error: MillraceError): void {
    if (this.#hasEnded) return;
    this.#connection.send(MESSAGE.REQUEST_ERROR, this.#channel, (writer) => {
      writer.string(request.id);
      writeError(writer, error);
    });
    if (error.reason === 'INTERNAL') this.#onFault(error.cause ?? error);
    this.#tally.settled(request);
    this.#scheduleTaken();
  }

  taken(request: InferenceRequest, packets = request.inputs.length): void {
    this.#tally.taken(request, packets);
    this.#scheduleTaken();
  }

  dropped(packets: number, request?: InferenceRequest): void {
    this.#tally.dropped(packets, request);
    this.#scheduleTaken();
  }

  #scheduleTaken(): void {
    if (this.#isTakenScheduled) return;
    this.#isTakenScheduled = true;
    setImmediate(() => {
      this.#isTakenScheduled = false;
      if (!this.#hasEnded && !this.#tally.isEmpty) this.#sendTaken();
    });
  }

  end(error: MillraceError | undefined, comesLast = error === undefined): void {
    if (this.#hasEnded || this.#ending !== undefined) return;
    if (comesLast && this.#waiting.length > 0) this.#ending = { error };
    else this.#finish(error);
  }

  #finish(error: MillraceError | undefined): void {
    if (!this.#tally.isEmpty) this.#sendTaken();
    this.#close();
    this.#connection.send(MESSAGE.END, this.#channel, (writer) => {
      writer.byte(error === undefined ? 0 : 1);
      if (error !== undefined) writeError(writer, error);
    });
  }

  /** A response that cannot be encoded ends the session. */
  #send(response: InferenceResponse, timing: ResponseTiming | undefined): void {
    this.#attempt(() => {
      this.#connection.send(MESSAGE.RESPONSE, this.#channel, (writer) => {
        writeResponseTiming(writer, timing);
        return writeResponse(writer, response);
      });
      this.#unacknowledgedMessages++;
      this.#unacknowledgedBytes += costOf(response.outputs);
    });
  }

  #sendTaken(): void {
    const queue = this.#session?.queueUse ?? EMPTY;
    this.#queue = queue;
    this.#connection.send(MESSAGE.TAKEN, this.#channel, (writer) => this.#tally.write(writer, queue));
    if (queue.packets > 0) this.#watchQueue();
  }

  /** Nothing that comes in need say how a queue shrinks. */
  #watchQueue(): void {
    this.#queueTimer ??= setTimeout(() => {
      this.#queueTimer = undefined;
      const { packets, bytes } = this.#session?.queueUse ?? EMPTY;
      if (packets !== this.#queue.packets || bytes !== this.#queue.bytes) this.#sendTaken();
      else this.#watchQueue();
    }, QUEUE_REPORT_MS).unref();
  }

  /** A fault of the session's own code ends the session, never the host. */
  #attempt(step: () => void): void {
    if (this.#hasEnded) return;
    try {
      step();
    } catch (error) {
      const failure = MillraceError.from(error);
      if (failure !== error) this.#onFault(error);
      if (!this.#hasEnded) this.#finish(failure);
      this.#session?.abort(failure);
    }
  }

  #close(): void {
    this.#hasEnded = true;
    this.#waiting = [];
    clearTimeout(this.#queueTimer);
    this.#forget();
  }
}
