import { createRequire } from 'node:module';
import {
  constants,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { Server, status, type Metadata, type ServerOptions } from '@grpc/grpc-js';
import { BaseServerInterceptingCall } from '@grpc/grpc-js/build/src/server-interceptors.js';
import type { BufferPool } from '../../base/buffer-pool.ts';
import { MillraceError, type Reason } from '../../base/errors.ts';
import { LISTEN_BACKLOG } from '../../base/listen-backlog.ts';
import type { Tls } from '../../security/tls.ts';
import { partsSize, type MessageParts } from '../wire/infer-codec.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { FRAME_BYTES } from './transport.ts';

/**
 * Everything here reaches into @grpc/grpc-js, so it holds for one version alone. Subclasses rather than patched prototypes:
 * other users of the package in this process are left as they are. It saves a copy of each tensor either way, a Duplex per
 * stream, and two promises and a `Writable` turn per message.
 */
const PINNED_VERSION = '1.14.7';

/** Throws unless the installed @grpc/grpc-js is the version that this file was written against. */
export function checkGrpcJsVersion(): void {
  const { version } = createRequire(import.meta.url)('@grpc/grpc-js/package.json') as { version: string };
  if (version !== PINNED_VERSION) {
    throw new MillraceError('CONFIG_INVALID', `@grpc/grpc-js ${PINNED_VERSION} expected, ${version} installed`);
  }
}

export interface CallStatus {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata | null;
}

/** What a call tells its owner, one message for every `startRead`. */
export interface CallListener {
  onReceiveMetadata(metadata: Metadata): void;
  onReceiveMessage(message: Buffer): void;
  onReceiveHalfClose(): void;
  /** The call cannot go on: a message that cannot be read or sent, or the deadline. To be answered by `end`. */
  onFault(error: MillraceError): void;
  /** The call is over, in whatever way. */
  onCancel(): void;
}

interface QueueEntry {
  readonly type: 'COMPRESSED' | 'READABLE' | 'HALF_CLOSE';
  readonly compressedMessage: Buffer | null;
  readonly parsedMessage: Buffer | null;
}

/** The members of `BaseServerInterceptingCall` used below. */
interface CallInternals {
  readonly stream: ServerHttp2Stream;
  readonly maxReceiveMessageSize: number;
  readonly maxSendMessageSize: number;
  readonly readQueue: QueueEntry[];
  decoder: { write(chunk: Buffer): Buffer[] };
  start(listener: CallListener): void;
  startRead(): void;
  getDeadline(): Date | number;
  sendStatus(status: CallStatus): void;
  sendMessage(message: MessageParts, callback: () => void): boolean;
  checkCancelled(): boolean;
  maybeSendMetadata(): void;
  maybePushNextMessage(): void;
  decompressAndMaybePush(entry: QueueEntry): Promise<void>;
  handleDataFrame(data: Buffer): void;
  handleEndEvent(): void;
}

const BaseCall = BaseServerInterceptingCall as unknown as new (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  tracker: null,
  handler: Handler,
  options: ServerOptions,
) => CallInternals;

/** What the statuses that grpc-js ends a call with are called here. */
const FAULTS: Readonly<Record<number, Reason>> = {
  [status.DEADLINE_EXCEEDED]: 'DEADLINE_EXCEEDED',
  [status.RESOURCE_EXHAUSTED]: 'REQUEST_TOO_LARGE',
  [status.UNIMPLEMENTED]: 'UNSUPPORTED_ENCODING',
};

/** A call that is driven directly: no Duplex or Writable around it, uncompressed messages without a promise each. */
export class DirectCall extends BaseCall {
  readonly #pool: BufferPool | undefined;
  #listener: CallListener | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    handler: Handler,
    options: ServerOptions,
    pool: BufferPool | undefined,
  ) {
    super(stream, headers, null, handler, options);
    this.#pool = pool;
    this.decoder = new FrameDecoder(this.maxReceiveMessageSize, pool);
  }

  /** IP address of the client; "" once it is gone. */
  get peerAddress(): string {
    const { session } = this.stream;
    return session === undefined || session.destroyed ? '' : (session.socket.remoteAddress ?? '');
  }

  /** Bytes written and not yet taken by HTTP/2. */
  get unsentBytes(): number {
    return this.stream.writableLength;
  }

  override start(listener: CallListener): void {
    this.#listener = listener;
    super.start(listener);
  }

  /** Ends the call. */
  end(status: CallStatus): void {
    super.sendStatus(status);
  }

  /** Only grpc-js calls it, of its own accord: it could not decompress a message, or the deadline has passed. */
  override sendStatus({ code, details }: CallStatus): void {
    this.#listener?.onFault(new MillraceError(FAULTS[code] ?? 'MALFORMED_REQUEST', details));
  }

  override handleDataFrame(data: Buffer): void {
    if (this.checkCancelled()) return;
    let frames: Buffer[];
    try {
      frames = this.decoder.write(data);
    } catch (error) {
      this.#listener?.onFault(new MillraceError('REQUEST_TOO_LARGE', (error as Error).message));
      return;
    }
    for (const frame of frames) {
      if (frame[0] === 0) {
        this.readQueue.push({
          type: 'READABLE',
          compressedMessage: null,
          parsedMessage: frame.subarray(FRAME_BYTES),
        });
      } else {
        const entry: QueueEntry = { type: 'COMPRESSED', compressedMessage: frame, parsedMessage: null };
        this.readQueue.push(entry);
        void this.decompressAndMaybePush(entry);
      }
    }
    if (frames.length === 0) return;
    this.stream.pause();
    this.maybePushNextMessage();
  }

  /** A reset stream ends too, just before it closes; that is no half-close (grpc-node#2583). */
  override handleEndEvent(): void {
    if (this.stream.rstCode !== undefined && this.stream.rstCode !== 0) return;
    super.handleEndEvent();
  }

  /**
   * Sends pieces as they are, the header written into the bytes reserved for it. `callback`: taken by HTTP/2. False: it
   * cannot be sent, and the call is over.
   */
  override sendMessage(message: MessageParts, callback: () => void): boolean {
    if (this.checkCancelled()) return false;
    const length = partsSize(message) - FRAME_BYTES;
    if (this.maxSendMessageSize !== -1 && length > this.maxSendMessageSize) {
      const text = `Sent message larger than max (${length} vs. ${this.maxSendMessageSize}, grpc_max_message_bytes)`;
      this.#listener?.onFault(new MillraceError('LIMIT_REACHED', text));
      return false;
    }
    const head = message[0] as Uint8Array;
    head[0] = 0;
    head[1] = length >>> 24;
    head[2] = length >>> 16;
    head[3] = length >>> 8;
    head[4] = length;
    this.maybeSendMetadata();
    const last = message.length - 1;
    if (last > 0) this.stream.cork();
    for (let i = 0; i < last; i++) this.stream.write(message[i]);
    this.stream.write(message[last], last === 0 ? callback : (error) => this.#sent(message, callback, error));
    if (last > 0) this.stream.uncork();
    return true;
  }

  /**
   * Big tensors, sent by reference, may lie in memory of the pool. The writes of a stream that was reset are called done at
   * once, though the socket may still be reading from it.
   */
  #sent(message: MessageParts, callback: () => void, error: Error | null | undefined): void {
    const isWritten = (error ?? null) === null && this.stream.rstCode === constants.NGHTTP2_NO_ERROR;
    if (isWritten && this.#pool !== undefined) for (const part of message) this.#pool.give(part);
    callback();
  }
}

/** What grpc-js keeps per method; `func` gets the call itself. */
interface Handler {
  readonly func: (call: DirectCall) => void;
}

interface ServerInternals extends Pick<Server, 'bindAsync' | 'tryShutdown'> {
  forceShutdown(): void;
  readonly options: ServerOptions;
  readonly commonServerOptions: { settings?: object };
  createHttp2Server(credentials: unknown): Http2Server;
  onStreamOpened(stream: ServerHttp2Stream): void;
  _verifyContentType(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean;
  _retrieveHandler(path: string): Handler | null;
  _respondWithError(error: { code: number; details: string }, stream: ServerHttp2Stream, info: null): void;
  _streamHandler(interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

const BaseServer = Server as unknown as new (options: ServerOptions) => ServerInternals;

export interface Windows {
  /** What a client may send on one RPC ahead of being read. */
  readonly streamBytes: number;
  /** The same for all RPCs of a connection. */
  readonly connectionBytes: number;
  readonly maxFrameBytes: number;
}

/** A server whose calls are `DirectCall`s, with HTTP/2 windows fit for tensors. Interceptors are not supported. */
export class DirectServer extends BaseServer {
  readonly #windows: Windows;
  readonly #pool: BufferPool | undefined;
  readonly #tls: Tls | undefined;
  readonly #sessions = new Set<ServerHttp2Session>();

  /** @param tls undefined: not encrypted */
  constructor(options: ServerOptions, windows: Windows, pool: BufferPool | undefined, tls: Tls | undefined) {
    super(options);
    this.#pool = pool;
    this.#tls = tls;
    this.#windows = windows;
    this.commonServerOptions.settings = {
      ...this.commonServerOptions.settings,
      initialWindowSize: windows.streamBytes,
      maxFrameSize: windows.maxFrameBytes,
    };
  }

  /** Adds a method by path. */
  handle(path: string, func: (call: DirectCall) => void): void {
    const identity = (bytes: Buffer): Buffer => bytes;
    (this as unknown as { register(...args: unknown[]): void }).register(path, func, identity, identity, 'bidi');
  }

  override createHttp2Server(credentials: unknown): Http2Server {
    const server = super.createHttp2Server(credentials);
    const listen = server.listen.bind(server) as (address: object, onListening: () => void) => Http2Server;
    server.listen = ((address: object, onListening: () => void) =>
      listen({ ...address, backlog: LISTEN_BACKLOG }, onListening)) as Http2Server['listen'];
    // grpc-js would set neither the least version nor, later, other certificates.
    if (this.#tls !== undefined) server.once('close', this.#tls.serve(server as unknown as Http2SecureServer));
    server.on('session', (session: ServerHttp2Session) => {
      session.setLocalWindowSize(this.#windows.connectionBytes);
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    });
    return server;
  }

  /** With channelz off, grpc-js 1.14.7 forgets its sessions here, and open streams would go on. */
  override forceShutdown(): void {
    super.forceShutdown();
    for (const session of this.#sessions) {
      (session as unknown as { destroy(code: number): void }).destroy(constants.NGHTTP2_CANCEL);
    }
  }

  override _streamHandler(_interceptors: unknown, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // The close event that follows tells the call; without a listener the error would be an uncaught exception.
    stream.once('error', () => {});
    this.onStreamOpened(stream);
    if (!this._verifyContentType(stream, headers)) return;
    const path = headers[':path'] as string;
    const handler = this._retrieveHandler(path);
    if (handler === null) {
      const details = `The server does not implement the method ${path}`;
      this._respondWithError({ code: status.UNIMPLEMENTED, details }, stream, null);
      return;
    }
    handler.func(new DirectCall(stream, headers, handler, this.options, this.#pool));
  }
}
