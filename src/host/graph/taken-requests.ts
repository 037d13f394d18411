import type { GraphRun } from '../../graph/index.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import { RequestTimer } from '../request-timer.ts';

const MIN_KEPT = 1024;
const PRUNE_ABOVE = 32;

interface TakenRequest {
  readonly id: string;
  readonly parameters: InferenceRequest['parameters'];
  readonly outputs: InferenceRequest['outputs'];
  readonly timer: RequestTimer;
}

/** The requests whose outputs may still come, by timestamp: a response carries the id of the last request at its time. */
export class TakenRequests {
  readonly #run: GraphRun;
  readonly #outputs: readonly { readonly name: string }[];
  readonly #maxKept: number;
  readonly #requests = new Map<bigint, TakenRequest>();

  /** @param atLeast how many are kept in any case */
  constructor(run: GraphRun, outputs: readonly { readonly name: string }[], atLeast: number) {
    this.#run = run;
    this.#outputs = outputs;
    this.#maxKept = Math.max(MIN_KEPT, atLeast);
  }

  /** Requests past whose time some output has not settled; those at one time count once. */
  get inFlight(): number {
    this.#prune();
    return this.#requests.size;
  }

  add(timestamp: bigint, { id, parameters, outputs }: Pick<InferenceRequest, 'id' | 'parameters' | 'outputs'>): void {
    this.#requests.delete(timestamp);
    this.#requests.set(timestamp, { id, parameters, outputs, timer: new RequestTimer() });
    if (this.#requests.size > PRUNE_ABOVE) this.#prune();
  }

  find(timestamp: bigint): TakenRequest | undefined {
    return this.#requests.get(timestamp);
  }

  /** Forgets the oldest that every output has settled past, and above the limit the oldest whatever they wait for. */
  #prune(): void {
    for (const timestamp of this.#requests.keys()) {
      const isSettled = this.#outputs.every(({ name }) => this.#run.isSettledPast(name, timestamp));
      if (!isSettled && this.#requests.size <= this.#maxKept) return;
      this.#requests.delete(timestamp);
    }
  }
}
