/** Keeps a servable alive while it is used: it closes when it was retired and the last user has released it. */
export class Lease<T extends { close(): Promise<void> }> {
  readonly resource: T;
  readonly #onError: (error: unknown) => void;
  #users = 0;
  #isRetired = false;

  constructor(resource: T, onError: (error: unknown) => void) {
    this.resource = resource;
    this.#onError = onError;
  }

  acquire(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    this.#closeIfUnused();
  }

  /** Closes it as soon as nobody uses it. Called once. */
  retire(): void {
    this.#isRetired = true;
    this.#closeIfUnused();
  }

  #closeIfUnused(): void {
    if (this.#isRetired && this.#users === 0) this.resource.close().catch(this.#onError);
  }
}
