import { GraphError } from './graph-error.ts';
import type { InputStream } from './input-stream.ts';
import type { NodeRun } from './node-run.ts';

/** Which queues are full, and which sources and graph inputs that holds back. */
export class Throttle {
  readonly #nodes: readonly NodeRun[];
  readonly #full = new Set<InputStream>();
  /** Per graph input: how many full queues it feeds. */
  readonly #inputs: number[];
  #throttledInputs = 0;
  #isBlocked = false;
  #waiters: (() => void)[] = [];
  readonly #resume: (source: NodeRun) => void;

  constructor(nodes: readonly NodeRun[], graphInputs: number, resume: (source: NodeRun) => void) {
    this.#nodes = nodes;
    this.#inputs = new Array<number>(graphInputs).fill(0);
    this.#resume = resume;
  }

  /** Back-pressure from outside. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  setBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    if (isBlocked) return;
    for (const node of this.#nodes) if (node.isActive && node.throttles === 0) this.#resume(node);
    this.#release();
  }

  update(input: InputStream, isFull: boolean): void {
    const change = isFull ? 1 : -1;
    if (isFull) this.#full.add(input);
    else this.#full.delete(input);
    for (const at of input.plan.throttledInputs) {
      const before = this.#inputs[at] ?? 0;
      this.#inputs[at] = before + change;
      if (before === 0) this.#throttledInputs++;
      else if (before + change === 0) this.#throttledInputs--;
    }
    for (const at of input.plan.throttledSources) {
      const source = this.#nodes[at];
      if (source === undefined) continue;
      source.throttles += change;
      if (source.throttles === 0 && source.isActive) this.#resume(source);
    }
    if (!isFull) this.#release();
  }

  mayRun(source: NodeRun): boolean {
    return source.throttles === 0 && !this.#isBlocked;
  }

  /** Whether the graph input, or any of them, is held back. */
  holdsBack(graphInput?: number): boolean {
    if (this.#isBlocked) return true;
    return graphInput === undefined ? this.#throttledInputs > 0 : (this.#inputs[graphInput] ?? 0) > 0;
  }

  /** Resolves once no graph input is held back. */
  whenFree(): Promise<void> {
    if (!this.holdsBack()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The run has ended: nobody waits any longer. */
  releaseAll(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /** Everything is idle and held back: gives each full queue room for one more. Returns whether there was one. */
  relieve(): boolean {
    if (this.#isBlocked || this.#full.size === 0) return false;
    for (const input of [...this.#full]) {
      input.limit = input.size + 1;
      input.updateFull();
    }
    return true;
  }

  /** The error of a graph with `report_deadlock`, when some queue is full. */
  deadlock(): GraphError | undefined {
    const [input] = this.#full;
    if (this.#isBlocked || input === undefined) return undefined;
    const node = this.#nodes.find(({ inputs }) => inputs.includes(input));
    return new GraphError(
      'UNAVAILABLE',
      `Detected a deadlock due to input throttling for input stream: "${input.name}" of a node "${node?.plan.debugName}". ` +
        'All calculators are idle while packet sources remain active and throttled.  Consider adjusting "max_queue_size" ' +
        'or "report_deadlock".',
    );
  }

  #release(): void {
    if (this.#waiters.length > 0 && !this.holdsBack()) this.releaseAll();
  }
}
