import type { Cancellation } from '../../base/cancellation.ts';
import type { MillraceError } from '../../base/errors.ts';
import type { Grant } from '../../security/grant.ts';
import type { Headers } from '../../tensor/inference.ts';
import type { MessageParts } from '../wire/infer-codec.ts';

/** Free bytes at the start of an outgoing message's first piece, where the transport writes its frame header. */
export const FRAME_BYTES = 5;

/** What every RPC has, whatever library carries it. */
export interface Call {
  /** The first value of a request header; names are lower case. Undefined where absent. */
  header(name: string): string | undefined;
  /**
   * All request headers that are text, names in lower case; several values of one name joined by ", ". Without
   * `authorization` where tokens are asked for.
   */
  headers(): Headers;
  /** Milliseconds since the epoch; Infinity without a deadline. */
  readonly deadlineMs: number;
  /** Cancelled when the client is gone, the deadline has passed or a stream ended with an error; not when it ended well. */
  readonly cancellation: Cancellation;
  /** What this call may do; undefined: everything, since no tokens are asked for. */
  readonly grant?: Grant | undefined;
}

export interface UnaryCall extends Call {
  /** The request message; read it before anything is awaited. */
  readonly request: Buffer;
  /** Trailing metadata beside the status OK; metadata that gRPC cannot carry is left out. */
  setTrailers(trailers: Trailers): void;
}

/** Returns the response message; what it throws becomes the call's status. */
export type UnaryHandler = (call: UnaryCall) => MessageParts | Promise<MessageParts>;

export interface StreamCall extends Call {
  /** Queues a message in every case; false: more bytes wait than should, write again after `onDrain`. */
  write(message: MessageParts): boolean;
  /** From now on `write` returns false while anything waits: the source makes nothing that the connection cannot take. */
  paceWrites(): void;
  /** Ends the call, once: OK, or with the status of `error`. Later writes are dropped. */
  end(error?: MillraceError): void;
  /** Stops reading, so that flow control reaches the client; at most one more message arrives. */
  pause(): void;
  resume(): void;
}

/** A throw from any of these ends the call with the status of what was thrown. */
export interface StreamListener {
  onMessage(message: Buffer): void;
  /** The client sends no more. */
  onHalfClose(): void;
  /** After `write` returned false: there is room again. */
  onDrain(): void;
  /** Trailing metadata beside the status, asked for when the call ends on this side. @param isOk whether it ends well */
  trailers?(isOk: boolean): Trailers;
}

/** Metadata by name, in lower case; values in ASCII. */
export type Trailers = Readonly<Record<string, string>>;

/** Called once per RPC, before its first message. */
export type StreamHandler = (call: StreamCall) => StreamListener;

export type Method =
  | { readonly kind: 'unary'; readonly handler: UnaryHandler }
  | { readonly kind: 'stream'; readonly handler: StreamHandler };

/** Methods by path, "/package.Service/Method". */
export type Methods = Readonly<Record<string, Method>>;
