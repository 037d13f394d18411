type Close = () => void | PromiseLike<void>;

/**
 * Closes what it was given, last first; idempotent. With `await using`, whatever was opened before a failing step closes
 * again; `move()` hands everything on when all steps succeeded.
 */
export class Closer implements AsyncDisposable {
  #closes: Close[] = [];

  /** Registers `resource` and returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#closes.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(close: Close): void {
    this.#closes.push(close);
  }

  move(): Closer {
    const moved = new Closer();
    moved.#closes = this.#closes;
    this.#closes = [];
    return moved;
  }

  /** Runs every close even when one throws; then throws the first error. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.#closes.pop(); close !== undefined; close = this.#closes.pop()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
