import type { ResourceNeed } from '../ipc/resource-need.ts';

/** A run that has what it needs, or waits for it. */
interface Waiting {
  readonly need: ResourceNeed;
  readonly instance: string;
  grant(release: () => void): void;
}

/**
 * Resources that runs of models share (Triton's rate limiter, `--rate-limit execution_count`): a run begins when all that its instance
 * needs is free. Of those that wait, the first is the one whose instance has the lowest product of runs so far and priority; no other
 * overtakes it, so one that needs much comes to its turn.
 */
export class ExecutionResources {
  readonly #limits: ReadonlyMap<string, number>;
  /** Where nothing limits a resource: the most that an instance needs of it. */
  readonly #seen = new Map<string, number>();
  readonly #used = new Map<string, number>();
  readonly #runs = new Map<string, number>();
  #waiting: Waiting[] = [];

  /** @param limits by name, as `--rate-limit-resource` says */
  constructor(limits: ReadonlyMap<string, number> = new Map()) {
    this.#limits = limits;
  }

  /**
   * @param instance of the model: one host's
   * @param grant called once, now or later, with how to give the resources back
   * @returns takes a wait back that was not granted
   */
  acquire(instance: string, need: ResourceNeed, grant: (release: () => void) => void): () => void {
    for (const { name, count } of need.resources) {
      this.#seen.set(name, Math.max(count, this.#seen.get(name) ?? 0));
    }
    const waiting = { need, instance, grant };
    this.#waiting.push(waiting);
    this.#grantNext();
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      this.#grantNext();
    };
  }

  #grantNext(): void {
    for (;;) {
      const first = this.#first();
      if (first === undefined || !this.#isFree(first.need)) return;
      this.#waiting = this.#waiting.filter((other) => other !== first);
      this.#runs.set(first.instance, (this.#runs.get(first.instance) ?? 0) + 1);
      this.#take(first.need, 1);
      let isHeld = true;
      first.grant(() => {
        if (!isHeld) return;
        isHeld = false;
        this.#take(first.need, -1);
        this.#grantNext();
      });
    }
  }

  #first(): Waiting | undefined {
    let best: Waiting | undefined;
    for (const each of this.#waiting) {
      if (best === undefined || this.#score(each) < this.#score(best)) best = each;
    }
    return best;
  }

  #score({ instance, need }: Waiting): number {
    return (this.#runs.get(instance) ?? 0) * Math.max(1, need.priority);
  }

  #isFree({ resources }: ResourceNeed): boolean {
    return resources.every(({ name, count }) => {
      const most = this.#limits.get(name) ?? this.#seen.get(name) ?? 0;
      return (this.#used.get(name) ?? 0) + count <= most;
    });
  }

  #take({ resources }: ResourceNeed, sign: 1 | -1): void {
    for (const { name, count } of resources) this.#used.set(name, (this.#used.get(name) ?? 0) + sign * count);
  }
}
