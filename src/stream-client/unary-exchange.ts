import { setTimeout as delay } from 'node:timers/promises';
import type { GrpcClient } from '../client/grpc-client.ts';
import { InferenceError } from '../client/inference-error.ts';
import { BackOff } from '../media/sources/back-off.ts';
import type { InferenceResponse } from '../tensor/inference.ts';
import { isPassing, whileActive, type Exchange, type Receiver, type Turn } from './exchange.ts';
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

/** A request of its own for each frame. */
export class UnaryExchange implements Exchange {
  readonly #options: UnaryExchangeOptions;
  readonly #aborting = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Of all answers so far, in turn. Never rejects. */
  #handling: Promise<void> = Promise.resolve();
  /** When an answer last came, or was handled. */
  #activeAtMs = 0;
  #failure: Error | undefined;

  constructor(options: UnaryExchangeOptions) {
    this.#options = options;
  }

  send(sent: Sent): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { flight, isOrdered } = this.#options;
    flight.add(sent);
    const answered = this.#ask(sent);
    const handled = isOrdered
      ? this.#inTurn(() => answered)
      : answered.then((turn) => this.#inTurn(() => Promise.resolve(turn)));
    this.#underWay.add(handled);
    void handled.finally(() => this.#underWay.delete(handled));
    return Promise.resolve();
  }

  async finish(idleMs: number): Promise<void> {
    this.#activeAtMs = performance.now();
    const { signal } = this.#aborting;
    const done = Promise.all(this.#underWay);
    if (!(await whileActive(done, { idleMs, lastMs: () => this.#activeAtMs, signal }))) this.abort();
    if (this.#failure !== undefined) throw this.#failure;
  }

  abort(): void {
    this.#aborting.abort();
  }

  /** Never rejects. @returns undefined where it was given up */
  async #ask(sent: Sent): Promise<Turn | undefined> {
    const answer = await this.#answerTo(sent);
    if (answer === undefined) return undefined;
    this.#activeAtMs = performance.now();
    return this.#options.receiver.onAnswer(answer, this.#activeAtMs, sent);
  }

  async #answerTo({ request }: Sent): Promise<InferenceResponse | InferenceError | undefined> {
    const { client, receiver, maxRetries } = this.#options;
    const { signal } = this.#aborting;
    for (const backOff = new BackOff(); ;) {
      try {
        return await client.infer(request, { signal });
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

  #inTurn(turnOf: () => Promise<Turn | undefined>): Promise<void> {
    this.#handling = this.#handling
      .then(async () => (await turnOf())?.())
      .catch((error: unknown) => this.#fail(error as Error))
      .then(() => void (this.#activeAtMs = performance.now()));
    return this.#handling;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#options.receiver.onFailed(this.#failure);
  }
}
