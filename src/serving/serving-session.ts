import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { QueueUse, ResponseTiming, SessionPort, SessionProgress } from '../ipc/session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { ServableKind, Session, SessionSink, SessionSummary } from './data-plane.ts';
import type { Entry } from './repository.ts';
import type { SessionQuota } from './servable-spec.ts';
import type { SessionRegions } from './shared-inference.ts';
import { SessionTimers } from './session-timers.ts';
import type { StreamMeter } from './stream-metrics.ts';
import { graphOutcome, isNoOutcome, type ServableTelemetry, type SessionMetrics } from './telemetry.ts';

export interface ServingSessionParts {
  readonly entry: Entry;
  readonly sink: SessionSink;
  readonly telemetry: ServableTelemetry;
  readonly metrics: SessionMetrics;
  readonly stream: StreamMeter;
  readonly quota: SessionQuota;
  /** Looks its requests' shared memory up. */
  readonly regions: SessionRegions;
  /** A request was refused; the session goes on. */
  onRefused(requestId: string, error: MillraceError): void;
  onEnd(error: MillraceError | undefined): void;
}

/** Between a protocol's stream and the session in a host: metrics, time limits, cancellation. */
export class ServingSession implements Session, SessionSink {
  readonly kind: ServableKind;
  readonly servable: string;
  readonly version: string;
  readonly #parts: ServingSessionParts;
  readonly #openedAt = process.hrtime.bigint();
  #port: SessionPort | undefined;
  readonly #timers: SessionTimers;
  #packetsIn = 0;
  /** To the last request that has had any. */
  #responsesToRequest = 0;
  #packetsOut = 0;
  #packetsDropped = 0;
  #queue: QueueUse = NOTHING;
  #forgetCancellation: () => void = () => {};

  constructor(parts: ServingSessionParts) {
    this.#parts = parts;
    this.kind = parts.entry.kind;
    this.servable = parts.entry.name;
    this.version = parts.entry.version;
    this.#timers = new SessionTimers(parts.quota, (error) => this.abort(error));
    parts.metrics.current.add(1);
    parts.telemetry.sessions.add(1);
  }

  get summary(): SessionSummary {
    const packetsIn = this.#packetsIn;
    const packetsOut = this.#packetsOut;
    return { packetsIn, packetsOut, packetsDropped: this.#packetsDropped, durationMs: this.#elapsedUs / 1000 };
  }

  attach(port: SessionPort, cancellation: Cancellation): void {
    this.#port = port;
    this.#forgetCancellation = cancellation.onCancel((error) => this.abort(error));
  }

  push(request: InferenceRequest): boolean {
    this.#timers.touch();
    let placed: InferenceRequest;
    try {
      placed = this.#parts.regions.place(request);
    } catch (error) {
      queueMicrotask(() => this.onRequestError(request.id, MillraceError.from(error)));
      return true;
    }
    return this.#port?.push(placed) ?? true;
  }

  halfClose(): void {
    this.#port?.halfClose();
  }

  pause(): void {
    this.#port?.pause();
  }

  resume(): void {
    this.#port?.resume();
  }

  abort(error: MillraceError): void {
    this.#port?.abort(error);
  }

  onResponse(response: InferenceResponse, timing: ResponseTiming | undefined): void {
    this.#timers.touch();
    this.#packetsOut++;
    this.#parts.metrics.responses.add(1);
    this.#parts.stream.responded();
    if (timing !== undefined) this.#parts.metrics.latency.observe(timing.latencyUs);
    this.#countResponse(response, timing);
    this.#parts.sink.onResponse(response, timing);
  }

  onRequestError(requestId: string, error: MillraceError): void {
    this.#parts.metrics.rejected.add(1);
    this.#parts.onRefused(requestId, error);
    this.#parts.sink.onRequestError(requestId, error);
  }

  onProgress({ accepted, packetsIn, packetsDropped, queue }: SessionProgress): void {
    const { metrics } = this.#parts;
    this.#packetsIn += packetsIn;
    this.#packetsDropped += packetsDropped;
    if (accepted > 0) {
      metrics.accepted.add(accepted);
      this.#parts.stream.taken(accepted);
    }
    if (packetsDropped > 0) metrics.droppedPackets.add(packetsDropped);
    this.#countQueue(queue);
  }

  onDrain(): void {
    this.#parts.sink.onDrain();
  }

  onEnd(error: MillraceError | undefined): void {
    this.#timers.close();
    this.#parts.regions.release();
    this.#countQueue(NOTHING);
    this.#forgetCancellation();
    const { metrics } = this.#parts;
    metrics.current.add(-1);
    this.#parts.telemetry.sessions.add(-1);
    this.#countEnd(error);
    if (error === undefined) metrics.duration.observe(this.#elapsedUs);
    else {
      const outcome = graphOutcome(error.reason);
      if (outcome !== undefined) metrics[outcome].add(1);
    }
    this.#parts.onEnd(error);
    this.#parts.sink.onEnd(error);
  }

  /** Responses come in the order of their requests where a request may have several. */
  #countResponse(response: InferenceResponse, timing: ResponseTiming | undefined): void {
    if (timing !== undefined && timing.previousUs === undefined) this.#responsesToRequest = 0;
    const isEmpty = timing === undefined && response.outputs.length === 0;
    this.#parts.telemetry.streamed(timing, this.#responsesToRequest, isEmpty);
    this.#responsesToRequest++;
  }

  #countEnd(error: MillraceError | undefined): void {
    const { stream, telemetry } = this.#parts;
    const isCancelled = error !== undefined && isNoOutcome(error.reason);
    if (error !== undefined) telemetry.streamEnded(this.#responsesToRequest, isCancelled);
    stream.ended(error === undefined ? 'completed' : isCancelled ? 'cancelled' : 'failed');
    telemetry.ended(error === undefined ? 'success' : isCancelled ? 'cancelled' : 'fail', stream.elapsedSeconds);
  }

  get #elapsedUs(): number {
    return Number(process.hrtime.bigint() - this.#openedAt) / 1000;
  }

  #countQueue(queue: QueueUse): void {
    const { queuedPackets, queuedBytes } = this.#parts.metrics;
    queuedPackets.add(queue.packets - this.#queue.packets);
    queuedBytes.add(queue.bytes - this.#queue.bytes);
    this.#queue = queue;
  }
}

const NOTHING: QueueUse = { packets: 0, bytes: 0 };
