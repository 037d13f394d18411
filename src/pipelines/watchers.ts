import type { HostReport, StatusUpdate } from './common/report.ts';
import type { ResultBatch } from './result-ring.ts';

/** Somebody who looks at a pipeline from outside. What it does not name it is not told of. */
export interface PipelineWatcher {
  onReport?(report: HostReport): void;
  onUpdate?(update: StatusUpdate): void;
  onResults?(batch: ResultBatch): void;
  /** A JPEG with what was found in it. */
  onFrame?(sourceId: number, frameId: number, jpeg: Uint8Array): void;
  /** The pipeline is over. */
  onEnd?(): void;
}

/** Those who look at a pipeline; the host makes only what somebody wants. */
export class Watchers {
  readonly #all = new Set<PipelineWatcher>();
  readonly #want: (results: boolean, frames: boolean) => void;
  #wanted = '';
  #hasEnded = false;

  /** @param want told when results or pictures begin to be wanted, or no longer are */
  constructor(want: (results: boolean, frames: boolean) => void) {
    this.#want = want;
  }

  add(watcher: PipelineWatcher): () => void {
    if (this.#hasEnded) {
      queueMicrotask(() => watcher.onEnd?.());
      return () => {};
    }
    this.#all.add(watcher);
    this.#tell();
    return () => {
      if (this.#all.delete(watcher)) this.#tell();
    };
  }

  /** A host has the pipeline, and knows of nobody. */
  begin(): void {
    this.#wanted = '';
    this.#tell();
  }

  report(report: HostReport): void {
    for (const watcher of this.#all) watcher.onReport?.(report);
  }
  update(update: StatusUpdate): void {
    for (const watcher of this.#all) watcher.onUpdate?.(update);
  }
  results(batch: ResultBatch): void {
    for (const watcher of this.#all) watcher.onResults?.(batch);
  }
  frame(sourceId: number, frameId: number, jpeg: Uint8Array): void {
    for (const watcher of this.#all) watcher.onFrame?.(sourceId, frameId, jpeg);
  }

  end(): void {
    this.#hasEnded = true;
    const all = [...this.#all];
    this.#all.clear();
    for (const watcher of all) watcher.onEnd?.();
  }

  #tell(): void {
    if (this.#hasEnded) return;
    const all = [...this.#all];
    const results = all.some((watcher) => watcher.onResults !== undefined);
    const frames = all.some((watcher) => watcher.onFrame !== undefined);
    const wanted = `${results} ${frames}`;
    if (wanted === this.#wanted || (this.#wanted === '' && !results && !frames)) return;
    this.#wanted = wanted;
    this.#want(results, frames);
  }
}
