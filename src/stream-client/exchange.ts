import type { InferenceError } from '../client/inference-error.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import type { Sent } from './flight.ts';

/** The way of requests to the server and of answers back. */
export interface Exchange {
  /** Adds the frame to those under way; resolves when another may be sent. @throws InferenceError when nothing more can be sent */
  send(sent: Sent): Promise<void>;
  /** No more requests; resolves when all answers were handled, or none came for `idleMs`. @throws as `send` */
  finish(idleMs: number): Promise<void>;
  /** Gives up what is under way. Idempotent. */
  abort(): void;
}

/** Who takes the answers; an answer is handled before the next one is read. */
export interface Receiver {
  /** @param sent where that is known without looking at the response, with the time of its answer */
  onResponse(response: InferenceResponse, sent: (Sent & { readonly answeredAtMs: number }) | undefined): Promise<void>;
  onRefused(error: InferenceError, sent: Sent | undefined): void;
  /** @param frames that were under way and will not be sent again */
  onLost(error: InferenceError, retryMs: number, frames: number): void;
  /** Nothing more can be sent. */
  onFailed(error: Error): void;
}

/** The server, or the way to it, may be back later; any other status is about the request. */
const PASSING: readonly InferenceError['status'][] = [
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'DEADLINE_EXCEEDED',
];

export function isPassing({ status }: InferenceError): boolean {
  return PASSING.includes(status);
}
