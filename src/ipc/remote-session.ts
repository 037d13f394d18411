import type { BufferPool } from '../base/buffer-pool.ts';
import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { costOf, writeError, writeRequest } from './codec.ts';
import type { Connection } from './connection.ts';
import { MESSAGE } from './frame.ts';
import type { HeadWriter } from './head.ts';
import type { readProgress } from './progress-tally.ts';
import type { ResponseTiming, SessionLimits, SessionPort, SessionSink } from './session.ts';

/** A reader that keeps a session waiting for longer is slow; a shorter wait is one for the socket. */
const SLOW_MS = 2;

export interface RemoteSessionParts {
  readonly connection: Connection;
  readonly channel: number;
  readonly limits: SessionLimits;
  readonly pool: BufferPool | undefined;
  /** Its host is told when its reader is slow. */
  readonly isPaced: boolean;
}

/** What to do when tensors were sent: their memory is the pool's again, if it was. */
export function givesBack(pool: BufferPool | undefined, tensors: readonly Tensor[]): (() => void) | undefined {
  if (pool === undefined) return undefined;
  return () => {
    for (const tensor of tensors) pool.give(tensor.data);
  };
}

/** Ends a call or session in its host, which may not have heard of it yet; then it never does. */
export function abortChannel(connection: Connection, channel: number, error: MillraceError): void {
  if (connection.withdraw(channel)) return;
  connection.send(MESSAGE.ABORT, channel, (writer) => writeError(writer, error));
}

/** The front's end of a session that lives in a host. */
export class RemoteSession implements SessionPort {
  readonly #connection: Connection;
  readonly #channel: number;
  readonly #sink: SessionSink;
  readonly #limits: SessionLimits;
  readonly #pool: BufferPool | undefined;
  readonly #isPaced: boolean;
  readonly #forget: () => void;
  /** Requests sent and not yet taken. */
  #messages = 0;
  #bytes = 0;
  #isFull = false;
  /** Credit for responses to be given back. */
  #owedMessages = 0;
  #owedBytes = 0;
  /** When it was paused; 0: it is not. */
  #pausedAt = 0;
  #isCreditScheduled = false;
  #hasEnded = false;

  constructor(parts: RemoteSessionParts, sink: SessionSink, forget: () => void) {
    this.#connection = parts.connection;
    this.#channel = parts.channel;
    this.#limits = parts.limits;
    this.#pool = parts.pool;
    this.#isPaced = parts.isPaced;
    this.#sink = sink;
    this.#forget = forget;
  }

  push(request: InferenceRequest): boolean {
    if (this.#hasEnded) return true;
    this.#messages++;
    this.#bytes += costOf(request.inputs);
    const write = (writer: HeadWriter): readonly Uint8Array[] => writeRequest(writer, request);
    this.#connection.send(MESSAGE.PUSH, this.#channel, write, givesBack(this.#pool, request.inputs));
    this.#isFull = this.#isAtLimit;
    return !this.#isFull;
  }

  halfClose(): void {
    if (!this.#hasEnded) this.#connection.send(MESSAGE.HALF_CLOSE, this.#channel);
  }

  pause(): void {
    if (this.#pausedAt === 0) this.#pausedAt = performance.now();
  }

  /** A reader that kept the session waiting is told of: until it reads faster, little is made ahead of it. */
  resume(): void {
    if (this.#pausedAt === 0) return;
    const isSlow = performance.now() - this.#pausedAt > SLOW_MS;
    this.#pausedAt = 0;
    if (isSlow) this.#tellSlow();
    this.#giveCredit();
  }

  abort(error: MillraceError): void {
    if (this.#hasEnded) return;
    abortChannel(this.#connection, this.#channel, error);
    this.#hasEnded = true;
    this.#forget();
    queueMicrotask(() => this.#tellEnd(error));
  }

  /** @internal A response came in. */
  respond(response: InferenceResponse, timing: ResponseTiming | undefined): void {
    this.#owedMessages++;
    this.#owedBytes += costOf(response.outputs);
    this.#giveCredit();
    if (this.#pausedAt !== 0 && performance.now() - this.#pausedAt > SLOW_MS) this.#tellSlow();
    try {
      this.#sink.onResponse(response, timing);
    } catch (thrown) {
      this.abort(MillraceError.from(thrown)); // the fault of this session, not of the connection that it shares
    }
  }

  /** @internal */
  refuse(requestId: string, error: MillraceError): void {
    try {
      this.#sink.onRequestError(requestId, error);
    } catch (thrown) {
      this.abort(MillraceError.from(thrown));
    }
  }

  /** @internal The host took requests, whatever became of them. */
  take({ messages, bytes, progress }: ReturnType<typeof readProgress>): void {
    this.#sink.onProgress?.(progress);
    this.#messages -= messages;
    this.#bytes -= bytes;
    if (this.#isFull && !this.#isAtLimit) {
      this.#isFull = false;
      this.#sink.onDrain();
    }
  }

  /** @internal The host ended the session, or was lost. */
  end(error: MillraceError | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#forget();
    this.#tellEnd(error);
  }

  #tellEnd(error: MillraceError | undefined): void {
    try {
      this.#sink.onEnd(error);
    } catch {
      // It has ended all the same, and there is nobody else to tell.
    }
  }

  get #isAtLimit(): boolean {
    return this.#messages >= this.#limits.maxMessages || this.#bytes >= this.#limits.maxBytes;
  }

  /** Credit that is owed follows; there is none without a response that waits for it. */
  #tellSlow(): void {
    if (!this.#isPaced || this.#owedMessages === 0 || this.#hasEnded) return;
    this.#connection.send(MESSAGE.PAUSE, this.#channel);
  }

  /** Once per turn of the event loop, for all the responses that came in it. */
  #giveCredit(): void {
    if (this.#pausedAt !== 0 || this.#isCreditScheduled || this.#owedMessages === 0) return;
    this.#isCreditScheduled = true;
    setImmediate(() => {
      this.#isCreditScheduled = false;
      if (this.#pausedAt !== 0 || this.#hasEnded) return;
      const messages = this.#owedMessages;
      const bytes = this.#owedBytes;
      this.#owedMessages = 0;
      this.#owedBytes = 0;
      this.#connection.send(MESSAGE.CREDIT, this.#channel, (writer) => {
        writer.varint(messages);
        writer.varint(bytes);
      });
    });
  }
}
