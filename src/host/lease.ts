/** Keeps a servable alive while it is used: it closes when it was retired and the last user has released it. */
export class Lease<T extends { close(): Promise<void> }> {
  readonly resource: T;
  readonly #onError: (error: unknown) => void;
  readonly #closed: Promise<void>;
  #settle!: (closing: Promise<void>) => void;
  #users = 0;
  #isRetired = false;

  constructor(resource: T, onError: (error: unknown) => void) {
    this.resource = resource;
    this.#onError = onError;
    this.#closed = new Promise((resolve) => (this.#settle = resolve));
  }

  acquire(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    this.#closeIfUnused();
  }

  /** Closes it as soon as nobody uses it; resolves when it has closed, well or badly. Called once. */
  retire(): Promise<void> {
    this.#isRetired = true;
    this.#closeIfUnused();
    return this.#closed;
  }

  #closeIfUnused(): void {
    if (this.#isRetired && this.#users === 0) this.#settle(this.resource.close().catch(this.#onError));
  }
}
