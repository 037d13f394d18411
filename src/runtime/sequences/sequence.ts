import type { MillraceError } from '../../base/errors.ts';
import type { SequenceStep } from '../../tensor/sequence.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { RunCaller } from '../model-session.ts';

/** A request of a sequence. Times are in ms, as of `performance.now()`. */
export interface Step {
  readonly step: SequenceStep;
  readonly inputs: readonly Tensor[];
  readonly controls: readonly Tensor[];
  readonly caller: RunCaller;
  readonly since: number;
  readonly isWanted: () => boolean;
  resolve(outputs: Tensor[]): void;
  reject(error: MillraceError): void;
}

/** One conversation with a model: its requests run one after another. */
export interface Sequence {
  readonly id: bigint | string;
  /** Undefined: it waits for one. */
  slot: number | undefined;
  readonly queue: Step[];
  state: readonly Tensor[];
  isRunning: boolean;
  /** Its last request has come. */
  isEnding: boolean;
  /** No more than this it waits for a slot; Infinity: as long as it takes. */
  readonly expiresAt: number;
}

export function newSequence(id: bigint | string, expiresAt: number): Sequence {
  return { id, slot: undefined, queue: [], state: [], isRunning: false, isEnding: false, expiresAt };
}

/** The sequences of one model: who has which slot, who waits for one, who says nothing. */
export class SequenceTable {
  readonly #free: boolean[];
  /** Those that take more requests. */
  readonly #live = new Map<bigint | string, Sequence>();
  /** With those whose last request has come, until it is answered. */
  readonly #all = new Set<Sequence>();
  /** In the order of their coming. */
  readonly #backlog = new Set<Sequence>();
  /** Those without any request, with the time since when; the longest silent first. */
  readonly #idle = new Map<Sequence, number>();

  constructor(slots: number) {
    this.#free = new Array<boolean>(slots).fill(true);
  }

  /** Of those that take more requests. */
  get(id: bigint | string): Sequence | undefined {
    return this.#live.get(id);
  }

  get backlogSize(): number {
    return this.#backlog.size;
  }

  get hasFreeSlot(): boolean {
    return this.#free.includes(true);
  }

  /** It has a slot now, or waits for one behind all others. */
  add(sequence: Sequence): void {
    this.#live.set(sequence.id, sequence);
    this.#all.add(sequence);
    if (!this.#seat(sequence)) this.#backlog.add(sequence);
  }

  /** It takes no more requests under its id. */
  close(sequence: Sequence): void {
    sequence.isEnding = true;
    if (this.#live.get(sequence.id) === sequence) this.#live.delete(sequence.id);
  }

  /** It is over. @returns who has its slot now */
  remove(sequence: Sequence): Sequence | undefined {
    this.close(sequence);
    this.#all.delete(sequence);
    this.#idle.delete(sequence);
    this.#backlog.delete(sequence);
    if (sequence.slot === undefined) return undefined;
    this.#free[sequence.slot] = true;
    sequence.slot = undefined;
    for (const next of this.#backlog) {
      this.#backlog.delete(next);
      this.#seat(next);
      return next;
    }
    return undefined;
  }

  setIdle(sequence: Sequence, since: number | undefined): void {
    this.#idle.delete(sequence);
    if (since !== undefined) this.#idle.set(sequence, since);
  }

  /** The one that has been silent for longest. */
  get mostIdle(): readonly [Sequence, number] | undefined {
    for (const entry of this.#idle) return entry;
    return undefined;
  }

  get waiting(): Iterable<Sequence> {
    return this.#backlog;
  }

  /** All that have not come to their end. */
  get all(): Iterable<Sequence> {
    return this.#all;
  }

  #seat(sequence: Sequence): boolean {
    const slot = this.#free.indexOf(true);
    if (slot < 0) return false;
    this.#free[slot] = false;
    sequence.slot = slot;
    return true;
  }
}
