import type { Cancellation } from '../../base/cancellation.ts';
import type { MillraceError } from '../../base/errors.ts';
import type { Grant } from '../../security/grant.ts';
import type { Headers } from '../../tensor/inference.ts';
import type { MessageParts } from '../wire/infer-codec.ts';
import type { StreamCall } from './transport.ts';

/** A call that several conversations share: it is read while all of them read, and ends when the last one has. */
export class SharedCall {
  readonly call: StreamCall;
  readonly #paused = new Set<PartCall>();

  constructor(call: StreamCall) {
    this.call = call;
  }

  setPaused(part: PartCall, isPaused: boolean): void {
    const wasPaused = this.#paused.size > 0;
    if (isPaused) this.#paused.add(part);
    else this.#paused.delete(part);
    if (this.#paused.size > 0 === wasPaused) return;
    if (wasPaused) this.call.resume();
    else this.call.pause();
  }
}

/** What one conversation of a shared call takes for its call. */
export class PartCall implements StreamCall {
  readonly #shared: SharedCall;
  readonly #onEnd: () => void;

  /** @param onEnd it ended well; a fault ends the whole call */
  constructor(shared: SharedCall, onEnd: () => void) {
    this.#shared = shared;
    this.#onEnd = onEnd;
  }

  get deadlineMs(): number {
    return this.#shared.call.deadlineMs;
  }

  get cancellation(): Cancellation {
    return this.#shared.call.cancellation;
  }

  get grant(): Grant | undefined {
    return this.#shared.call.grant;
  }

  header(name: string): string | undefined {
    return this.#shared.call.header(name);
  }

  headers(): Headers {
    return this.#shared.call.headers();
  }

  write(message: MessageParts): boolean {
    return this.#shared.call.write(message);
  }

  paceWrites(): void {
    this.#shared.call.paceWrites();
  }

  end(error?: MillraceError): void {
    this.#shared.setPaused(this, false);
    if (error === undefined) this.#onEnd();
    else this.#shared.call.end(error);
  }

  pause(): void {
    this.#shared.setPaused(this, true);
  }

  resume(): void {
    this.#shared.setPaused(this, false);
  }
}
