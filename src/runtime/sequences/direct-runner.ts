import { MillraceError } from '../../base/errors.ts';
import { cutTensor, joinTensors } from '../../tensor/batch.ts';
import { DATATYPE_BYTES } from '../../tensor/datatype.ts';
import { elementCount, type Tensor } from '../../tensor/tensor.ts';
import { Gathering } from '../batching/gathering.ts';
import type { BackendSession, ChosenRun, RunCaller } from '../model-session.ts';
import type { SlotRunner } from './slot-runner.ts';

export interface DirectOptions {
  /** Rows of a run: 0 where the model has no batch, which makes one slot. */
  readonly maxBatchSize: number;
  readonly maxQueueDelayUs: number;
  readonly minSlotUtilization: number;
  /**
   * The control and state tensors of a row that is in no sequence; undefined: the model cannot tell such a row, so none is
   * made up, and rows follow each other without gaps.
   */
  readonly idleRow: readonly Tensor[] | undefined;
}

/** A request in its slot. Times are in ms, as of `performance.now()`. */
interface Pending {
  readonly inputs: readonly Tensor[];
  /** Equal for requests that may run together. */
  readonly key: string;
  readonly since: number;
  readonly isWanted: () => boolean;
  resolve(outputs: Tensor[]): void;
  reject(error: MillraceError): void;
}

/**
 * Each sequence has a row of the batch for its life (Triton's `direct`): the row of slot n is row n, and slots in between that
 * have no request are filled with zeros that are marked not ready. Rows behind the last slot that is taken are left out.
 */
export class DirectRunner implements SlotRunner {
  readonly slots: number;
  readonly #session: BackendSession;
  readonly #options: DirectOptions;
  readonly #pending: (Pending | undefined)[];
  readonly #taken: boolean[];
  /** Where nothing says how long to wait for others. */
  readonly #gathering: Gathering | undefined;
  #isNext = false;
  #isReading = false;
  #timer: NodeJS.Timeout | undefined;

  /** Owns `session`. */
  constructor(session: BackendSession, options: DirectOptions) {
    this.#session = session;
    this.#options = options;
    this.slots = Math.max(1, options.maxBatchSize);
    this.#pending = new Array<undefined>(this.slots).fill(undefined);
    this.#taken = new Array<boolean>(this.slots).fill(false);
    // Triton ignores the one where the other is 0.
    const waits = options.maxQueueDelayUs > 0 && options.minSlotUtilization > 0;
    this.#gathering = waits ? undefined : new Gathering();
  }

  setTaken(slot: number, isTaken: boolean): void {
    this.#taken[slot] = isTaken;
    this.#look();
  }

  run(slot: number, inputs: readonly Tensor[], isWanted: () => boolean, caller: RunCaller): Promise<Tensor[]> {
    const key = inputs.map(({ name, shape }) => `${name}\0${shape.join()}`).join('\0\0');
    const since = performance.now() - (caller.waitedMs ?? 0);
    return new Promise((resolve, reject) => {
      this.#pending[slot] = { inputs, key, since, isWanted, resolve, reject };
      this.#look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#rejectAll(new MillraceError('SERVABLE_NOT_READY', `model '${this.#session.name}' was unloaded`));
    await this.#session[Symbol.asyncDispose]();
  }

  /** Asks for the model's turn where a run should start, and sees to it that somebody looks again in time. */
  #look(): void {
    clearTimeout(this.#timer);
    if (this.#isNext || this.#isReading) return;
    const waitMs = this.#waitMs(performance.now());
    if (waitMs === 0) this.#runNext();
    else if (waitMs !== undefined) this.#timer = setTimeout(() => this.#look(), Math.ceil(waitMs));
  }

  /** Undefined: there is nothing to run. */
  #waitMs(now: number): number | undefined {
    const pending = this.#pending.filter((each) => each !== undefined);
    if (pending.length === 0) return undefined;
    const { maxQueueDelayUs, minSlotUtilization } = this.#options;
    if (this.#gathering !== undefined) {
      const taken = this.#taken.filter(Boolean).length;
      return pending.length >= taken ? 0 : this.#gathering.waitMs(now, pending.length);
    }
    if (pending.length >= minSlotUtilization * this.slots) return 0;
    return Math.max(0, Math.min(...pending.map(({ since }) => since)) + maxQueueDelayUs / 1000 - now);
  }

  #runNext(): void {
    this.#isNext = true;
    let rows: readonly (Pending | undefined)[] = [];
    let startedAt = 0;
    const choose = (): ChosenRun | undefined => {
      this.#isNext = false;
      startedAt = performance.now();
      rows = this.#take();
      const members = rows.filter((row) => row !== undefined);
      this.#gathering?.runStarts();
      this.#look(); // for what is left
      return members.length === 0 ? undefined : this.#joined(rows, members, startedAt);
    };
    this.#session.runNext(choose).then(
      (outputs) => {
        this.#ended(rows, startedAt);
        this.#answer(rows, outputs ?? []);
      },
      (error: unknown) => {
        const failure = MillraceError.from(error);
        if (this.#isNext) this.#rejectAll(failure); // it takes no more runs
        this.#ended(rows, startedAt);
        for (const row of rows) row?.reject(failure);
      },
    );
  }

  /** Looks again once what came during the run has been read: the run may have blocked this thread. */
  #ended(rows: readonly unknown[], startedAt: number): void {
    const requests = rows.filter((row) => row !== undefined).length;
    const durationMs = performance.now() - startedAt;
    this.#isNext = false;
    this.#isReading = true;
    setImmediate(() => {
      this.#isReading = false;
      const waiting = this.#pending.filter((each) => each !== undefined).length;
      if (requests > 0) this.#gathering?.runEnded(performance.now(), requests, rows.length, durationMs, waiting);
      this.#look();
    });
  }

  /** The rows of the next run, from the request that has waited longest: those that fit it, each in its place. */
  #take(): readonly (Pending | undefined)[] {
    let oldest: Pending | undefined;
    for (const [slot, pending] of this.#pending.entries()) {
      if (pending === undefined) continue;
      if (!pending.isWanted()) {
        this.#pending[slot] = undefined;
        pending.reject(new MillraceError('CANCELLED', 'nobody waits for the result of the run any more'));
      } else if (oldest === undefined || pending.since < oldest.since) oldest = pending;
    }
    const key = oldest?.key;
    if (key === undefined) return [];
    const rows = this.#pending.slice(0, this.#taken.lastIndexOf(true) + 1).map((pending, slot) => {
      if (pending?.key !== key) return undefined;
      this.#pending[slot] = undefined;
      return pending;
    });
    return this.#options.idleRow === undefined ? rows.filter((row) => row !== undefined) : rows;
  }

  #joined(rows: readonly (Pending | undefined)[], members: readonly Pending[], now: number): ChosenRun {
    const { maxBatchSize, idleRow = [] } = this.#options;
    const queueNs = Math.round(members.reduce((sum, { since }) => sum + now - since, 0) * 1e6);
    const counts = { requests: members.length, inferences: members.length, queueNs };
    const { inputs: model } = members[0] as Pending;
    if (maxBatchSize === 0) return { ...counts, inputs: model };
    const inputs = model.map((input) => {
      const idle = idleRow.find(({ name, shape }) => name === input.name && shape.join() === input.shape.join());
      const filling = idle ?? zeros(input);
      const parts = rows.map((row) => row?.inputs.find(({ name }) => name === input.name) ?? filling);
      return joinTensors(parts as [Tensor, ...Tensor[]]);
    });
    return { ...counts, inputs };
  }

  #answer(rows: readonly (Pending | undefined)[], outputs: readonly Tensor[]): void {
    if (this.#options.maxBatchSize === 0) {
      for (const row of rows) row?.resolve([...outputs]);
      return;
    }
    const wrong = outputs.find(({ shape }) => shape[0] !== rows.length);
    if (wrong !== undefined) {
      const { name: model } = this.#session;
      const text = `model '${model}' failed: output "${wrong.name}" of a batch has shape [${wrong.shape.join(',')}], ${rows.length} rows expected`;
      for (const row of rows) {
        row?.reject(new MillraceError('MODEL_FAILED', text, { details: { model, tensor: wrong.name } }));
      }
      return;
    }
    const ones = rows.map(() => 1);
    const pieces = outputs.map((output) => (rows.length === 1 ? [output] : cutTensor(output, ones)));
    for (const [at, row] of rows.entries()) row?.resolve(pieces.map((cut) => cut[at] as Tensor));
  }

  #rejectAll(error: MillraceError): void {
    for (const pending of this.#pending.splice(0, this.slots, ...new Array<undefined>(this.slots))) {
      pending?.reject(error);
    }
  }
}

function zeros(like: Tensor): Tensor {
  const bytes = elementCount(like.shape) * (like.datatype === 'BYTES' ? 4 : DATATYPE_BYTES[like.datatype]);
  return { ...like, data: new Uint8Array(bytes) };
}
