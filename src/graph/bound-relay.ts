import type { OutputStream } from './output-stream.ts';

/** Nodes through which a bound is passed on by calls within calls. */
const MAX_DEPTH = 100;

/**
 * Passes bounds on from node to node. A bound that comes through a long chain of nodes goes on from a list instead of the
 * call stack, which is not that deep.
 */
export class BoundRelay {
  readonly #later: { readonly outputs: readonly OutputStream[]; readonly bound: bigint }[] = [];
  #depth = 0;

  /** Shows `bound` on the outputs that are open, now or before the outermost call returns. */
  pass(outputs: readonly OutputStream[], bound: bigint): void {
    if (this.#depth >= MAX_DEPTH) {
      this.#later.push({ outputs, bound });
      return;
    }
    this.#depth++;
    for (const output of outputs) if (!output.isClosed) output.raise(bound);
    if (this.#depth === 1) {
      for (let next = this.#later.pop(); next !== undefined; next = this.#later.pop()) {
        for (const output of next.outputs) if (!output.isClosed) output.raise(next.bound);
      }
    }
    this.#depth--;
  }
}
