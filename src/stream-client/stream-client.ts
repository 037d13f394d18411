import { realpathSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Closer } from '../base/closer.ts';
import { MillraceError } from '../base/errors.ts';
import { InferenceError } from '../client/inference-error.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import type { Picture, VideoFrame } from '../media/frame.ts';
import { BackOff } from '../media/sources/back-off.ts';
import { openSource } from '../media/sources/ffmpeg-source.ts';
import type { VideoSource } from '../media/sources/video-source.ts';
import { openSink } from '../media/sinks/open-sink.ts';
import type { VideoSink } from '../media/sinks/video-sink.ts';
import { Backlog } from './backlog.ts';
import { isPassing, type Exchange, type Receiver, type Turn } from './exchange.ts';
import { Flight, type Sent, type Settled } from './flight.ts';
import type { StreamClientOptions } from './options.ts';
import { pictureOf } from './pictures.ts';
import { planRequests, requestOf, type RequestPlan } from './requests.ts';
import { StreamExchange } from './stream-exchange.ts';
import { Tally, type StreamReport } from './tally.ts';
import { UnaryExchange } from './unary-exchange.ts';

const IN_FLIGHT = 4;
/** Answers that may wait to be handled, as a multiple of the frames under way, whatever a graph answers to each. */
const BACKLOG_FACTOR = 4;
const ANSWER_MS = 5_000;
const FILE_RECONNECTS = 5;
/** The server may be at a long inference when the last frame was sent; it is given up after this long without an answer. */
const LAST_ANSWER_MS = 60_000;
const STOPPED_MS = 2_000;
/** A server that refuses this many frames and answers none will answer none. */
const REFUSED_AT_FIRST = 10;

/**
 * Sends the frames of a camera, file or stream to a KServe v2 server and shows, writes or publishes the pictures that come
 * back. One run per instance. What it opens, children included, is closed when `run` settles.
 */
export class StreamClient {
  readonly #options: StreamClientOptions;
  readonly #tally = new Tally();
  readonly #flight: Flight;
  readonly #maxInFlight: number;
  readonly #backlog = new Backlog();
  /** What still waits to be handled is left out. */
  #isOver = false;
  /** No more frames; what is under way is waited for. */
  readonly #stopping = new AbortController();
  #source: VideoSource | undefined;
  #sink: VideoSink | undefined;
  #exchange: Exchange | undefined;
  #plan: RequestPlan | undefined;
  #failure: Error | undefined;
  #firstRefusal: Error | undefined;
  #lastShownUs = -1;

  constructor(options: StreamClientOptions) {
    this.#options = options;
    const { maxInFlight = IN_FLIGHT, answerTimeoutMs } = options;
    const timeoutMs = (): number => answerTimeoutMs ?? Math.max(ANSWER_MS, 10 * this.#tally.meanLatencyMs);
    this.#maxInFlight = maxInFlight;
    this.#flight = new Flight(maxInFlight, timeoutMs);
  }

  /** Of the run so far. */
  get report(): StreamReport {
    return this.#tally.report(this.#source?.counts, this.#sink?.counts, this.#flight.unanswered);
  }

  /** Ends the run as at the end of its source: what is under way is shown, files are completed. Idempotent. */
  stop(): void {
    this.#stopping.abort();
  }

  /**
   * Until the source ends, a limit is reached or `stop` is called.
   * @param signal gives up what is under way, too; files are completed as far as they go
   * @throws InferenceError of the server, MillraceError of source and sink, and what a callback throws
   */
  async run(signal?: AbortSignal): Promise<StreamReport> {
    const abort = (): void => {
      this.stop();
      this.#isOver = true;
      this.#exchange?.abort();
      void this.#sink?.[Symbol.asyncDispose]();
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) this.stop();
    try {
      await using opened = new Closer();
      if (await this.#open(opened)) await this.#stream();
      if (this.#failure !== undefined) throw this.#failure;
      return this.report;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** @returns false where it was stopped before */
  async #open(opened: Closer): Promise<boolean> {
    const {
      source,
      sink = 'none',
      sourceOptions,
      sinkOptions,
      encoding,
      retryFirst,
      maxReconnects,
      onEvent,
    } = this.#options;
    const { signal } = this.#stopping;
    try {
      refuseSameFile(source, sink);
      this.#plan = await this.#connect();
      this.#source = opened.use(
        await openSource(source, {
          ...sourceOptions,
          pixels: encoding === 'jpeg' ? 'jpeg' : this.#options.color === 'bgr' ? 'bgr24' : 'rgb24',
          retryFirst,
          maxReconnects,
          signal,
          onEvent: (event) => onEvent?.({ part: 'source', event }),
        }),
      );
      const { isLive } = this.#source.properties;
      this.#sink = opened.use(
        openSink(sink, {
          ...sinkOptions,
          queue: { capacity: 8, whenFull: isLive ? 'drop_oldest' : 'wait' },
          isPaced: !isLive,
          retryFirst,
          maxReconnects,
          onEvent: (event) => onEvent?.({ part: 'sink', event }),
        }),
      );
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
    const closeSource = (): void => void this.#source?.[Symbol.asyncDispose]();
    if (signal.aborted) closeSource();
    else signal.addEventListener('abort', closeSource, { once: true });
    return !signal.aborted;
  }

  async #connect(): Promise<RequestPlan> {
    for (const backOff = new BackOff(); ;) {
      try {
        return await planRequests(this.#options);
      } catch (error) {
        const mayRetry = this.#options.retryFirst === true && !this.#stopping.signal.aborted;
        if (!mayRetry || !(error instanceof InferenceError) || !isPassing(error)) throw error;
        const retryMs = backOff.next();
        this.#options.onEvent?.({ part: 'server', error, retryMs });
        await delay(retryMs, undefined, { signal: this.#stopping.signal });
      }
    }
  }

  async #stream(): Promise<void> {
    const { limitDurationMs = 0 } = this.#options;
    this.#exchange = this.#openExchange();
    const limit = limitDurationMs === 0 ? undefined : setTimeout(() => this.stop(), limitDurationMs);
    try {
      await this.#sendAll(this.#exchange);
      this.#tally.sentAll();
      await this.#exchange.finish(this.#stopping.signal.aborted ? STOPPED_MS : LAST_ANSWER_MS);
      this.#flight.unanswered += this.#flight.takeAll().length;
      await this.#sink?.finish();
      if (this.#tally.shown === 0 && this.#firstRefusal !== undefined) throw this.#firstRefusal;
    } catch (error) {
      if (isWindowClosed(error)) return;
      this.#failure ??= error as Error;
    } finally {
      clearTimeout(limit);
      this.#isOver = true;
      this.#exchange.abort();
    }
  }

  #openExchange(): Exchange {
    const { client, mode = 'stream' } = this.#options;
    const isLive = this.#source?.properties.isLive === true;
    const maxReconnects = this.#options.maxReconnects ?? (isLive ? Infinity : FILE_RECONNECTS);
    const common = { client, flight: this.#flight, receiver: this.#receiver() };
    if (mode === 'unary')
      return new UnaryExchange({ ...common, isOrdered: !isLive, maxRetries: isLive ? 0 : maxReconnects });
    return new StreamExchange({ ...common, maxReconnects, sendsAgain: !isLive });
  }

  async #sendAll(exchange: Exchange): Promise<void> {
    const { limitFrames = 0, preprocess } = this.#options;
    const { signal } = this.#stopping;
    const plan = this.#plan as RequestPlan;
    while (!signal.aborted && (limitFrames === 0 || this.#tally.sent < limitFrames)) {
      // A place first, then a frame: of a live source the one that is newest when it can be sent.
      await this.#flight.room(signal);
      await this.#backlog.below(this.#maxInFlight, signal);
      const frame = await this.#source?.next();
      if (frame === undefined) return;
      const inputs = await preprocess?.(frame);
      if (preprocess !== undefined && inputs === undefined) this.#tally.skipped++;
      else {
        this.#tally.sent++;
        const request = requestOf(plan, frame, inputs);
        await exchange.send({ frame, request, sentAtMs: performance.now() });
      }
    }
  }

  #receiver(): Receiver {
    const { onEvent } = this.#options;
    return {
      onAnswer: (answer, atMs, sent) => this.#came(answer, atMs, sent),
      room: (signal) => this.#backlog.below(BACKLOG_FACTOR * this.#maxInFlight, signal),
      onLost: (error, retryMs, frames) => {
        this.#tally.connectionLost += frames;
        this.#tally.serverReconnections++;
        onEvent?.({ part: 'server', error, retryMs });
      },
      onFailed: (error) => this.#fail(error),
    };
  }

  /** Frees the place of an answer's frame. What is done with the answer then is no part of its latency. */
  #came(...[answer, atMs, sent]: Parameters<Receiver['onAnswer']>): Turn {
    let handle: Turn;
    if (answer instanceof InferenceError) {
      this.#flight.settleId(sent?.request.id ?? answer.requestId, atMs);
      this.#tally.refused++;
      handle = () => Promise.resolve(this.#refusal(answer));
    } else {
      const settled = this.#settled(answer, atMs, sent);
      if (settled.latencyMs !== undefined) {
        this.#tally.latency(settled.latencyMs);
        this.#release(settled.frame);
      }
      handle = () => this.#handle(answer, settled);
    }
    this.#backlog.enter();
    return async () => {
      try {
        if (!this.#isOver) await handle();
      } finally {
        this.#backlog.leave();
      }
    };
  }

  async #handle(response: InferenceResponse, { frame, timestampUs = this.#lastShownUs + 1 }: Settled): Promise<void> {
    const { postprocess } = this.#options;
    const tensor = response.outputs.find(({ name }) => name === (this.#plan?.outputName ?? name));
    if (tensor === undefined && postprocess === undefined) return;
    let picture: Picture | undefined;
    try {
      // An answer that nobody looks at need not be a picture.
      if (postprocess === undefined && this.#sink?.label === 'none') return this.#tally.showed(timestampUs);
      if (postprocess !== undefined) picture = await postprocess(frame, response);
      else if (tensor !== undefined) picture = pictureOf(tensor, this.#options.color ?? 'rgb');
    } catch (error) {
      this.#tally.noPicture++;
      if (postprocess !== undefined) this.#fail(error as Error);
      else this.#refusal(error as Error);
      return;
    }
    if (picture === undefined) return;
    if (timestampUs < this.#lastShownUs) this.#tally.outOfOrder++;
    else await this.#show(picture, timestampUs);
  }

  /** An answered frame was sent to its end, so its memory is free, unless a callback may have kept it. */
  #release(frame: VideoFrame | undefined): void {
    const { preprocess, postprocess } = this.#options;
    if (preprocess === undefined && postprocess === undefined) frame?.release?.();
  }

  #settled({ id, parameters, outputs }: InferenceResponse, atMs: number, sent: Sent | undefined): Settled {
    if (sent !== undefined) return this.#flight.settleId(sent.request.id ?? '', atMs);
    const time = parameters?.['OVMS_MP_TIMESTAMP'];
    const timestampUs = typeof time === 'bigint' || typeof time === 'number' ? Number(time) : undefined;
    // In a stream a graph answers with each output on its own.
    const last = this.#plan?.lastOutput;
    const isDone = last === undefined || outputs.some(({ name }) => name === last);
    if (!isDone) return this.#flight.find(timestampUs, id);
    return timestampUs === undefined ? this.#flight.settleId(id, atMs) : this.#flight.settleTime(timestampUs, atMs);
  }

  async #show(picture: Picture, timestampUs: number): Promise<void> {
    this.#lastShownUs = timestampUs;
    try {
      await this.#sink?.write({ ...picture, timestampUs });
      this.#tally.showed(timestampUs);
    } catch (error) {
      if (isWindowClosed(error)) this.stop();
      else this.#fail(error as Error);
    }
  }

  #refusal(error: Error): void {
    const { refused, noPicture, shown } = this.#tally;
    this.#options.onEvent?.({ part: 'frame', error });
    this.#firstRefusal ??= error;
    if (shown === 0 && refused + noPicture >= REFUSED_AT_FIRST) this.#fail(this.#firstRefusal);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#isOver = true;
    this.#exchange?.abort();
    this.stop();
  }
}

function isWindowClosed(error: unknown): boolean {
  return error instanceof MillraceError && error.reason === 'CANCELLED';
}

/** Writing would destroy what is read. */
function refuseSameFile(source: string, sink: string): void {
  if (realPath(source) === undefined || realPath(source) !== realPath(sink)) return;
  throw new MillraceError('SINK_FAILED', `sink ${sink}: this is the source; another file expected`, {
    details: { sink, cause: 'permission' },
  });
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
