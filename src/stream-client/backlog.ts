/** The number of answers that came and were not handled yet. */
export class Backlog {
  #length = 0;
  #wakers: (() => void)[] = [];

  get length(): number {
    return this.#length;
  }

  enter(): void {
    this.#length++;
  }

  leave(): void {
    this.#length--;
    for (const wake of this.#wakers.splice(0)) wake();
  }

  /** Resolves when fewer than `count` wait, or `signal` is aborted. */
  async below(count: number, signal: AbortSignal): Promise<void> {
    while (this.#length >= count && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          resolve();
        };
        signal.addEventListener('abort', wake, { once: true });
        this.#wakers.push(wake);
      });
    }
  }
}
