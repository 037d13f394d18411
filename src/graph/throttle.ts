import { GraphError } from './graph-error.ts';
import type { InputStream } from './input-stream.ts';
import type { NodeRun } from './node-run.ts';

/** Packets up to which one queue may grow to relieve a deadlock; twice its own limit where that is more. */
const MOST_RELIEF = 10_000;

/** Which queues are full, and which sources and graph inputs that holds back. */
export class Throttle {
  readonly #nodes: readonly NodeRun[];
  /** Those that nodes would empty; what the application reads waits for it. */
  readonly #full = new Set<InputStream>();
  /** Per graph input: how many full queues it feeds. */
  readonly #inputs: number[];
  #throttledInputs = 0;
  #isBlocked = false;
  /** Bytes in all queues. */
  #bytes = 0;
  readonly #maxBytes: number;
  #waiters: (() => void)[] = [];
  readonly #resume: (source: NodeRun) => void;

  constructor(nodes: readonly NodeRun[], graphInputs: number, maxBytes: number, resume: (source: NodeRun) => void) {
    this.#nodes = nodes;
    this.#maxBytes = maxBytes;
    this.#inputs = new Array<number>(graphInputs).fill(0);
    this.#resume = resume;
  }

  /** Back-pressure from outside. */
  setBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    if (!isBlocked) this.#resumeAll();
  }

  /** The queues hold `change` bytes more. */
  count(change: number): void {
    const wasFull = this.#hasNoBytesLeft;
    this.#bytes += change;
    if (wasFull && !this.#hasNoBytesLeft) this.#resumeAll();
  }

  /** @param isRelieved whether the queue may grow to relieve a deadlock */
  update(input: InputStream, isFull: boolean, isRelieved = true): void {
    const change = isFull ? 1 : -1;
    if (!isFull) this.#full.delete(input);
    else if (isRelieved) this.#full.add(input);
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
    return source.throttles === 0 && !this.#holdsAllBack;
  }

  /** Whether the graph input, or any of them, is held back. */
  holdsBack(graphInput?: number): boolean {
    if (this.#holdsAllBack) return true;
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

  /**
   * Everything is idle and held back: what is wrong, where more room is no remedy or, with `report_deadlock`, is not wanted.
   */
  deadlock(isReported: boolean): GraphError | undefined {
    if (this.#isBlocked) return undefined;
    if (this.#hasNoBytesLeft) return this.#exhausted(this.#largest());
    for (const input of this.#full) {
      if (isReported) return this.#throttlingDeadlock(input);
      if (input.size >= Math.max(MOST_RELIEF, 2 * input.firstLimit)) return this.#exhausted(input);
    }
    return undefined;
  }

  get #hasNoBytesLeft(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  get #holdsAllBack(): boolean {
    return this.#isBlocked || this.#hasNoBytesLeft;
  }

  #throttlingDeadlock(input: InputStream): GraphError {
    return new GraphError(
      'UNAVAILABLE',
      `Detected a deadlock due to input throttling for input stream: "${input.name}" of a node "${this.#nodeOf(input)?.plan.debugName}". ` +
        'All calculators are idle while packet sources remain active and throttled.  Consider adjusting "max_queue_size" ' +
        'or "report_deadlock".',
    );
  }

  /** No calculator can run with what the queues hold, and they may not hold more. */
  #exhausted(input: InputStream | undefined): GraphError {
    const bytes = this.#hasNoBytesLeft
      ? `; all queues hold ${this.#bytes} bytes, less than ${this.#maxBytes} expected`
      : '';
    return new GraphError(
      'RESOURCE_EXHAUSTED',
      `stream "${input?.name}" of node "${input && this.#nodeOf(input)?.plan.name}": ${input?.size} packets wait for packets ` +
        `of other streams that do not come${bytes}`,
      { fault: 'queue' },
    );
  }

  #largest(): InputStream | undefined {
    let largest: InputStream | undefined;
    for (const { inputs } of this.#nodes) {
      for (const input of inputs) if (input.bytes > (largest?.bytes ?? 0)) largest = input;
    }
    return largest;
  }

  #nodeOf(input: InputStream): NodeRun | undefined {
    return this.#nodes.find(({ inputs }) => inputs.includes(input));
  }

  #resumeAll(): void {
    if (this.#holdsAllBack) return;
    for (const node of this.#nodes) if (node.isActive && node.throttles === 0) this.#resume(node);
    this.#release();
  }

  #release(): void {
    if (this.#waiters.length > 0 && !this.holdsBack()) this.releaseAll();
  }
}
