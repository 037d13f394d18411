import { messageOf } from '../../../base/errors.ts';
import { NewestQueue } from './newest-queue.ts';
import { MAX_WAITING_BYTES, resultBytes } from './result-size.ts';
import type { ResultRecord, ResultSink, ResultSinkCounts } from './result-record.ts';

/** What a kind of sink implements; {@link ResultQueue} calls `write` once at a time. */
export interface ResultDriver {
  readonly type: string;
  /** Without credentials. */
  readonly target: string;
  /** Rejects where the record is lost; the next one is tried all the same. */
  write(record: ResultRecord): Promise<void>;
  /** Writes under way may be given up. Idempotent. */
  close(): Promise<void>;
}

/** The queue before a sink, bounded by number and bytes: what is slow or broken costs its own results, and nobody else's. */
export class ResultQueue implements ResultSink {
  readonly #driver: ResultDriver;
  readonly #onError: (message: string) => void;
  readonly #waiting: NewestQueue<ResultRecord>;
  #pumping: Promise<void> | undefined;
  #isClosed = false;
  #delivered = 0;
  #failed = 0;
  #dropped = 0;
  #lastError: string | undefined;

  /** @param onError told of each failure that is another than the one before */
  constructor(driver: ResultDriver, capacity: number, onError: (message: string) => void = () => {}) {
    this.#driver = driver;
    this.#waiting = new NewestQueue(capacity, MAX_WAITING_BYTES);
    this.#onError = onError;
  }

  get type(): string {
    return this.#driver.type;
  }

  get target(): string {
    return this.#driver.target;
  }

  get counts(): ResultSinkCounts {
    const [delivered, failed, dropped] = [this.#delivered, this.#failed, this.#dropped];
    return { delivered, failed, dropped, waiting: this.#waiting.length, lastError: this.#lastError };
  }

  deliver(record: ResultRecord): void {
    if (this.#isClosed) return;
    this.#dropped += this.#waiting.put(record, resultBytes(record.result));
    this.#pumping ??= this.#pump();
  }

  async finish(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)));
    await Promise.race([this.#pumping, limit]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#dropped += this.#waiting.clear();
    await this.#driver.close();
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    for (let record = this.#waiting.take(); record !== undefined; record = this.#waiting.take()) {
      try {
        await this.#driver.write(record);
        this.#delivered++;
        this.#lastError = undefined;
      } catch (error) {
        this.#failed++;
        const message = messageOf(error);
        if (message !== this.#lastError && !this.#isClosed) this.#onError(message);
        this.#lastError = message;
      }
    }
    this.#pumping = undefined;
  }
}
