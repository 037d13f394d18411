import { setTimeout as delay } from 'node:timers/promises';
import type { InferenceError } from '../client/inference-error.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import type { Sent } from './flight.ts';

/** The way of requests to the server and of answers back. */
export interface Exchange {
  /** Adds the frame to those under way; resolves when another may be sent. @throws InferenceError when nothing more can be sent */
  send(sent: Sent): Promise<void>;
  /** No more requests; resolves when all answers were handled, or nothing came or was handled for `idleMs`. @throws as `send` */
  finish(idleMs: number): Promise<void>;
  /** Gives up what is under way. Idempotent. */
  abort(): void;
}

/** Handles an answer; for its exchange to call when those before it were handled. */
export type Turn = () => Promise<void>;

/** Who takes the answers. */
export interface Receiver {
  /**
   * Called at once when an answer comes: its frame is no longer under way then, however long those before it are handled.
   * @param atMs when it came, by `performance.now()`
   * @param sent where that is known without looking at the answer
   */
  onAnswer(answer: InferenceResponse | InferenceError, atMs: number, sent?: Sent): Turn;
  /** Resolves when another answer may be taken in, or `signal` is aborted: only so many wait for their turns. */
  room(signal: AbortSignal): Promise<void>;
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

/**
 * Waits for `done`, while something goes on.
 * @param lastMs when something did last
 * @returns false where nothing did for `idleMs`, or `signal` was aborted
 */
export async function whileActive(
  done: Promise<unknown>,
  { idleMs, lastMs, signal }: { readonly idleMs: number; readonly lastMs: () => number; readonly signal: AbortSignal },
): Promise<boolean> {
  let isDone = false;
  const ended = done.then(() => (isDone = true));
  while (!isDone && !signal.aborted) {
    const leftMs = lastMs() + idleMs - performance.now();
    if (leftMs <= 0) return false;
    const timer = new AbortController();
    const tooLong = delay(leftMs, undefined, { signal: AbortSignal.any([timer.signal, signal]) }).catch(() => {});
    await Promise.race([ended, tooLong]);
    timer.abort();
  }
  return isDone;
}
