import type { SourceFrame } from './source-runner.ts';

/** Sources as the collector sees them. */
export interface FrameGiver {
  next(): Promise<SourceFrame | undefined>;
}

interface Asked {
  readonly promise: Promise<void>;
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
      return [(this.#asked[index] ??= ask(source))];
    });
  }

  async #wait(asked: readonly Asked[]): Promise<void> {
    const all = Promise.all(asked.map(({ promise }) => promise));
    if (this.#timeoutMs === undefined) return void (await all);
    const leftMs = Math.max(0, this.#lastBatchAtMs + this.#timeoutMs - performance.now());
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, leftMs)));
    await Promise.race([all, limit]);
    clearTimeout(timer);
    // After the limit the first one that comes is a batch.
    if (!asked.some(({ settled }) => settled !== undefined)) await Promise.race(asked.map(({ promise }) => promise));
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

function ask(source: FrameGiver): Asked {
  const asked: Asked = {
    settled: undefined,
    promise: source.next().then((frame) => {
      asked.settled = { frame };
    }),
  };
  return asked;
}
