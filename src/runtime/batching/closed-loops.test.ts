import { describe, expect, test } from 'vitest';
import { Gathering } from './gathering.ts';

/** Of the front, for one message, and of a client between an answer and its next request. Half to one and a half of it. */
const FRONT_MS = 0.06;
const CLIENT_MS = 0.3;
const MAX_BATCH = 32;
const SECONDS = 5;

interface Model {
  readonly fixedMs: number;
  readonly perRowMs: number;
}

/** A model that batches, and clients that ask again when they are answered, by a clock of its own. */
class ClosedLoop {
  readonly #model: Model;
  readonly #gathering: Gathering | undefined;
  readonly #events: { readonly at: number; readonly happen: () => void }[] = [];
  #now = 0;
  #seed = 1;
  #frontFreeAt = 0;
  #waiting = 0;
  #isRunning = false;
  #look = 0;
  #answered = 0;

  constructor(model: Model, waits: boolean) {
    this.#model = model;
    this.#gathering = waits ? new Gathering() : undefined;
  }

  /** Requests per second. */
  run(clients: number): number {
    for (let client = 0; client < clients; client++) this.#after(this.#random() * 5, () => this.#ask());
    while (this.#now < SECONDS * 1000) {
      const next = this.#events.reduce((first, event) => (event.at < first.at ? event : first));
      this.#events.splice(this.#events.indexOf(next), 1);
      this.#now = next.at;
      next.happen();
    }
    return this.#answered / SECONDS;
  }

  #after(ms: number, happen: () => void): void {
    this.#events.push({ at: this.#now + ms, happen });
  }

  #random(): number {
    this.#seed = (this.#seed * 1103515245 + 12345) % 2147483648;
    return this.#seed / 2147483648;
  }

  /** The front handles one message after another. */
  #throughFront(then: () => void): void {
    this.#frontFreeAt = Math.max(this.#frontFreeAt, this.#now) + FRONT_MS * (0.5 + this.#random());
    this.#after(this.#frontFreeAt - this.#now, then);
  }

  #ask(): void {
    this.#throughFront(() => {
      this.#waiting++;
      this.#lookAgain();
    });
  }

  #lookAgain(): void {
    const look = ++this.#look;
    if (this.#isRunning || this.#waiting === 0) return;
    const isFull = this.#waiting >= MAX_BATCH;
    const waitMs = isFull ? 0 : (this.#gathering?.waitMs(this.#now, this.#waiting) ?? 0);
    if (waitMs === 0) return this.#runBatch();
    this.#after(Math.ceil(waitMs), () => {
      if (look === this.#look) this.#lookAgain();
    });
  }

  #runBatch(): void {
    const rows = Math.min(MAX_BATCH, this.#waiting);
    this.#waiting -= rows;
    this.#isRunning = true;
    this.#gathering?.runStarts();
    const ms = (this.#model.fixedMs + this.#model.perRowMs * rows) * (1 + 0.1 * this.#random());
    this.#after(ms, () => {
      for (let row = 0; row < rows; row++) this.#throughFront(() => this.#answer());
      this.#isRunning = false;
      this.#gathering?.runEnded(this.#now, rows, rows, ms, this.#waiting);
      this.#lookAgain();
    });
  }

  #answer(): void {
    this.#answered++;
    this.#after(CLIENT_MS * (0.5 + this.#random()), () => this.#ask());
  }
}

const gain = (model: Model, clients: number): number =>
  new ClosedLoop(model, true).run(clients) / new ClosedLoop(model, false).run(clients);

describe('clients that ask again when they are answered', () => {
  test.each([2, 4, 8, 16])('%i of them get more where runs cost much whatever their rows', (clients) => {
    expect(gain({ fixedMs: 8, perRowMs: 0 }, clients)).toBeGreaterThan(1.4);
    expect(gain({ fixedMs: 3, perRowMs: 0.18 }, clients)).toBeGreaterThan(1.1);
  });

  test.each([2, 4, 16, 32, 64])('%i of them lose next to nothing anywhere', (clients) => {
    for (const fixedMs of [0, 0.5, 3, 8]) {
      for (const perRowMs of [0.02, 0.4, 5]) {
        expect(gain({ fixedMs, perRowMs }, clients), `${fixedMs} + ${perRowMs}`).toBeGreaterThan(0.93);
      }
    }
  });

  test('a batch of all of them has three quarters of what runs without a pause would give', () => {
    for (const clients of [16, 32]) {
      const perSecond = new ClosedLoop({ fixedMs: 3, perRowMs: 0.18 }, true).run(clients);
      const share = perSecond / ((1000 * clients) / (3 + 0.18 * clients));
      expect(share).toBeGreaterThan(0.68);
      expect(share).toBeLessThan(0.76);
    }
  });
});
