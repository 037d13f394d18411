import type { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { SessionPort } from '../ipc/session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { CallContext, Session, SessionSink, SessionSummary } from './data-plane.ts';
import type { Entry } from './repository.ts';
import type { ServableTelemetry } from './telemetry.ts';

export interface RouteSessionParts {
  readonly entry: Entry;
  readonly via: CallContext['interface'];
  readonly sink: SessionSink;
  readonly telemetry: ServableTelemetry;
  /** Called once, before the sink hears of it. */
  onEnd(error: MillraceError | undefined): void;
}

/** A call of a route of a runtime's own: to the host a session, since its answer may come in pieces; counted as a request. */
export class RouteSession implements Session, SessionSink {
  readonly kind = 'runtime';
  readonly servable: string;
  readonly version: string;
  readonly #parts: RouteSessionParts;
  readonly #openedAt = performance.now();
  #port: SessionPort | undefined;
  #responses = 0;
  #forgetCancellation: () => void = () => {};

  constructor(parts: RouteSessionParts) {
    this.#parts = parts;
    this.servable = parts.entry.name;
    this.version = parts.entry.version;
    parts.telemetry.started();
  }

  get summary(): SessionSummary {
    const durationMs = performance.now() - this.#openedAt;
    return { packetsIn: 1, packetsOut: this.#responses, packetsDropped: 0, durationMs };
  }

  attach(port: SessionPort, cancellation: Cancellation): void {
    this.#port = port;
    this.#forgetCancellation = cancellation.onCancel((error) => this.abort(error));
  }

  push(request: InferenceRequest): boolean {
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

  onResponse(response: InferenceResponse): void {
    this.#responses++;
    this.#parts.sink.onResponse(response, undefined);
  }

  /** The one request was refused: there is nothing to wait for. */
  onRequestError(_requestId: string, error: MillraceError): void {
    this.abort(error);
  }

  onDrain(): void {
    this.#parts.sink.onDrain();
  }

  onEnd(error: MillraceError | undefined): void {
    this.#forgetCancellation();
    const { telemetry, via, sink } = this.#parts;
    const ns = Math.round((performance.now() - this.#openedAt) * 1e6);
    if (error === undefined) {
      telemetry.finished(via, ns, 'success');
      telemetry.ranWhole(ns);
    } else {
      telemetry.finished(via, ns, error.reason === 'CANCELLED' ? 'cancelled' : 'fail', error.reason);
    }
    this.#parts.onEnd(error);
    sink.onEnd(error);
  }
}
