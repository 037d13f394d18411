/**
 * One at a time, first come first served. All models of a thread share one queue: ONNX Runtime's binding blocks the
 * thread, so a second run started meanwhile would only wait for it, after its announcement to the supervisor.
 */
export class RunQueue {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /**
   * Runs `work` once everything asked for earlier has ended, well or badly. After work that it waited for, the event loop
   * turns first, so that `work` knows of what came in meanwhile.
   */
  run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#pending++ === 0 ? this.#last : this.#last.then(nextTurn);
    const result = before.then(work);
    this.#last = result.then(this.#ended, this.#ended);
    return result;
  }

  readonly #ended = (): void => {
    this.#pending--;
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
