import { setTimeout as delay } from 'node:timers/promises';
import type { GrpcClient } from '../client/grpc-client.ts';
import { InferenceError } from '../client/inference-error.ts';
import { BackOff } from '../media/sources/back-off.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import { isPassing, type Exchange, type Receiver } from './exchange.ts';
import type { Flight, Sent } from './flight.ts';

export interface UnaryExchangeOptions {
  readonly client: GrpcClient;
  readonly flight: Flight;
  readonly receiver: Receiver;
  /** Answers are handled in the order of frames rather than as they come. */
  readonly isOrdered: boolean;
  /** Tries of a request that may reach the server later; what is live is not tried again. */
  readonly maxRetries: number;
}

interface Answer {
  readonly response: InferenceResponse;
  readonly answeredAtMs: number;
}

/** A request of its own for each frame. */
export class UnaryExchange implements Exchange {
  readonly #options: UnaryExchangeOptions;
  readonly #aborting = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Answers handled so far, in order. */
  #handled: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(options: UnaryExchangeOptions) {
    this.#options = options;
  }

  send(sent: Sent): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#options.flight.add(sent);
    const answer = this.#ask(sent);
    const before = this.#options.isOrdered ? this.#handled : Promise.resolve();
    const handled = Promise.all([answer, before])
      .then(([own]) => this.#handle(sent, own))
      .catch((error: unknown) => this.#fail(error as Error));
    this.#handled = handled;
    this.#underWay.add(handled);
    void handled.finally(() => this.#underWay.delete(handled));
    return Promise.resolve();
  }

  async finish(idleMs: number): Promise<void> {
    const timer = new AbortController();
    const idle = delay(idleMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#underWay), idle]);
    timer.abort();
    this.#aborting.abort();
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  abort(): void {
    this.#aborting.abort();
  }

  /** Never rejects. */
  async #ask({ request }: Sent): Promise<Answer | InferenceError | undefined> {
    const { client, receiver, maxRetries } = this.#options;
    const { signal } = this.#aborting;
    for (const backOff = new BackOff(); ;) {
      try {
        const response = await client.infer(request, { signal });
        return { response, answeredAtMs: performance.now() };
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!(error instanceof InferenceError)) return new InferenceError('INTERNAL', String(error));
        if (!isPassing(error) || backOff.tries >= maxRetries) return error;
        const retryMs = backOff.next();
        receiver.onLost(error, retryMs, 0);
        await delay(retryMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #handle(sent: Sent, answer: Answer | InferenceError | undefined): Promise<void> {
    if (answer === undefined) return;
    if (answer instanceof InferenceError) this.#options.receiver.onRefused(answer, sent);
    else await this.#options.receiver.onResponse(answer.response, { ...sent, answeredAtMs: answer.answeredAtMs });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#options.receiver.onFailed(this.#failure);
  }
}
