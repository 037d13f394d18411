import type { BufferPool } from '../base/buffer-pool.ts';
import { MillraceError } from '../base/errors.ts';
import type { LogSettings } from '../base/logger.ts';
import type { Cancellation } from '../base/cancellation.ts';
import { TransientMap } from '../base/transient-map.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { openBody, readError, readRequest, readResponse, readResponseTiming, writeRequest } from './codec.ts';
import { Connection, type OpenStream } from './connection.ts';
import { FIRST_HOST_CHANNEL, MESSAGE, PROTOCOL_VERSION } from './frame.ts';
import type { HeadReader } from './head.ts';
import type { HostHandler, HostSession } from './host-handler.ts';
import { endChannel, IncomingCalls } from './incoming-calls.ts';
import type { MessageStores } from './message-store.ts';
import type { MetricUpdate } from './metric-update.ts';
import { OutgoingCalls } from './outgoing-calls.ts';
import { readProgress } from './progress-tally.ts';
import type { ResourceNeed } from './resource-need.ts';
import type { RunTiming } from './run-timing.ts';
import { RemoteSession } from './remote-session.ts';
import { SessionChannel } from './session-channel.ts';
import type { SessionPort, SessionSink } from './session.ts';

/** Runs of models on other hosts that may be under way at once; more wait in the host, and their graphs with them. */
const OWN_CALLS = { maxMessages: 256, maxBytes: 64 * 2 ** 20 };

/** Responses of one step of an ensemble that may be under way to it. */
const OWN_SESSION = { maxMessages: 64, maxBytes: 64 * 2 ** 20 };

export interface HostServerParts {
  /** Of every error that is not ours to send, for the log. */
  readonly onFault: (error: unknown) => void;
  readonly onClose: () => void;
  /** Where the memory of big messages comes from; the handler gives it back where it can. */
  readonly pool?: BufferPool | undefined;
  /** Memory that the front has too. */
  readonly stores?: MessageStores | undefined;
}

/** The host's end of the protocol. */
export class HostServer {
  readonly #connection: Connection;
  readonly #handler: HostHandler;
  readonly #onFault: (error: unknown) => void;
  readonly #calls: IncomingCalls;
  /** Of models that are on other hosts. */
  readonly #ownCalls: OutgoingCalls;
  /** On steps of ensembles, which are on whatever host. */
  readonly #ownSessions = new TransientMap<number, RemoteSession>();
  /** Runs that wait for resources, or hold them. */
  readonly #acquired = new TransientMap<number, { resolve(): void; reject(error: MillraceError): void }>();
  #nextOwnChannel = FIRST_HOST_CHANNEL;
  readonly #sessions = new TransientMap<number, SessionChannel>();

  constructor(open: OpenStream, handler: HostHandler, { onFault, onClose, pool, stores }: HostServerParts) {
    this.#handler = handler;
    this.#onFault = onFault;
    this.#connection = new Connection(
      open,
      (type, channel, body) => this.#receive(type, channel, body),
      () => {
        this.#abortAll();
        onClose();
      },
      pool,
      stores,
    );
    this.#calls = new IncomingCalls(this.#connection, (...call) => handler.infer(...call), onFault);
    const newChannel = (): number => this.#newOwnChannel();
    this.#ownCalls = new OutgoingCalls({ connection: this.#connection, newChannel, limits: OWN_CALLS });
  }

  /**
   * Told before a model run, since nothing is heard of this process until it ends if its thread is the process's own.
   * @param thread 0: the process's own
   * @returns settles when the front can hear of it, which big responses may be in the way of; undefined: it can
   */
  runStarted(deadlineMs: number, thread: number): Promise<void> | undefined {
    this.#connection.send(MESSAGE.RUN_STARTED, 0, (writer) => {
      writer.varint(Math.ceil(deadlineMs));
      writer.varint(thread);
    });
    return this.#connection.flushed();
  }

  /** @param loadId the model that ran; 0 where what ended was no inference */
  runEnded(loadId: number, timing: RunTiming, thread: number): void {
    // With the response, or the beginning of the next run: each write to the front may wake it.
    this.#connection.sendAlong(MESSAGE.RUN_ENDED, (writer) => {
      writer.varint(loadId);
      writer.varint(timing.batchSize);
      writer.varint(timing.requests);
      writer.varint(timing.queueNs);
      writer.varint(timing.inputNs);
      writer.varint(timing.inferNs);
      writer.varint(timing.outputNs);
      writer.varint(thread);
    });
  }

  metered(loadId: number, updates: readonly MetricUpdate[]): void {
    this.#connection.send(MESSAGE.METRICS, 0, (writer) => {
      writer.varint(loadId);
      writer.string(JSON.stringify(updates));
    });
  }

  /** Runs a model that is on another host, by the number that the front gave it. */
  infer(loadId: number, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    return this.#ownCalls.infer(loadId, request, cancellation);
  }

  /** Opens a session on a step of an ensemble, as `HostClient.openSession`. */
  openSession(loadId: number, first: InferenceRequest, sink: SessionSink): SessionPort {
    const channel = this.#newOwnChannel();
    const parts = { connection: this.#connection, channel, limits: OWN_SESSION, pool: undefined, isPaced: false };
    const session = new RemoteSession(parts, sink, () => this.#ownSessions.delete(channel));
    this.#ownSessions.set(channel, session);
    this.#connection.send(MESSAGE.OPEN, channel, (writer) => {
      writer.varint(loadId);
      writer.varint(OWN_SESSION.maxMessages);
      writer.varint(OWN_SESSION.maxBytes);
      return writeRequest(writer, { ...first, inputs: [] });
    });
    return session;
  }

  /** Waits for resources that runs of all hosts share. @returns how to give them back */
  acquire(loadId: number, need: ResourceNeed): Promise<() => void> {
    const channel = this.#newOwnChannel();
    this.#connection.send(MESSAGE.ACQUIRE, channel, (writer) => {
      writer.varint(Math.max(0, loadId));
      writer.string(JSON.stringify(need));
    });
    return new Promise((resolve, reject) => {
      const release = (): void => {
        this.#acquired.delete(channel);
        this.#connection.send(MESSAGE.RELEASE, channel);
      };
      this.#acquired.set(channel, { resolve: () => resolve(release), reject });
    });
  }

  /** Nothing here uses a model of another host any more. */
  released(loadId: number): void {
    this.#connection.send(MESSAGE.RELEASED, 0, (writer) => writer.varint(loadId));
  }

  #newOwnChannel(): number {
    do {
      this.#nextOwnChannel = this.#nextOwnChannel >= 0xffff_fff0 ? FIRST_HOST_CHANNEL : this.#nextOwnChannel + 1;
    } while (
      this.#ownCalls.has(this.#nextOwnChannel) ||
      this.#ownSessions.has(this.#nextOwnChannel) ||
      this.#acquired.has(this.#nextOwnChannel)
    );
    return this.#nextOwnChannel;
  }

  #receive(type: number, channel: number, body: Buffer): void {
    const { head, tensorsAt } = openBody(body);
    switch (type) {
      case MESSAGE.PUSH:
        return this.#sessions.get(channel)?.push(readRequest(body, head, tensorsAt));
      case MESSAGE.INFER:
        return void this.#calls.answer(channel, body, head, tensorsAt);
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
        this.#calls.cancel(channel, readError(head));
        return this.#sessions.get(channel)?.abort(readError(openBody(body).head));
      case MESSAGE.RESPONSE: {
        const timing = readResponseTiming(head);
        const response = readResponse(body, head, tensorsAt);
        if (!this.#ownCalls.respond(channel, response)) this.#ownSessions.get(channel)?.respond(response, timing);
        return;
      }
      case MESSAGE.END: {
        const error = head.byte() === 0 ? undefined : readError(head);
        if (!this.#ownCalls.fail(channel, error)) this.#ownSessions.get(channel)?.end(error);
        return;
      }
      case MESSAGE.TAKEN:
        return this.#ownSessions.get(channel)?.take(readProgress(head));
      case MESSAGE.REQUEST_ERROR:
        return this.#ownSessions.get(channel)?.refuse(head.string(), readError(head));
      case MESSAGE.GRANTED:
        return this.#acquired.get(channel)?.resolve();
      case MESSAGE.PING:
        return this.#connection.send(MESSAGE.PONG, 0);
      case MESSAGE.LOG:
        return this.#handler.setLog?.(JSON.parse(head.string()) as LogSettings);
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
      endChannel(this.#connection, channel, error, this.#onFault);
    }
  }

  #open(channel: number, body: Buffer, head: HeadReader, tensorsAt: number, openIn: HostHandler['open']): void {
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

  #abortAll(): void {
    const error = new MillraceError('SHUTTING_DOWN', 'the server is gone');
    this.#calls.cancelAll(error);
    this.#ownCalls.lose(error);
    for (const session of this.#sessions.values()) session.abort(error);
    for (const session of this.#ownSessions.values()) session.end(error);
    for (const waiting of this.#acquired.values()) waiting.reject(error);
  }
}
