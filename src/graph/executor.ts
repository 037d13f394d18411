import type { NodeRun } from './node-run.ts';

/**
 * A graph's executor in one run. JavaScript runs on one thread, so what an executor limits is how many asynchronous calls of
 * its nodes are under way at once.
 */
export class Executor {
  readonly #limit: number;
  #calls = 0;
  /** Nodes whose turn came while the limit was reached. */
  #waiting: NodeRun[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the node may run now; if not, it waits here. */
  admits(node: NodeRun): boolean {
    if (this.#calls < this.#limit) return true;
    this.#waiting.push(node);
    return false;
  }

  callBegan(): void {
    this.#calls++;
  }

  /** Returns the nodes that waited for this; their turn comes again. */
  callEnded(): readonly NodeRun[] {
    this.#calls--;
    const waiting = this.#waiting;
    if (waiting.length > 0) this.#waiting = [];
    return waiting;
  }
}
