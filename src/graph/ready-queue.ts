import type { NodeRun } from './node-run.ts';

/** Nodes that are scheduled: by priority, and sources after everything else. */
export class ReadyQueue {
  /** Ascending priority: the last runs next. */
  readonly #nodes: { readonly node: NodeRun; readonly priority: number }[] = [];
  readonly #sources: NodeRun[] = [];

  add(node: NodeRun): void {
    const { priority } = node;
    if (node.plan.isSource && node.isOpen) {
      this.#sources.push(node);
      return;
    }
    let at = this.#nodes.length;
    while (at > 0 && (this.#nodes[at - 1]?.priority ?? 0) > priority) at--;
    if (at === this.#nodes.length) this.#nodes.push({ node, priority });
    else this.#nodes.splice(at, 0, { node, priority });
  }

  take(): NodeRun | undefined {
    return this.#nodes.pop()?.node ?? this.#takeSource();
  }

  clear(): void {
    this.#nodes.length = 0;
    this.#sources.length = 0;
  }

  /** Lower layer first, then the source whose outputs are furthest behind, then the lower index. */
  #takeSource(): NodeRun | undefined {
    let best = this.#sources[0];
    if (best === undefined) return undefined;
    let bestAt = 0;
    for (let at = 1; at < this.#sources.length; at++) {
      const candidate = this.#sources[at];
      if (candidate === undefined || !isBefore(candidate, best)) continue;
      best = candidate;
      bestAt = at;
    }
    this.#sources.splice(bestAt, 1);
    return best;
  }
}

function isBefore(a: NodeRun, b: NodeRun): boolean {
  if (a.plan.sourceLayer !== b.plan.sourceLayer) return a.plan.sourceLayer < b.plan.sourceLayer;
  const [first, second] = [a.sourceOrder, b.sourceOrder];
  return first === second ? a.plan.index < b.plan.index : first < second;
}
