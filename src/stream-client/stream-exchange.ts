import { setTimeout as delay } from 'node:timers/promises';
import type { GrpcClient } from '../client/grpc-client.ts';
import { InferenceError } from '../client/inference-error.ts';
import type { InferStream } from '../client/infer-stream.ts';
import { BackOff } from '../media/sources/back-off.ts';
import { isPassing, whileActive, type Exchange, type Receiver, type Turn } from './exchange.ts';
import type { Flight, Sent } from './flight.ts';

export interface StreamExchangeOptions {
  readonly client: GrpcClient;
  readonly flight: Flight;
  readonly receiver: Receiver;
  readonly maxReconnects: number;
  /** Requests that a lost session had not answered are sent again in the next one: no frame of a file may be missing. */
  readonly sendsAgain: boolean;
}

/** One ModelStreamInfer after another: a lost one is opened anew, with a session of its own on the server. */
export class StreamExchange implements Exchange {
  readonly #options: StreamExchangeOptions;
  readonly #backOff = new BackOff();
  readonly #aborting = new AbortController();
  #stream: InferStream | undefined;
  #reading: Promise<void> = Promise.resolve();
  /** Of all answers so far, in turn. Never rejects. */
  #handling: Promise<void> = Promise.resolve();
  /** Settles when there is a stream again; never rejects. */
  #reopening: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #isFinishing = false;
  /** When an answer last came, or was handled. */
  #activeAtMs = 0;

  constructor(options: StreamExchangeOptions) {
    this.#options = options;
  }

  async send(sent: Sent): Promise<void> {
    await this.#reopening;
    if (this.#failure !== undefined) throw this.#failure;
    this.#stream ??= this.#open();
    this.#options.flight.add(sent);
    await this.#stream.send(sent.request);
  }

  async finish(idleMs: number): Promise<void> {
    this.#isFinishing = true;
    for (;;) {
      await this.#reopening;
      if (this.#failure !== undefined) throw this.#failure;
      const stream = this.#stream;
      stream?.halfClose();
      await this.#readToEnd(idleMs);
      await this.#reopening;
      if (stream === this.#stream && this.#failure === undefined) return;
    }
  }

  abort(): void {
    this.#aborting.abort();
    this.#stream?.cancel();
  }

  async #readToEnd(idleMs: number): Promise<void> {
    this.#activeAtMs = performance.now();
    const done = this.#reading.then(() => this.#handling);
    const { signal } = this.#aborting;
    if (!(await whileActive(done, { idleMs, lastMs: () => this.#activeAtMs, signal }))) this.abort();
  }

  #open(): InferStream {
    const stream = this.#options.client.stream();
    this.#reading = this.#read(stream);
    return stream;
  }

  async #read(stream: InferStream): Promise<void> {
    const { receiver } = this.#options;
    try {
      for await (const { response, error } of stream) {
        this.#activeAtMs = performance.now();
        this.#handle(receiver.onAnswer(response ?? error, this.#activeAtMs));
        this.#backOff.succeeded();
        await receiver.room(this.#aborting.signal);
      }
      if (!this.#isFinishing) this.#lost(new InferenceError('UNAVAILABLE', 'the server ended the stream'));
    } catch (error) {
      if (error instanceof InferenceError) this.#lost(error);
      else this.#fail(error as Error);
    }
  }

  #handle(turn: Turn): void {
    this.#handling = this.#handling
      .then(turn)
      .catch((error: unknown) => this.#fail(error as Error))
      .then(() => void (this.#activeAtMs = performance.now()));
  }

  #lost(error: InferenceError): void {
    if (this.#aborting.signal.aborted) return;
    this.#reopening = this.#reopening.then(() => this.#reopen(error));
  }

  async #reopen(error: InferenceError): Promise<void> {
    const { flight, receiver, maxReconnects, sendsAgain } = this.#options;
    if (!isPassing(error) || this.#backOff.tries >= maxReconnects) return this.#fail(error);
    const retryMs = this.#backOff.next();
    receiver.onLost(error, retryMs, sendsAgain ? 0 : flight.takeAll().length);
    if (this.#isFinishing && flight.entries.length === 0) return;
    await delay(retryMs, undefined, { signal: this.#aborting.signal }).catch(() => {});
    if (this.#aborting.signal.aborted) return;
    const stream = this.#open();
    this.#stream = stream;
    for (const { request } of [...flight.entries]) await stream.send(request);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#options.receiver.onFailed(this.#failure);
  }
}
