import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { SessionPort } from '../ipc/session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { ServableKind, Session, SessionSink } from './data-plane.ts';
import type { Entry } from './repository.ts';
import type { ServableTelemetry, SessionMetrics } from './telemetry.ts';

export interface ServingSessionParts {
  readonly entry: Entry;
  readonly sink: SessionSink;
  readonly telemetry: ServableTelemetry;
  readonly metrics: SessionMetrics;
  /** 0: none. */
  readonly idleTimeoutMs: number;
  /** A request was refused; the session goes on. */
  onRefused(requestId: string, error: MillraceError): void;
  onEnd(error: MillraceError | undefined): void;
}

/** Between a protocol's stream and the session in a host: metrics, idle time, cancellation. */
export class ServingSession implements Session, SessionSink {
  readonly kind: ServableKind;
  readonly servable: string;
  readonly version: string;
  readonly #parts: ServingSessionParts;
  readonly #openedAt = process.hrtime.bigint();
  #port: SessionPort | undefined;
  #idle: NodeJS.Timeout | undefined;
  #forgetCancellation: () => void = () => {};

  constructor(parts: ServingSessionParts) {
    this.#parts = parts;
    this.kind = parts.entry.kind;
    this.servable = parts.entry.name;
    this.version = parts.entry.version;
    parts.metrics.current.add(1);
  }

  attach(port: SessionPort, cancellation: Cancellation): void {
    this.#port = port;
    this.#forgetCancellation = cancellation.onCancel((error) => this.abort(error));
    const { idleTimeoutMs } = this.#parts;
    if (idleTimeoutMs === 0) return;
    this.#idle = setTimeout(() => {
      this.abort(
        new MillraceError(
          'LIMIT_REACHED',
          `the session was idle for ${idleTimeoutMs / 1000} s (session_idle_timeout_s)`,
          {
            code: 'DEADLINE_EXCEEDED',
          },
        ),
      );
    }, idleTimeoutMs);
  }

  push(request: InferenceRequest): boolean {
    this.#idle?.refresh();
    return this.#port?.push(request) ?? true;
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

  onResponse(response: InferenceResponse, latencyUs: number | undefined): void {
    this.#idle?.refresh();
    this.#parts.metrics.responses.add(1);
    if (latencyUs !== undefined) this.#parts.metrics.latency.observe(latencyUs);
    this.#parts.telemetry.streamed(latencyUs);
    this.#parts.sink.onResponse(response, latencyUs);
  }

  onRequestError(requestId: string, error: MillraceError): void {
    this.#parts.metrics.rejected.add(1);
    this.#parts.onRefused(requestId, error);
    this.#parts.sink.onRequestError(requestId, error);
  }

  onAccepted(accepted: number): void {
    this.#parts.metrics.accepted.add(accepted);
  }

  onDrain(): void {
    this.#parts.sink.onDrain();
  }

  onEnd(error: MillraceError | undefined): void {
    clearTimeout(this.#idle);
    this.#forgetCancellation();
    const { metrics } = this.#parts;
    metrics.current.add(-1);
    if (error === undefined) metrics.duration.observe(Number(process.hrtime.bigint() - this.#openedAt) / 1000);
    else if (error.reason.startsWith('GRAPH_')) metrics.failed.add(1);
    this.#parts.onEnd(error);
    this.#parts.sink.onEnd(error);
  }
}
