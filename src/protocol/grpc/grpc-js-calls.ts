import { Metadata, status } from '@grpc/grpc-js';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { setOwn } from '../../base/set-own.ts';
import { grpcAccess } from '../../security/access.ts';
import type { Grant } from '../../security/grant.ts';
import type { Guard } from '../../security/guard.ts';
import type { Headers } from '../../tensor/inference.ts';
import type { MessageParts } from '../wire/infer-codec.ts';
import { servableName } from '../wire/servable-name.ts';
import type { CallMeter, MethodMeter } from './call-metrics.ts';
import type { CallListener, CallStatus, DirectCall } from './grpc-js-patches.ts';
import { toCallError, toGrpcStatus } from './status.ts';
import type {
  Call,
  StreamCall,
  StreamHandler,
  StreamListener,
  Trailers,
  UnaryCall,
  UnaryHandler,
} from './transport.ts';

const OK: CallStatus = { code: status.OK, details: '', metadata: null };
const nothing = (): void => {};

/** Timers may fire this much before the clock says so. */
const TIMER_SLACK_MS = 2;

/** What all calls of a listener share. */
export interface CallParts {
  readonly logger: Logger;
  /** Unsent bytes of one call from which its `write` returns false. */
  readonly writeHighWaterBytes: number;
  /** Every call that is not over. */
  readonly live: Set<GrpcJsCall>;
  /** Undefined: calls are not counted. */
  readonly meter: CallMeter | undefined;
  /** Undefined: no tokens are asked for. */
  readonly guard: Guard | undefined;
}

/** What both kinds of call share: headers, deadline, how they end. */
export abstract class GrpcJsCall implements Call {
  readonly cancellation = new Cancellation();
  readonly deadlineMs: number;
  protected readonly call: DirectCall;
  protected readonly path: string;
  protected readonly meter: MethodMeter | undefined;
  protected ended = false;
  readonly #startedAt: number;
  readonly #parts: CallParts;
  #metadata: Metadata | undefined;
  #grant: Grant | undefined;

  constructor(call: DirectCall, path: string, parts: CallParts) {
    this.call = call;
    this.path = path;
    this.#parts = parts;
    this.meter = parts.meter?.of(path);
    this.#startedAt = this.meter === undefined ? 0 : performance.now();
    this.meter?.started();
    parts.live.add(this);
    const deadline = call.getDeadline();
    this.deadlineMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  header(name: string): string | undefined {
    const value = this.#metadata?.get(name)[0];
    return typeof value === 'string' ? value : undefined;
  }

  headers(): Headers {
    const headers: Record<string, string> = {};
    const all = (this.#metadata?.toJSON() ?? {}) as Record<string, unknown[]>;
    for (const name in all) {
      for (const value of all[name] ?? []) {
        if (typeof value !== 'string') continue;
        setOwn(headers, name, Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value);
      }
    }
    return headers;
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#metadata = metadata;
    const { guard } = this.#parts;
    if (guard === undefined) return;
    const caller = { authorization: this.header('authorization'), address: this.call.peerAddress, call: this.path };
    // Runtimes get a request's metadata; the token is none of theirs.
    metadata.remove('authorization');
    try {
      this.#grant = guard.enter(grpcAccess(this.path), caller, (error) => this.stop(error));
    } catch (error) {
      this.fail(error);
    }
  }

  /** @throws MillraceError PERMISSION_DENIED where an inference request names a servable that the caller may not use */
  protected checkMessage(message: Buffer): void {
    if (this.#grant?.names === 'inference') this.#grant.check(servableName(message));
  }

  /** grpc-js calls it at the end of every call; only an end that was not ours is a cancellation. */
  onCancel(): void {
    this.#parts.live.delete(this);
    this.#grant?.[Symbol.dispose]();
    if (this.ended) return;
    this.ended = true;
    const isLate = Date.now() >= this.deadlineMs - TIMER_SLACK_MS;
    this.countEnd(isLate ? status.DEADLINE_EXCEEDED : status.CANCELLED);
    this.cancellation.cancel(
      isLate
        ? new MillraceError('DEADLINE_EXCEEDED', 'Deadline Exceeded')
        : new MillraceError('CANCELLED', 'the client cancelled the call'),
    );
  }

  onFault(error: MillraceError): void {
    this.stop(error);
  }

  /** Ends the call from outside, with an error, and what it set going. */
  stop(error: MillraceError): void {
    if (this.fail(error) !== undefined) this.cancellation.cancel(error);
  }

  /** Ends the call with the status of what was thrown. */
  protected fail(thrown: unknown): MillraceError | undefined {
    if (this.ended) return undefined;
    this.ended = true;
    const error = toCallError(thrown, this.#parts.logger, this.path);
    const { code, details, trailers } = toGrpcStatus(error);
    this.countEnd(code);
    this.call.end({ code, details, metadata: toMetadata({ ...trailers, ...this.failureTrailers() }) });
    return error;
  }

  /** How the call ended, for the metrics. */
  protected countEnd(code: number): void {
    this.meter?.ended(code, performance.now() - this.#startedAt);
  }

  /** Trailing metadata beside the status of a failure. */
  protected failureTrailers(): Trailers {
    return {};
  }
}

/** What gRPC keeps for itself, or sends as bytes. */
const NAME = /^[0-9a-z_.-]+$/;
const RESERVED = /^(?:grpc-|:|content-type$|te$|user-agent$)|-bin$/;

/** A runtime may have named any header: those that are no metadata are left out. */
function toMetadata(trailers: Trailers): Metadata {
  const sendable: Record<string, string> = {};
  for (const name in trailers) {
    const value = trailers[name] as string;
    if (NAME.test(name) && !RESERVED.test(name) && /^[\x20-\x7e]*$/.test(value)) sendable[name] = value;
  }
  return new TrailingMetadata(sendable);
}

/** Checked metadata on its way out, of which grpc-js wants nothing but its HTTP/2 headers: it would check, copy and convert each once more. */
class TrailingMetadata extends Metadata {
  readonly #headers: Record<string, string>;

  constructor(headers: Record<string, string>) {
    super();
    this.#headers = headers;
  }

  override clone(): Metadata {
    return this;
  }

  override toHttp2Headers(): Record<string, string> {
    return this.#headers;
  }
}

/** One unary RPC: reads one message and the half-close, runs the handler, replies. */
export class GrpcJsUnaryCall extends GrpcJsCall implements UnaryCall, CallListener {
  readonly #handler: UnaryHandler;
  #request: Buffer | undefined;
  #trailers: Trailers | undefined;

  constructor(call: DirectCall, path: string, parts: CallParts, handler: UnaryHandler) {
    super(call, path, parts);
    this.#handler = handler;
  }

  /** There while the handler is being called, not after. */
  get request(): Buffer {
    return this.#request as Buffer;
  }

  setTrailers(trailers: Trailers): void {
    this.#trailers = trailers;
  }

  override onReceiveMetadata(metadata: Metadata): void {
    super.onReceiveMetadata(metadata);
    if (!this.ended) this.call.startRead();
  }

  onReceiveMessage(message: Buffer): void {
    if (this.#request !== undefined) {
      this.fail(new MillraceError('NOT_SUPPORTED', `${this.path} takes one request message`));
      return;
    }
    this.#request = message;
    this.meter?.received();
    this.call.startRead();
  }

  onReceiveHalfClose(): void {
    if (this.#request === undefined) {
      this.fail(new MillraceError('NOT_SUPPORTED', `${this.path} takes one request message, none came`));
      return;
    }
    try {
      this.checkMessage(this.#request);
      const reply = this.#handler(this);
      // The handler has read it; an inference may take long, and the bytes need not be held here as well.
      this.#request = undefined;
      if (reply instanceof Promise)
        reply.then((parts) => this.#reply(parts)).catch((error: unknown) => this.fail(error));
      else this.#reply(reply);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The status goes out behind the message without waiting for it: both share the last packets. */
  #reply(parts: MessageParts): void {
    if (this.ended) return;
    if (!this.call.sendMessage(parts, nothing)) return;
    this.ended = true;
    this.meter?.sent();
    this.countEnd(status.OK);
    this.call.end(this.#trailers === undefined ? OK : { ...OK, metadata: toMetadata(this.#trailers) });
  }
}

/** One streaming RPC. Messages are pulled one by one, so a paused call buffers no more than one HTTP/2 frame. */
export class GrpcJsStreamCall extends GrpcJsCall implements StreamCall, CallListener {
  readonly #handler: StreamHandler;
  #highWaterBytes: number;
  #listener: StreamListener | undefined;
  #paused = false;
  #reading = false;
  #pumping = false;
  #needsDrain = false;

  constructor(call: DirectCall, path: string, parts: CallParts, handler: StreamHandler) {
    super(call, path, parts);
    this.#handler = handler;
    this.#highWaterBytes = parts.writeHighWaterBytes;
  }

  override onReceiveMetadata(metadata: Metadata): void {
    super.onReceiveMetadata(metadata);
    if (this.ended) return;
    try {
      this.#listener = this.#handler(this);
    } catch (error) {
      this.#abort(error);
      return;
    }
    this.#pump();
  }

  onReceiveMessage(message: Buffer): void {
    this.#reading = false;
    if (this.ended) return;
    this.meter?.received();
    try {
      this.checkMessage(message);
      this.#listener?.onMessage(message);
    } catch (error) {
      this.#abort(error);
      return;
    }
    this.#pump();
  }

  onReceiveHalfClose(): void {
    if (this.ended) return;
    try {
      this.#listener?.onHalfClose();
    } catch (error) {
      this.#abort(error);
    }
  }

  write(message: MessageParts): boolean {
    if (this.ended) return true;
    this.meter?.sent();
    this.call.sendMessage(message, this.#written);
    if (this.call.unsentBytes < this.#highWaterBytes) return true;
    this.#needsDrain = true;
    return false;
  }

  paceWrites(): void {
    this.#highWaterBytes = 1;
  }

  end(error?: MillraceError): void {
    if (this.ended) return;
    if (error !== undefined) {
      this.#abort(error);
      return;
    }
    this.ended = true;
    this.countEnd(status.OK);
    this.call.end({ ...OK, metadata: toMetadata(this.#listener?.trailers?.(true) ?? {}) });
  }

  protected override failureTrailers(): Trailers {
    return this.#listener?.trailers?.(false) ?? {};
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#pump();
  }

  /** What the stream set going must stop too. */
  #abort(thrown: unknown): void {
    const error = this.fail(thrown);
    if (error !== undefined) this.cancellation.cancel(error);
  }

  /** A loop, not a recursion: `startRead` may deliver a queued message before it returns. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#paused && !this.#reading && !this.ended) {
      this.#reading = true;
      this.call.startRead();
    }
    this.#pumping = false;
  }

  readonly #written = (): void => {
    if (!this.#needsDrain || this.ended || this.call.unsentBytes > this.#highWaterBytes / 2) return;
    this.#needsDrain = false;
    try {
      this.#listener?.onDrain();
    } catch (error) {
      this.#abort(error);
    }
  };
}
