/**
 * One at a time, first come first served. All models of a process share one queue: ONNX Runtime's binding blocks the
 * thread, so a second run started meanwhile would only wait inside the addon, after its announcement to the supervisor.
 */
export class RunQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` once everything asked for earlier has ended, well or badly. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
