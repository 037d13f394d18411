import type { NodeRun } from './node-run.ts';
import { ReadyQueue } from './ready-queue.ts';

/** Steps between two turns of the event loop. */
const STEPS_PER_TURN = 100;

export interface RunLoopHost {
  readonly hasFailed: boolean;
  /** Nothing is ready and no call is under way. Returns whether something was done that may have made work. */
  idle(): boolean;
}

/** Runs ready nodes one after another, beginning in a microtask, with a turn of the event loop every so many steps. */
export class RunLoop {
  readonly #host: RunLoopHost;
  readonly #ready = new ReadyQueue();
  readonly #drain = () => this.#run();
  #isAwake = false;
  #isPaused = false;
  /** Awake, but paused, so that no turn is scheduled. */
  #isParked = false;
  #steps = 0;
  /** Calls whose promises have not settled. */
  #calls = 0;

  constructor(host: RunLoopHost) {
    this.#host = host;
  }

  /** Work or waiting is under way, so that `idle` will be asked later. */
  get isAwake(): boolean {
    return this.#isAwake || this.#calls > 0;
  }

  schedule(node: NodeRun): void {
    this.#ready.add(node);
    this.wake();
  }

  wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    queueMicrotask(this.#drain);
  }

  /** Nothing more begins until `resume`; calls under way go on. A run that has failed ends all the same. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isParked) return;
    this.#isParked = false;
    queueMicrotask(this.#drain);
  }

  callBegan(node: NodeRun): void {
    this.#calls++;
    node.executor?.callBegan();
  }

  callEnded(node: NodeRun): void {
    this.#calls--;
    if (node.executor !== undefined) for (const waiting of node.executor.callEnded()) this.#ready.add(waiting);
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#run();
  }

  #run(): void {
    for (;;) {
      if (this.#host.hasFailed) this.#ready.clear();
      else if (this.#isPaused) {
        this.#isParked = true;
        return;
      }
      const node = this.#ready.take();
      if (node !== undefined) {
        if (node.executor?.admits(node) === false) continue;
        node.run();
        if (++this.#steps < STEPS_PER_TURN) continue;
        this.#steps = 0;
        setImmediate(this.#drain);
        return;
      }
      if (this.#calls > 0 || !this.#host.idle()) break;
    }
    this.#isAwake = false;
  }
}
