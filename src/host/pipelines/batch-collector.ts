import type { SourceFrame } from './source-runner.ts';

/** Sources as the collector sees them. */
export interface FrameGiver {
  next(): Promise<SourceFrame | undefined>;
}

interface Asked {
  settled: { readonly frame: SourceFrame | undefined } | undefined;
}

/**
 * Takes the frames of several sources together: one of each that lives, in their order. Waits without limit, or until
 * `timeoutMs` after the batch before; a frame that comes later is in the next batch. (Sheet §3.)
 */
export class BatchCollector {
  readonly #sources: readonly FrameGiver[];
  readonly #timeoutMs: number | undefined;
  readonly #asked: (Asked | undefined)[];
  readonly #isOver: boolean[];
  #lastBatchAtMs = performance.now();
  #wake = (): void => {};

  constructor(sources: readonly FrameGiver[], timeoutMs: number | undefined) {
    this.#sources = sources;
    this.#timeoutMs = timeoutMs;
    this.#asked = sources.map(() => undefined);
    this.#isOver = sources.map(() => false);
  }

  /** Never empty; undefined when every source has ended. One call at a time. */
  async next(): Promise<SourceFrame[] | undefined> {
    for (;;) {
      const asked = this.#ask();
      if (asked.length === 0) return undefined;
      await this.#wait(asked);
      const batch = this.#gather();
      if (batch.length > 0) {
        this.#lastBatchAtMs = performance.now();
        return batch;
      }
    }
  }

  #ask(): Asked[] {
    return this.#sources.flatMap((source, index) => {
      if (this.#isOver[index]) return [];
      return [(this.#asked[index] ??= this.#askOf(source))];
    });
  }

  async #wait(asked: readonly Asked[]): Promise<void> {
    const hasCome = ({ settled }: Asked): boolean => settled !== undefined;
    let isLate = false;
    const late = (): void => {
      isLate = true;
      this.#wake();
    };
    const leftMs = Math.max(0, this.#lastBatchAtMs + (this.#timeoutMs ?? 0) - performance.now());
    const timer = this.#timeoutMs === undefined ? undefined : setTimeout(late, leftMs);
    // After the limit the first one that comes is a batch.
    while (!(asked.every(hasCome) || (isLate && asked.some(hasCome)))) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    clearTimeout(timer);
  }

  /** Its answer wakes who waits: reactions on a promise of a source that is silent would gather, one for each batch. */
  #askOf(source: FrameGiver): Asked {
    const asked: Asked = { settled: undefined };
    void source.next().then((frame) => {
      asked.settled = { frame };
      this.#wake();
    });
    return asked;
  }

  #gather(): SourceFrame[] {
    const batch: SourceFrame[] = [];
    for (const [index, asked] of this.#asked.entries()) {
      if (asked?.settled === undefined) continue;
      this.#asked[index] = undefined;
      const { frame } = asked.settled;
      if (frame === undefined) this.#isOver[index] = true;
      else batch.push(frame);
    }
    return batch;
  }
}
