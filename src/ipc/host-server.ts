import { MillraceError } from '../base/errors.ts';
import { Cancellation } from '../base/cancellation.ts';
import { TransientMap } from '../base/transient-map.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { openBody, readError, readRequest, writeError, writeResponse, writeResponseTiming } from './codec.ts';
import { Connection, type OpenStream } from './connection.ts';
import { MESSAGE, PROTOCOL_VERSION } from './frame.ts';
import type { HeadReader } from './head.ts';
import type { HostHandler, HostSession } from './host-handler.ts';
import type { MetricUpdate } from './metric-update.ts';
import type { RunTiming } from './run-timing.ts';
import { SessionChannel } from './session-channel.ts';

/** The host's end of the protocol. */
export class HostServer {
  readonly #connection: Connection;
  readonly #handler: HostHandler;
  readonly #onFault: (error: unknown) => void;
  readonly #unary = new TransientMap<number, Cancellation>();
  readonly #sessions = new TransientMap<number, SessionChannel>();

  /** @param onFault told of every error that is not ours to send, for the log */
  constructor(open: OpenStream, handler: HostHandler, onFault: (error: unknown) => void, onClose: () => void) {
    this.#handler = handler;
    this.#onFault = onFault;
    this.#connection = new Connection(
      open,
      (type, channel, body) => this.#receive(type, channel, body),
      () => {
        this.#abortAll();
        onClose();
      },
    );
  }

  /**
   * Told before a model run, since nothing is heard of this process until it ends.
   * @returns settles when the front can hear of it, which big responses may be in the way of; undefined: it can
   */
  runStarted(deadlineMs: number): Promise<void> | undefined {
    this.#connection.send(MESSAGE.RUN_STARTED, 0, (writer) => writer.varint(Math.ceil(deadlineMs)));
    return this.#connection.flushed();
  }

  /** @param loadId the model that ran; 0 where what ended was no inference */
  runEnded(loadId: number, timing: RunTiming): void {
    this.#connection.send(MESSAGE.RUN_ENDED, 0, (writer) => {
      writer.varint(loadId);
      writer.varint(timing.batchSize);
      writer.varint(timing.requests);
      writer.varint(timing.queueNs);
      writer.varint(timing.inputNs);
      writer.varint(timing.inferNs);
      writer.varint(timing.outputNs);
    });
  }

  metered(loadId: number, updates: readonly MetricUpdate[]): void {
    this.#connection.send(MESSAGE.METRICS, 0, (writer) => {
      writer.varint(loadId);
      writer.string(JSON.stringify(updates));
    });
  }

  #receive(type: number, channel: number, body: Buffer): void {
    const { head, tensorsAt } = openBody(body);
    switch (type) {
      case MESSAGE.PUSH:
        return this.#sessions.get(channel)?.push(readRequest(body, head, tensorsAt));
      case MESSAGE.INFER: {
        const loadId = head.varint();
        return void this.#infer(channel, loadId, readRequest(body, head, tensorsAt));
      }
      case MESSAGE.OPEN:
        return this.#open(channel, body, head, tensorsAt, (...opening) => this.#handler.open(...opening));
      case MESSAGE.OPEN_PIPELINE:
        return this.#open(channel, body, head, tensorsAt, (...opening) => this.#openPipeline(...opening));
      case MESSAGE.CREDIT:
        return this.#sessions.get(channel)?.credit(head.varint(), head.varint());
      case MESSAGE.PAUSE:
        return this.#sessions.get(channel)?.pause();
      case MESSAGE.HALF_CLOSE:
        return this.#sessions.get(channel)?.halfClose();
      case MESSAGE.ABORT:
        this.#unary.get(channel)?.cancel(readError(head));
        return this.#sessions.get(channel)?.abort(readError(openBody(body).head));
      case MESSAGE.PING:
        return this.#connection.send(MESSAGE.PONG, 0);
      case MESSAGE.UNLOAD:
        return this.#handler.unload(head.varint());
      case MESSAGE.HELLO:
        return void this.#answer(MESSAGE.WELCOME, channel, this.#hello(head));
      case MESSAGE.LOAD: {
        const { loadId, spec } = JSON.parse(head.string()) as { loadId: number; spec: unknown };
        return void this.#answer(MESSAGE.LOADED, channel, this.#handler.load(loadId, spec));
      }
      default:
        return;
    }
  }

  async #hello(head: HeadReader): Promise<object> {
    const { protocol, settings } = JSON.parse(head.string()) as { protocol: number; settings: object };
    if (protocol !== PROTOCOL_VERSION) {
      throw new MillraceError('INTERNAL', `host protocol ${PROTOCOL_VERSION}, the front speaks ${protocol}`);
    }
    await this.#handler.start(settings);
    return {};
  }

  async #answer(
    type: typeof MESSAGE.WELCOME | typeof MESSAGE.LOADED,
    channel: number,
    result: Promise<object>,
  ): Promise<void> {
    try {
      const reply = JSON.stringify(await result);
      this.#connection.send(type, channel, (writer) => writer.string(reply));
      // Should the next load end this process, the front must know that this one did not.
      this.#connection.flush();
    } catch (error) {
      this.#end(channel, error);
    }
  }

  /** A response that cannot be encoded is a fault of its servable: it ends the call, never the host. */
  async #infer(channel: number, loadId: number, request: InferenceRequest): Promise<void> {
    const cancellation = new Cancellation();
    this.#unary.set(channel, cancellation);
    try {
      const response = await this.#handler.infer(loadId, request, cancellation);
      if (cancellation.error !== undefined) return;
      this.#connection.send(MESSAGE.RESPONSE, channel, (writer) => {
        writeResponseTiming(writer, undefined);
        return writeResponse(writer, response);
      });
    } catch (error) {
      if (cancellation.error === undefined) this.#end(channel, error);
    } finally {
      this.#unary.delete(channel);
    }
  }

  #open(
    channel: number,
    body: Buffer,
    head: HeadReader,
    tensorsAt: number,
    openIn: HostHandler['open'],
  ): void {
    const loadId = head.varint();
    const limits = { maxMessages: head.varint(), maxBytes: head.varint() };
    const first = readRequest(body, head, tensorsAt);
    const session = new SessionChannel(this.#connection, channel, limits, this.#onFault, () =>
      this.#sessions.delete(channel),
    );
    this.#sessions.set(channel, session);
    session.start(() => openIn(loadId, first, session));
  }

  #openPipeline(...opening: Parameters<HostHandler['open']>): HostSession {
    const session = this.#handler.openPipeline?.(...opening);
    if (session === undefined) throw new MillraceError('NOT_SUPPORTED', 'this host runs no pipelines');
    return session;
  }

  #end(channel: number, cause: unknown): void {
    const error = MillraceError.from(cause);
    if (error !== cause) this.#onFault(cause);
    this.#connection.send(MESSAGE.END, channel, (writer) => {
      writer.byte(1);
      writeError(writer, error);
    });
  }

  #abortAll(): void {
    const error = new MillraceError('SHUTTING_DOWN', 'the server is gone');
    for (const cancellation of this.#unary.values()) cancellation.cancel(error);
    for (const session of this.#sessions.values()) session.abort(error);
  }
}
