import { MillraceError } from '../../base/errors.ts';
import type { SequenceStep } from '../../tensor/sequence.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import type { ModelSession, RunCaller } from '../model-session.ts';
import type { ControlTensors } from './control-tensors.ts';
import type { ImplicitState } from './implicit-state.ts';
import { newSequence, SequenceTable, type Sequence, type Step } from './sequence.ts';
import type { SlotRunner } from './slot-runner.ts';

export interface SequenceParts {
  readonly name: string;
  readonly version: string;
  /** Those that requests give. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  /** The first dimension of requests' inputs is a batch, which must be 1. */
  readonly hasBatch: boolean;
  readonly runner: SlotRunner;
  readonly controls: ControlTensors;
  readonly state: ImplicitState;
  /** 0: a sequence may be silent for ever. */
  readonly maxIdleMs: number;
  /** Sequences that may wait for a slot. */
  readonly maxBacklog: number;
}

const NO_SEQUENCE: SequenceStep = { id: undefined, isStart: false, isEnd: false };

/**
 * A model whose requests belong to sequences (KServe sheet §4): those of one correlation id run one after another, with
 * control tensors that tell where in the sequence they are and with the state that the request before has left. Texts of faults
 * are Triton's (§2.5). A request that fails leaves the state as it was; one whose client leaves before it has run ends its
 * sequence, which could not go on without it.
 */
export class SequenceSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #parts: SequenceParts;
  readonly #table: SequenceTable;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #isClosed = false;

  /** Owns `parts.runner`. */
  constructor(parts: SequenceParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.version = parts.version;
    this.inputs = parts.inputs;
    this.outputs = parts.outputs;
    this.provider = parts.provider;
    this.#table = new SequenceTable(parts.runner.slots);
  }

  run(inputs: readonly Tensor[], isWanted: () => boolean = () => true, caller: RunCaller = {}): Promise<Tensor[]> {
    return new Promise((resolve, reject) => {
      try {
        if (this.#isClosed) throw this.#gone();
        const step = caller.sequence ?? NO_SEQUENCE;
        const sequence = this.#sequenceOf(step, inputs, caller);
        const controls = this.#parts.controls.of(step);
        if (sequence.slot === undefined && sequence.queue.length === 0) this.#admit(sequence);
        const since = performance.now() - (caller.waitedMs ?? 0);
        sequence.queue.push({ step, inputs, controls, caller, since, isWanted, resolve, reject });
        if (step.isEnd) this.#table.close(sequence);
        this.#table.setIdle(sequence, undefined);
        this.#pump(sequence);
      } catch (error) {
        reject(MillraceError.from(error));
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const { queue } of this.#table.all) for (const step of queue.splice(0)) step.reject(this.#gone());
    await this.#parts.runner[Symbol.asyncDispose]();
  }

  #gone(): MillraceError {
    return new MillraceError('SERVABLE_NOT_READY', `model '${this.name}' was unloaded`);
  }

  /** @throws MillraceError for a request that belongs to none */
  #sequenceOf({ id, isStart }: SequenceStep, inputs: readonly Tensor[], { timeoutUs = 0 }: RunCaller): Sequence {
    const details = { model: this.name };
    const to = `to model '${this.name}' must specify`;
    if (id === undefined) {
      const text = `inference request ${to} a non-zero or non-empty correlation ID`;
      throw new MillraceError('INVALID_PARAMETER', text, { details });
    }
    if (this.#parts.hasBatch && inputs.some(({ shape }) => shape[0] !== 1)) {
      const text = `inference request ${to} batch-size 1 due to requirements of sequence batcher`;
      throw new MillraceError('WRONG_SHAPE', text, { details });
    }
    const live = this.#table.get(id);
    if (live !== undefined) return live;
    if (isStart) return newSequence(id, timeoutUs > 0 ? performance.now() + timeoutUs / 1000 : Infinity);
    throw new MillraceError(
      'INVALID_PARAMETER',
      `inference request for sequence ${id} ${to} the START flag on the first request of the sequence`,
      { details: { ...details, sequence: String(id) } },
    );
  }

  #admit(sequence: Sequence): void {
    const { maxBacklog, runner } = this.#parts;
    if (this.#table.backlogSize >= maxBacklog) this.#dropUnwanted();
    if (!this.#table.hasFreeSlot && this.#table.backlogSize >= maxBacklog) {
      const waiting = maxBacklog === 0 ? '' : ` and ${maxBacklog} wait`;
      const text = `model '${this.name}' has ${runner.slots} sequences under way${waiting}, which is the limit; could not create a new sequence`;
      throw new MillraceError('QUEUE_FULL', text, { details: { model: this.name, expected: runner.slots } });
    }
    this.#table.add(sequence);
    if (sequence.slot === undefined) this.#watch(sequence.expiresAt);
    else runner.setTaken(sequence.slot, true);
  }

  /** Runs the next request of a sequence that has a slot and runs none. */
  #pump(sequence: Sequence): void {
    const { slot, isRunning } = sequence;
    if (slot === undefined || isRunning || this.#isClosed) return;
    const next = sequence.queue.shift();
    if (next === undefined) {
      if (sequence.isEnding) this.#end(sequence);
      else this.#rest(sequence);
    } else if (next.isWanted()) {
      sequence.isRunning = true;
      void this.#run(sequence, slot, next).finally(() => {
        sequence.isRunning = false;
        this.#pump(sequence);
      });
    } else {
      this.#abandon(sequence, next);
    }
  }

  async #run(sequence: Sequence, slot: number, next: Step): Promise<void> {
    const { runner, state } = this.#parts;
    if (next.step.isStart) sequence.state = state.initial;
    const inputs = [...next.inputs, ...next.controls, ...sequence.state];
    const waitedMs = performance.now() - next.since;
    try {
      const outputs = await runner.run(slot, inputs, next.isWanted, { ...next.caller, inferences: 1, waitedMs });
      sequence.state = state.after(this.name, outputs);
      next.resolve(outputs.filter(({ name }) => this.outputs.some((output) => output.name === name)));
    } catch (error) {
      const failure = MillraceError.from(error);
      if (failure.reason === 'CANCELLED') this.#abandon(sequence, next, failure);
      else next.reject(failure);
    }
  }

  /** A request will not run, so what follows it cannot either. */
  #abandon(sequence: Sequence, step: Step, why?: MillraceError): void {
    const text = `sequence ${sequence.id} of model '${this.name}' has ended: the client of a request of it has left`;
    const cancelled = new MillraceError('CANCELLED', text, { details: { model: this.name } });
    step.reject(why ?? cancelled);
    for (const later of sequence.queue.splice(0)) later.reject(cancelled);
    this.#table.close(sequence);
    if (!sequence.isRunning) this.#end(sequence);
  }

  #end(sequence: Sequence): void {
    const { runner } = this.#parts;
    const { slot } = sequence;
    const next = this.#table.remove(sequence);
    if (slot === undefined) return;
    if (next === undefined) runner.setTaken(slot, false);
    // Later: where nobody wants the next one either, nor the one behind it, each would be a call within a call.
    else queueMicrotask(() => this.#pump(next));
  }

  #rest(sequence: Sequence): void {
    if (this.#parts.maxIdleMs === 0) return;
    const now = performance.now();
    this.#table.setIdle(sequence, now);
    this.#watch(now + this.#parts.maxIdleMs);
  }

  /** Looks at `at` who has been silent, or has waited, for too long. */
  #watch(at: number): void {
    if (at >= this.#timerAt || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delayMs = Math.min(Math.max(0, Math.ceil(at - performance.now())), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#expire(), delayMs);
  }

  #expire(): void {
    this.#timerAt = Infinity;
    const now = performance.now();
    const { maxIdleMs } = this.#parts;
    for (const sequence of [...this.#table.waiting]) {
      if (sequence.expiresAt > now) this.#watch(sequence.expiresAt);
      else this.#timedOut(sequence);
    }
    for (let idle = this.#table.mostIdle; idle !== undefined; idle = this.#table.mostIdle) {
      const [sequence, since] = idle;
      if (since + maxIdleMs > now) {
        this.#watch(since + maxIdleMs);
        return;
      }
      this.#end(sequence);
    }
  }

  /** Takes out of the backlog what nobody waits for any more. */
  #dropUnwanted(): void {
    for (const sequence of [...this.#table.waiting]) {
      const [first] = sequence.queue;
      if (first !== undefined && !first.isWanted()) {
        sequence.queue.shift();
        this.#abandon(sequence, first);
      }
    }
  }

  #timedOut(sequence: Sequence): void {
    const text = 'timeout of the corresponding sequence has been expired';
    const error = new MillraceError('QUEUE_TIMEOUT', text, { details: { model: this.name } });
    for (const step of sequence.queue.splice(0)) step.reject(error);
    this.#end(sequence);
  }
}

const MAX_TIMER_MS = 2 ** 31 - 1;
