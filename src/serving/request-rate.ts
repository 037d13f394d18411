import { MillraceError } from '../base/errors.ts';
import type { RequestLimit } from './model-scheduling.ts';

/** Lets through as many requests as a model's entry allows, per second and at once. */
export class RequestRate {
  readonly #model: string;
  readonly #limit: RequestLimit;
  readonly #now: () => number;
  /** Requests that may come at once. */
  #tokens: number;
  #countedAt: number;
  #atOnce = 0;

  /** @param now milliseconds from any beginning */
  constructor(model: string, limit: RequestLimit, now: () => number = () => performance.now()) {
    this.#model = model;
    this.#limit = limit;
    this.#now = now;
    this.#tokens = this.#capacity;
    this.#countedAt = now();
  }

  /**
   * @returns to be called once, when the request has ended
   * @throws MillraceError LIMIT_REACHED, with `details.retry_after_ms` where waiting is enough
   */
  admit(): () => void {
    const { maxAtOnce, maxPerSecond } = this.#limit;
    if (maxAtOnce > 0 && this.#atOnce >= maxAtOnce) {
      throw this.#refused(`${maxAtOnce} requests at once are the limit (rate_limit.max_concurrent_requests)`, {});
    }
    if (maxPerSecond > 0) this.#takeToken(maxPerSecond);
    this.#atOnce++;
    return () => void this.#atOnce--;
  }

  #takeToken(maxPerSecond: number): void {
    const now = this.#now();
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#countedAt) / 1000) * maxPerSecond);
    this.#countedAt = now;
    if (this.#tokens < 1) {
      const retryAfterMs = Math.ceil(Number((((1 - this.#tokens) / maxPerSecond) * 1000).toFixed(3)));
      throw this.#refused(
        `${maxPerSecond} requests per second are the limit (rate_limit.max_requests_per_second); there is room again in ${retryAfterMs} ms`,
        { retry_after_ms: retryAfterMs },
      );
    }
    this.#tokens--;
  }

  /** A second's worth, and at least one request. */
  get #capacity(): number {
    return Math.max(1, this.#limit.maxPerSecond);
  }

  #refused(text: string, details: Readonly<Record<string, number>>): MillraceError {
    return new MillraceError('LIMIT_REACHED', `model '${this.#model}': ${text}`, {
      details: { servable: this.#model, ...details },
    });
  }
}
