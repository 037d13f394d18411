import type { InferenceResponse } from '../../tensor/inference.ts';

/** Responses whose images are being encoded, beyond which the graph is held back. */
const MAX_UNDER_WAY = 4;

interface Entry {
  /** Undefined while it is made. */
  response: InferenceResponse | undefined;
  readonly send: (response: InferenceResponse) => void;
}

/** Keeps responses in order of which some take a while to make. */
export class ResponseOrder {
  readonly #onFault: (error: unknown) => void;
  readonly #onRoom: () => void;
  #entries: Entry[] = [];
  #whenEmpty: (() => void) | undefined;

  /**
   * @param onFault told why a response could not be made; those behind it are not sent
   * @param onRoom told when it is no longer full
   */
  constructor(onFault: (error: unknown) => void, onRoom: () => void) {
    this.#onFault = onFault;
    this.#onRoom = onRoom;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get isFull(): boolean {
    return this.#entries.length >= MAX_UNDER_WAY;
  }

  /** Sends the response after those before it, at once if there are none. */
  add(response: InferenceResponse | Promise<InferenceResponse>, send: Entry['send']): void {
    if (!(response instanceof Promise)) {
      if (this.isEmpty) send(response);
      else this.#entries.push({ response, send });
      return;
    }
    const entry: Entry = { response: undefined, send };
    this.#entries.push(entry);
    response.then(
      (made) => {
        entry.response = made;
        this.#sendMade();
      },
      (error: unknown) => {
        if (!this.#entries.includes(entry)) return;
        this.#entries.length = this.#entries.indexOf(entry);
        this.#onFault(error);
        this.#tellIfEmpty();
      },
    );
  }

  /** Calls `then` once nothing waits. */
  whenEmpty(then: () => void): void {
    this.#whenEmpty = then;
    this.#tellIfEmpty();
  }

  /** Forgets all that waits. */
  clear(): void {
    this.#entries = [];
    this.#whenEmpty = undefined;
  }

  #sendMade(): void {
    const wasFull = this.isFull;
    for (let [first] = this.#entries; first?.response !== undefined; [first] = this.#entries) {
      this.#entries.shift();
      first.send(first.response);
    }
    if (wasFull && !this.isFull) this.#onRoom();
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (!this.isEmpty || this.#whenEmpty === undefined) return;
    const then = this.#whenEmpty;
    this.#whenEmpty = undefined;
    then();
  }
}
