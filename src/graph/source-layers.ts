import type { NodeRun } from './node-run.ts';

/** Sources begin layer by layer: those of the next one when all of the layers before have closed. */
export class SourceLayers {
  readonly #sources: readonly NodeRun[];

  constructor(nodes: readonly NodeRun[]) {
    this.#sources = nodes.filter(({ plan }) => plan.isSource);
  }

  /** Whether some source has begun and not closed. */
  get areActive(): boolean {
    return this.#sources.some((source) => source.isActive && !source.isClosed);
  }

  /** The sources of the next layer that have opened, now active. */
  next(): readonly NodeRun[] {
    let layer = Infinity;
    for (const { isClosed, isActive, plan } of this.#sources) {
      if (!isClosed && !isActive && plan.sourceLayer < layer) layer = plan.sourceLayer;
    }
    const begun = this.#sources.filter(
      (source) => source.isOpen && !source.isActive && source.plan.sourceLayer === layer,
    );
    for (const source of begun) source.isActive = true;
    return begun;
  }

  /** A source that cannot open and so keeps an open one of a later layer from beginning. */
  blockedBy(): NodeRun | undefined {
    const isWaiting = this.#sources.some((source) => source.isOpen && !source.isActive);
    return isWaiting ? this.#sources.find((source) => !source.isOpen && !source.isClosed) : undefined;
  }

  /** The last call of every source is now, or was. */
  stop(): void {
    for (const source of this.#sources) source.requestStop();
  }
}
