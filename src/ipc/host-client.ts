import type { Duplex } from 'node:stream';
import type { BufferPool } from '../base/buffer-pool.ts';
import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { LogSettings } from '../base/logger.ts';
import { TransientMap } from '../base/transient-map.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { openBody, readError, readRequest, readResponse, readResponseTiming, writeRequest } from './codec.ts';
import { Connection, fromStream } from './connection.ts';
import { FIRST_HOST_CHANNEL, MESSAGE, PROTOCOL_VERSION } from './frame.ts';
import type { HeadReader } from './head.ts';
import type { HostHandler } from './host-handler.ts';
import { IncomingCalls, type Infer } from './incoming-calls.ts';
import type { MessageStores } from './message-store.ts';
import { OutgoingCalls } from './outgoing-calls.ts';
import { readProgress } from './progress-tally.ts';
import { RemoteSession } from './remote-session.ts';
import type { ResourceNeed } from './resource-need.ts';
import { SessionChannel } from './session-channel.ts';
import type { MetricUpdate } from './metric-update.ts';
import type { RunTiming } from './run-timing.ts';
import type { ResponseTiming, SessionLimits, SessionPort, SessionSink } from './session.ts';

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: MillraceError): void;
}

export interface HostEvents {
  /** Any sign of life. */
  onAlive(): void;
  /**
   * A model run starts on the host's own thread, 0, and the host is silent until `onRunEnded`. Or a run on another thread has passed
   * its deadline, or takes long and has none. A thread runs one model at a time.
   * @param deadlineMs 0: none
   */
  onRunStarted(deadlineMs: number, thread: number): void;
  onRunEnded(loadId: number, timing: RunTiming, thread: number): void;
  /** A runtime measured something itself. */
  onMetrics(loadId: number, updates: readonly MetricUpdate[]): void;
  /** A graph of the host runs a model that is on another one. */
  onCall?: Infer;
  /** An ensemble of the host runs a step that answers more than once. @throws MillraceError when it cannot be opened */
  onOpen?: HostHandler['open'];
  /**
   * A run of the host wants resources that runs share.
   * @param grant called once, with how to give them back
   * @returns takes it back
   */
  onAcquire?(loadId: number, need: ResourceNeed, grant: (release: () => void) => void): () => void;
  /** The host has no use any more for a model that is on another one, which it was told to unload. */
  onReleased?(loadId: number): void;
  /** A fault in `onCall` that is not the host's to hear. */
  onFault?(error: unknown): void;
}

/** The front's end of the protocol with one host. */
export class HostClient {
  readonly #connection: Connection;
  readonly #events: HostEvents;
  readonly #limits: SessionLimits;
  readonly #pool: BufferPool | undefined;
  readonly #calls: OutgoingCalls;
  /** Of models that are on other hosts. */
  readonly #hostsCalls: IncomingCalls;
  /** Gives back what a run of the host holds, or waits for. */
  readonly #acquired = new TransientMap<number, { release(): void }>();
  /** On steps of the host's ensembles. */
  readonly #hostsSessions = new TransientMap<number, SessionChannel>();
  readonly #sessions = new TransientMap<number, RemoteSession>();
  /** Answers in JSON, by channel: welcome and loads. */
  readonly #replies = new Map<number, Waiting<unknown>>();
  #nextChannel = 1;
  #pipelineCount = 0;
  #lost: MillraceError | undefined;
  /** What the calls and sessions hear when the connection ends; the supervisor knows better and says so in time. */
  lossReason = 'its host process ended unexpectedly';

  /**
   * @param pool for big messages; requests' memory is given back once it is sent
   * @param stores that the host has too
   */
  constructor(stream: Duplex, limits: SessionLimits, events: HostEvents, pool?: BufferPool, stores?: MessageStores) {
    this.#limits = limits;
    this.#events = events;
    this.#connection = new Connection(
      fromStream(stream),
      (type, channel, body) => this.#receive(type, channel, body),
      () => this.#lose(),
      pool,
      stores,
    );
    this.#pool = pool;
    const parts = { connection: this.#connection, newChannel: () => this.#newChannel(), pool };
    this.#calls = new OutgoingCalls(parts);
    const infer: Infer = (...call) => events.onCall?.(...call) ?? Promise.reject(nobodyAnswers());
    this.#hostsCalls = new IncomingCalls(this.#connection, infer, (fault) => events.onFault?.(fault), pool);
  }

  /** Its connection has ended; whether the process has too, is heard later. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** It has not answered its greeting or a load yet. */
  get isLoading(): boolean {
    return this.#replies.size > 0;
  }

  /** Calls and sessions under way: what placement compares. */
  get callCount(): number {
    return this.#calls.size + this.#sessions.size;
  }

  /** Video pipelines that run in it, and calls for those of other hosts. */
  get pipelineCount(): number {
    return this.#pipelineCount;
  }

  /** Counts a call for a pipeline of another host until it is disposed of. */
  countPipelineCall(): Disposable {
    this.#pipelineCount++;
    return { [Symbol.dispose]: () => void this.#pipelineCount-- };
  }

  /** Unary calls under way. */
  get unaryCount(): number {
    return this.#calls.size;
  }

  /** Greets the host with its settings; settles when it is ready for loads. */
  async hello(settings: object): Promise<void> {
    await this.#ask(MESSAGE.HELLO, { protocol: PROTOCOL_VERSION, settings });
  }

  /**
   * Loads a servable under a number of the front's choice. Resolves with what the host says of it.
   * @throws MillraceError HOST_LOST with `details.whileLoading` where it was this load that the host ended in
   */
  loadServable(loadId: number, spec: object): Promise<unknown> {
    return this.#ask(MESSAGE.LOAD, { loadId, spec });
  }

  /** New calls of it are over; its sessions go on to their end, then its memory is freed. */
  unload(loadId: number): void {
    this.#connection.send(MESSAGE.UNLOAD, 0, (writer) => writer.varint(loadId));
  }

  /** What it logs from now on. */
  setLog(settings: LogSettings): void {
    this.#connection.send(MESSAGE.LOG, 0, (writer) => writer.string(JSON.stringify(settings)));
  }

  ping(): void {
    this.#connection.send(MESSAGE.PING, 0);
  }

  infer(loadId: number, request: InferenceRequest, cancellation: Cancellation): Promise<InferenceResponse> {
    return this.#calls.infer(loadId, request, cancellation);
  }

  /**
   * Opens a session; of `first` only parameters and headers are used. A fault in opening comes as the session's end.
   * @param isPaced its host is told when its reader is slow
   */
  openSession(loadId: number, first: InferenceRequest, sink: SessionSink, isPaced = false): SessionPort {
    return this.#open(MESSAGE.OPEN, loadId, first, sink, isPaced);
  }

  /** Starts a video pipeline: its program is a parameter of `first`, requests are commands to it. */
  openPipeline(loadId: number, first: InferenceRequest, sink: SessionSink): SessionPort {
    return this.#open(MESSAGE.OPEN_PIPELINE, loadId, first, sink, false);
  }

  #open(
    type: typeof MESSAGE.OPEN | typeof MESSAGE.OPEN_PIPELINE,
    loadId: number,
    first: InferenceRequest,
    sink: SessionSink,
    isPaced: boolean,
  ): SessionPort {
    const channel = this.#newChannel();
    const parts = { connection: this.#connection, channel, limits: this.#limits, pool: this.#pool, isPaced };
    const isPipeline = type === MESSAGE.OPEN_PIPELINE;
    const session = new RemoteSession(parts, sink, () => {
      if (this.#sessions.delete(channel) && isPipeline) this.#pipelineCount--;
    });
    const lost = this.#lost;
    if (lost !== undefined) {
      queueMicrotask(() => session.end(lost));
      return session;
    }
    this.#sessions.set(channel, session);
    if (isPipeline) this.#pipelineCount++;
    this.#connection.send(type, channel, (writer) => {
      writer.varint(loadId);
      writer.varint(this.#limits.maxMessages);
      writer.varint(this.#limits.maxBytes);
      return writeRequest(writer, { ...first, inputs: [] });
    });
    return session;
  }

  /** Ends the connection, at which a host process ends by itself. */
  close(reason: string): void {
    this.lossReason = reason;
    this.#connection.close();
  }

  #ask(type: typeof MESSAGE.HELLO | typeof MESSAGE.LOAD, question: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost);
      const channel = this.#newChannel();
      this.#replies.set(channel, { resolve, reject });
      this.#connection.send(type, channel, (writer) => writer.string(JSON.stringify(question)));
    });
  }

  #newChannel(): number {
    do {
      this.#nextChannel = this.#nextChannel >= FIRST_HOST_CHANNEL - 1 ? 1 : this.#nextChannel + 1;
    } while (
      this.#calls.has(this.#nextChannel) ||
      this.#sessions.has(this.#nextChannel) ||
      this.#replies.has(this.#nextChannel)
    );
    return this.#nextChannel;
  }

  #receive(type: number, channel: number, body: Buffer): void {
    this.#events.onAlive();
    const { head, tensorsAt } = openBody(body);
    switch (type) {
      case MESSAGE.RESPONSE:
        return this.#receiveResponse(channel, readResponseTiming(head), readResponse(body, head, tensorsAt));
      case MESSAGE.TAKEN:
        return this.#sessions.get(channel)?.take(readProgress(head));
      case MESSAGE.REQUEST_ERROR:
        return this.#sessions.get(channel)?.refuse(head.string(), readError(head));
      case MESSAGE.END:
        return this.#receiveEnd(channel, head);
      case MESSAGE.INFER:
        return void this.#hostsCalls.answer(channel, body, head, tensorsAt);
      case MESSAGE.OPEN:
        return this.#openForHost(channel, body, head, tensorsAt);
      case MESSAGE.PUSH:
        return this.#hostsSessions.get(channel)?.push(readRequest(body, head, tensorsAt));
      case MESSAGE.HALF_CLOSE:
        return this.#hostsSessions.get(channel)?.halfClose();
      case MESSAGE.CREDIT:
        return this.#hostsSessions.get(channel)?.credit(head.varint(), head.varint());
      case MESSAGE.ABORT: {
        const error = readError(head);
        this.#hostsCalls.cancel(channel, error);
        return this.#hostsSessions.get(channel)?.abort(error);
      }
      case MESSAGE.ACQUIRE:
        return this.#acquire(channel, head.varint(), JSON.parse(head.string()) as ResourceNeed);
      case MESSAGE.RELEASE:
        return this.#release(channel);
      case MESSAGE.RELEASED:
        return this.#events.onReleased?.(head.varint());
      case MESSAGE.RUN_STARTED:
        return this.#events.onRunStarted(head.varint(), head.varint());
      case MESSAGE.RUN_ENDED:
        return this.#events.onRunEnded(head.varint(), readTiming(head), head.varint());
      case MESSAGE.METRICS:
        return this.#events.onMetrics(head.varint(), JSON.parse(head.string()) as MetricUpdate[]);
      case MESSAGE.WELCOME:
      case MESSAGE.LOADED: {
        const waiting = this.#replies.get(channel);
        this.#replies.delete(channel);
        return waiting?.resolve(JSON.parse(head.string()));
      }
      default:
        return;
    }
  }

  #acquire(channel: number, loadId: number, need: ResourceNeed): void {
    const grant = (release: () => void): void => {
      // What others of this host give back as it goes comes too late.
      if (this.#lost !== undefined) return release();
      this.#acquired.set(channel, { release });
      this.#connection.send(MESSAGE.GRANTED, channel);
    };
    if (this.#events.onAcquire === undefined) return grant(() => {});
    let isGranted = false;
    const takeBack = this.#events.onAcquire(loadId, need, (release) => {
      isGranted = true;
      grant(release);
    });
    if (!isGranted) this.#acquired.set(channel, { release: takeBack });
  }

  #release(channel: number): void {
    const held = this.#acquired.get(channel);
    this.#acquired.delete(channel);
    held?.release();
  }

  #openForHost(channel: number, body: Buffer, head: HeadReader, tensorsAt: number): void {
    const loadId = head.varint();
    const limits = { maxMessages: head.varint(), maxBytes: head.varint() };
    const first = readRequest(body, head, tensorsAt);
    const session = new SessionChannel(
      this.#connection,
      channel,
      limits,
      (fault) => this.#events.onFault?.(fault),
      () => this.#hostsSessions.delete(channel),
    );
    this.#hostsSessions.set(channel, session);
    session.start(() => {
      if (this.#events.onOpen === undefined) throw nobodyAnswers();
      return this.#events.onOpen(loadId, first, session);
    });
  }

  #receiveResponse(channel: number, timing: ResponseTiming | undefined, response: InferenceResponse): void {
    if (!this.#calls.respond(channel, response)) this.#sessions.get(channel)?.respond(response, timing);
  }

  #receiveEnd(channel: number, head: HeadReader): void {
    const error = head.byte() === 0 ? undefined : readError(head);
    if (this.#calls.fail(channel, error)) return;
    const waiting = this.#replies.get(channel);
    if (waiting === undefined) return this.#sessions.get(channel)?.end(error);
    this.#replies.delete(channel);
    waiting.reject(error ?? new MillraceError('INTERNAL', 'the host ended a load without an answer'));
  }

  #lose(): void {
    const error = new MillraceError('HOST_LOST', `the servable is unavailable: ${this.lossReason}`);
    this.#lost = error;
    // Loads begin one after another, in this order: the first open one was under way, even if a later one had overtaken it.
    const [loading, ...queued] = this.#replies.values();
    loading?.reject(
      new MillraceError('HOST_LOST', `while it was being loaded, ${this.lossReason}`, {
        details: { whileLoading: true },
      }),
    );
    this.#calls.lose(error);
    this.#hostsCalls.cancelAll(error);
    for (const session of this.#hostsSessions.values()) session.abort(error);
    for (const held of this.#acquired.values()) held.release();
    this.#acquired.clear();
    for (const waiting of queued) waiting.reject(error);
    this.#replies.clear();
    for (const session of this.#sessions.values()) session.end(error);
  }
}

function readTiming(head: HeadReader): RunTiming {
  return {
    batchSize: head.varint(),
    requests: head.varint(),
    queueNs: head.varint(),
    inputNs: head.varint(),
    inferNs: head.varint(),
    outputNs: head.varint(),
  };
}

function nobodyAnswers(): MillraceError {
  return new MillraceError('INTERNAL', 'a host asked for a model on another one, and none is known');
}
