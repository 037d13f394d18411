import type { InferenceRequest } from '../../tensor/inference.ts';
import { RequestTimer } from '../request-timer.ts';

interface QueuedRequest {
  readonly request: InferenceRequest;
  readonly timer: RequestTimer;
}

export interface RequestQueueEvents {
  /** The runtime took it. */
  onTaken(request: InferenceRequest): void;
  /** The runtime asks for the next one, so this one has all its responses. */
  onFinished(request: InferenceRequest): void;
  /** The runtime waits for the client, and then no more. */
  onWaiting(isWaiting: boolean): void;
}

/** The requests of a stream as the async iterable that a runtime reads. */
export class RequestQueue implements AsyncIterable<InferenceRequest> {
  readonly #events: RequestQueueEvents;
  readonly #waiting: QueuedRequest[] = [];
  #wake: (() => void) | undefined;
  #hasEnded = false;
  /** The request last taken. */
  last: QueuedRequest | undefined;

  constructor(events: RequestQueueEvents) {
    this.#events = events;
  }

  push(request: InferenceRequest): void {
    this.#waiting.push({ request, timer: new RequestTimer() });
    this.#wake?.();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake?.();
  }

  /** Ends without the requests that were not taken yet. */
  abort(): void {
    this.#waiting.length = 0;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<InferenceRequest> {
    while (true) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.last = next;
        this.#events.onTaken(next.request);
        yield next.request;
        this.#events.onFinished(next.request);
      } else if (this.#hasEnded) {
        return;
      } else {
        this.#events.onWaiting(true);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        this.#events.onWaiting(false);
      }
    }
  }
}
