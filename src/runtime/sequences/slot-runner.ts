import type { Tensor } from '../../tensor/tensor.ts';
import type { ModelSession, RunCaller } from '../model-session.ts';

/** Runs the requests of sequences, each in a slot of its own, one after another. */
export interface SlotRunner extends AsyncDisposable {
  /** Sequences that may be under way at once. */
  readonly slots: number;
  /** A sequence has the slot from now on, or has left it. */
  setTaken(slot: number, isTaken: boolean): void;
  /** As `ModelSession.run`, of one request with its control and state tensors. The slot's last run has ended. */
  run(slot: number, inputs: readonly Tensor[], isWanted: () => boolean, caller: RunCaller): Promise<Tensor[]>;
}

/** Requests of different sequences run together as they come (Triton's `oldest`): `session` joins them, where it does. */
export class OldestRunner implements SlotRunner {
  readonly slots: number;
  readonly #session: ModelSession;

  /** Owns `session`. */
  constructor(session: ModelSession, slots: number) {
    this.#session = session;
    this.slots = slots;
  }

  setTaken(): void {}

  run(_slot: number, inputs: readonly Tensor[], isWanted: () => boolean, caller: RunCaller): Promise<Tensor[]> {
    return this.#session.run(inputs, isWanted, caller);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#session[Symbol.asyncDispose]();
  }
}
