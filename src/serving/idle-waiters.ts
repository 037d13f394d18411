/** Waits for work to end: whoever ends some wakes those that wait, who look again. */
export class IdleWaiters {
  #waiting: (() => void)[] = [];

  /** Some work has ended. */
  wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when `isBusy` says no, or after `ms`. */
  async whileBusy(isBusy: () => boolean, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), ms);
    });
    while (isBusy()) {
      const woken = new Promise<boolean>((resolve) => this.#waiting.push(() => resolve(false)));
      if (await Promise.race([timedOut, woken])) break;
    }
    clearTimeout(timer);
  }
}
