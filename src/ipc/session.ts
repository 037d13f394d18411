import type { MillraceError } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

/** Packets and bytes that wait in a session for its servable. */
export interface QueueUse {
  readonly packets: number;
  readonly bytes: number;
}

/** What a session's host has done since it last said so. */
export interface SessionProgress {
  /** Requests that were taken by the servable, and not refused. */
  readonly accepted: number;
  /** The packets of those requests. */
  readonly packetsIn: number;
  /** Packets that newer ones took the place of, in front of the servable or in it. */
  readonly packetsDropped: number;
  /** What waits now. */
  readonly queue: QueueUse;
}

/** When a response was given, in µs since the request that it answers came in. */
export interface ResponseTiming {
  readonly latencyUs: number;
  /** Of the response before it to the same request; undefined for the first one. */
  readonly previousUs: number | undefined;
}

/** What a session tells its owner. Callbacks are never made from inside the owner's own call. */
export interface SessionSink {
  /** @param timing undefined where it answers no single request */
  onResponse(response: InferenceResponse, timing: ResponseTiming | undefined): void;
  /** A request was refused (`error_message`); the session lives on. */
  onRequestError(requestId: string, error: MillraceError): void;
  /** The last call. Undefined: ended well. */
  onEnd(error: MillraceError | undefined): void;
  /** After `push` returned false: there is room again. */
  onDrain(): void;
  onProgress?(progress: SessionProgress): void;
}

/** The owner's end of a session. */
export interface SessionPort {
  /** Takes the request in every case; false: wait for `onDrain` before the next one. */
  push(request: InferenceRequest): boolean;
  /** No more requests: drain, then end. */
  halfClose(): void;
  /** While paused no more responses than the session's credit arrive; its sources are throttled. */
  pause(): void;
  resume(): void;
  /** Ends at once; `onEnd` follows with `error`. Idempotent. */
  abort(error: MillraceError): void;
}

/** How much of a session may be under way in each direction before its sender waits. */
export interface SessionLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** How many times more responses may be under way after each credit, where its reader is quick and its host paces itself. */
export const WINDOW_GROWTH = 4;
