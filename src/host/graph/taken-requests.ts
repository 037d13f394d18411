import type { GraphRun } from '../../graph/index.ts';

const MAX_KEPT = 1024;
const PRUNE_ABOVE = 32;

interface TakenRequest {
  readonly id: string;
  /** When it was taken, ms as `performance.now()`. */
  readonly at: number;
}

/** The requests whose outputs may still come, by timestamp: a response carries the id of the last request at its time. */
export class TakenRequests {
  readonly #run: GraphRun;
  readonly #outputs: readonly { readonly name: string }[];
  readonly #requests = new Map<bigint, TakenRequest>();

  constructor(run: GraphRun, outputs: readonly { readonly name: string }[]) {
    this.#run = run;
    this.#outputs = outputs;
  }

  add(timestamp: bigint, id: string): void {
    this.#requests.delete(timestamp);
    this.#requests.set(timestamp, { id, at: performance.now() });
    if (this.#requests.size > PRUNE_ABOVE) this.#prune();
  }

  find(timestamp: bigint): TakenRequest | undefined {
    return this.#requests.get(timestamp);
  }

  /** Forgets the oldest that every output has settled past, and above 1,024 the oldest whatever they wait for. */
  #prune(): void {
    for (const timestamp of this.#requests.keys()) {
      const isSettled = this.#outputs.every(({ name }) => this.#run.isSettledPast(name, timestamp));
      if (!isSettled && this.#requests.size <= MAX_KEPT) return;
      this.#requests.delete(timestamp);
    }
  }
}
