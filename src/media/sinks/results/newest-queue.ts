/** Keeps the newest things up to a number and to a sum of bytes, and the last one in any case. */
export class NewestQueue<T> {
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #waiting: { readonly thing: T; readonly bytes: number }[] = [];
  #bytes = 0;

  constructor(capacity: number, maxBytes: number) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** @returns how many older things went for it */
  put(thing: T, bytes: number): number {
    this.#waiting.push({ thing, bytes });
    this.#bytes += bytes;
    let dropped = 0;
    for (; this.length > this.#capacity || (this.#bytes > this.#maxBytes && this.length > 1); dropped++) this.take();
    return dropped;
  }

  /** The oldest. */
  take(): T | undefined {
    const oldest = this.#waiting.shift();
    this.#bytes -= oldest?.bytes ?? 0;
    return oldest?.thing;
  }

  /** @returns how many it had */
  clear(): number {
    const { length } = this;
    this.#waiting.length = 0;
    this.#bytes = 0;
    return length;
  }
}
