import type { ClientRequest } from '../client/request.ts';
import type { VideoFrame } from '../media/frame.ts';

/** A frame that was sent. */
export interface Sent {
  readonly frame: VideoFrame;
  readonly request: ClientRequest;
  readonly sentAtMs: number;
}

/** What an answer belongs to. */
export interface Settled {
  readonly timestampUs: number | undefined;
  readonly frame: VideoFrame | undefined;
  /** Undefined for a further answer to the same frame, and for one whose frame is not known. */
  readonly latencyMs: number | undefined;
}

const EXPIRED_KEPT = 256;

/** What is kept of a frame that was answered. */
type Answered = Pick<Sent, 'frame'> & { readonly id: string | undefined };

/**
 * Frames under way, in the order in which they were sent. A place becomes free by an answer to its frame or to a later one (a
 * graph answers in the order of times, so what it passed over will not come), or by time. So neither a graph that drops
 * packets nor one that answers twice changes how many may be under way.
 */
export class Flight {
  readonly #capacity: number;
  readonly #timeoutMs: () => number;
  #entries: Sent[] = [];
  /** The latest, as many as may be under way, for further answers to them. */
  readonly #answered: Answered[] = [];
  readonly #expired = new Map<number, { readonly timestampUs: number; readonly sentAtMs: number }>();
  #wake: (() => void) | undefined;
  /** Frames that an answer to a later one passed over, or whose time was up. */
  unanswered = 0;

  constructor(capacity: number, timeoutMs: () => number) {
    this.#capacity = capacity;
    this.#timeoutMs = timeoutMs;
  }

  get entries(): readonly Sent[] {
    return this.#entries;
  }

  /** Resolves when another frame may be sent, or `signal` is aborted. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#entries.length >= this.#capacity && !signal.aborted) {
      const oldest = this.#entries[0] as Sent;
      const leftMs = oldest.sentAtMs + this.#timeoutMs() - performance.now();
      if (leftMs <= 0) this.#expire();
      else await this.#change(leftMs, signal);
    }
  }

  add(sent: Sent): void {
    this.#entries.push(sent);
  }

  /** An answer with a time. @param atMs when it came */
  settleTime(timestampUs: number, atMs: number): Settled {
    const at = this.#entries.findIndex(({ frame }) => frame.timestampUs > timestampUs);
    const settled = this.#entries.splice(0, at < 0 ? this.#entries.length : at);
    const own = settled.at(-1);
    const isExact = own?.frame.timestampUs === timestampUs;
    this.unanswered += settled.length - (isExact ? 1 : 0);
    if (settled.length > 0) this.#changed();
    if (isExact) return this.#answer(own, atMs);
    const repeated = this.#answered.find(({ frame }) => frame.timestampUs === timestampUs);
    if (repeated !== undefined) return { timestampUs, frame: repeated.frame, latencyMs: undefined };
    return (
      this.#answerLate((entry) => entry.timestampUs === timestampUs, atMs) ?? {
        timestampUs,
        frame: undefined,
        latencyMs: undefined,
      }
    );
  }

  /** An answer without a time: by the request's id, and where the server gives none, the oldest. @param atMs when it came */
  settleId(id: string, atMs: number): Settled {
    const at = id === '' ? 0 : this.#entries.findIndex(({ request }) => request.id === id);
    const [entry] = at < 0 ? [] : this.#entries.splice(at, 1);
    if (entry !== undefined) {
      this.#changed();
      return this.#answer(entry, atMs);
    }
    const repeated = this.#answered.find((each) => each.id === id);
    if (repeated !== undefined) {
      const { frame } = repeated;
      return { timestampUs: frame.timestampUs, frame, latencyMs: undefined };
    }
    const late = this.#answerLate((_, number) => String(number) === id, atMs);
    return late ?? { timestampUs: undefined, frame: undefined, latencyMs: undefined };
  }

  /** What an answer belongs to that does not say that its frame is done. @param timestampUs undefined: by the id, as {@link settleId} */
  find(timestampUs: number | undefined, id: string): Settled {
    const isIt = (frame: VideoFrame, ownId: string | undefined): boolean =>
      timestampUs === undefined ? id === '' || ownId === id : frame.timestampUs === timestampUs;
    const frame =
      this.#entries.find((entry) => isIt(entry.frame, entry.request.id))?.frame ??
      this.#answered.find((entry) => isIt(entry.frame, entry.id))?.frame;
    return { timestampUs: timestampUs ?? frame?.timestampUs, frame, latencyMs: undefined };
  }

  /** The connection is lost, and with it what was under way. @returns what that was */
  takeAll(): Sent[] {
    const all = this.#entries;
    this.#entries = [];
    this.#changed();
    return all;
  }

  #answer({ frame, request, sentAtMs }: Sent, atMs: number): Settled {
    this.#answered.unshift({ frame, id: request.id });
    if (this.#answered.length > this.#capacity) this.#answered.pop();
    return { timestampUs: frame.timestampUs, frame, latencyMs: atMs - sentAtMs };
  }

  #answerLate(
    isIt: (entry: { readonly timestampUs: number }, number: number) => boolean,
    atMs: number,
  ): Settled | undefined {
    for (const [number, entry] of this.#expired) {
      if (!isIt(entry, number)) continue;
      this.#expired.delete(number);
      this.unanswered--;
      return { timestampUs: entry.timestampUs, frame: undefined, latencyMs: atMs - entry.sentAtMs };
    }
    return undefined;
  }

  #expire(): void {
    const entry = this.#entries.shift();
    if (entry === undefined) return;
    this.unanswered++;
    // Without its picture: what never comes should not cost memory.
    this.#expired.set(entry.frame.number, { timestampUs: entry.frame.timestampUs, sentAtMs: entry.sentAtMs });
    const [oldest] = this.#expired.keys();
    if (this.#expired.size > EXPIRED_KEPT && oldest !== undefined) this.#expired.delete(oldest);
  }

  #changed(): void {
    this.#wake?.();
  }

  /** Until something settled, the time is over, or `signal` is aborted. */
  async #change(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
    this.#wake = undefined;
  }
}
