import { MillraceError } from '../../base/errors.ts';
import { cutTensor, joinTensors, rowsOf } from '../../tensor/batch.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';
import type { BackendSession, ChosenRun, ModelSession, RunCaller } from '../model-session.ts';
import { BatchQueue, type Waiting } from './batch-queue.ts';
import type { BatchingOptions } from './batching-options.ts';
import { Gathering } from './gathering.ts';

/**
 * A model whose runs are joined: requests of unary calls, streams and graphs, of any client, become one run with the rows of
 * all. A batch is put together when the model's turn comes, so it has what came during the run before, without any wait.
 */
export class BatchingSession implements ModelSession {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider: string;
  readonly #session: BackendSession;
  readonly #queue: BatchQueue;
  readonly #preservesOrder: boolean;
  /** Where nothing says how long to wait for others. */
  readonly #gathering: Gathering | undefined;
  /** Settled requests whose answers wait for earlier ones, in the order of their coming. */
  readonly #order: Ordered[] = [];
  /** It waits for the model's turn. */
  #isNext = false;
  /** A run is under way, or what came during it is still to be read. */
  #isBusy = false;
  /** When its last run ended; times as of `performance.now()`. */
  #freeSince = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Owns `session`.
   * @param maxBatchSize rows
   * @throws MillraceError CONFIG_INVALID where the model's tensors have no first dimension of any size
   */
  constructor(session: BackendSession, options: BatchingOptions, maxBatchSize: number) {
    checkBatchDimension(session);
    this.#session = session;
    this.name = session.name;
    this.version = session.version;
    this.inputs = session.inputs;
    this.outputs = session.outputs;
    this.provider = session.provider;
    this.#preservesOrder = options.preservesOrder;
    this.#gathering = options.maxQueueDelayUs === 0 ? new Gathering() : undefined;
    this.#queue = new BatchQueue(session.name, options, maxBatchSize);
  }

  run(inputs: readonly Tensor[], isWanted: () => boolean = () => true, caller: RunCaller = {}): Promise<Tensor[]> {
    const rows = rowsOf(inputs);
    if (rows === undefined) return Promise.reject(differentRows(this.name, inputs));
    return new Promise((resolve, reject) => {
      const settle = this.#preservesOrder ? this.#inOrder(resolve, reject) : { resolve, reject };
      const requestId = caller.requestId ?? '';
      const waiting: Waiting = {
        ...settle,
        inputs,
        rows,
        key: keyOf(inputs),
        requestId,
        isWanted,
        since: performance.now() - (caller.waitedMs ?? 0),
      };
      try {
        this.#session.check?.(inputs);
        this.#queue.add(waiting, caller);
      } catch (error) {
        settle.reject(MillraceError.from(error));
        return;
      }
      this.#look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#queue.clear(new MillraceError('SERVABLE_NOT_READY', `model '${this.name}' was unloaded`));
    await this.#session[Symbol.asyncDispose]();
  }

  /** Asks for the model's turn where a batch should run, and sees to it that somebody looks again in time. */
  #look(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    this.#queue.expire(now);
    const waitMs = this.#isNext || this.#isBusy ? undefined : this.#waitMs(now);
    if (waitMs === 0) this.#runNext();
    const next = Math.min(waitMs === undefined || waitMs === 0 ? Infinity : now + waitMs, this.#queue.nextExpiry);
    if (next !== Infinity) this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.ceil(next - now)));
  }

  #waitMs(now: number): number | undefined {
    const waitMs = this.#queue.waitMs(now, this.#freeSince);
    if (waitMs !== 0 || this.#gathering === undefined || this.#queue.isComplete) return waitMs;
    return this.#gathering.waitMs(now, this.#queue.size);
  }

  #runNext(): void {
    this.#isNext = true;
    let members: readonly Waiting[] | undefined;
    let startedAt = 0;
    const choose = (): ChosenRun | undefined => {
      this.#isNext = false;
      const now = performance.now();
      this.#queue.expire(now);
      members = this.#queue.take();
      if (members.length === 0) return undefined;
      this.#isBusy = true;
      this.#gathering?.runStarts();
      startedAt = now;
      return joined(members, now);
    };
    this.#session.runNext(choose).then(
      (outputs) => {
        this.#ended(members ?? [], startedAt);
        this.#answer(members ?? [], outputs ?? []);
      },
      (error: unknown) => {
        this.#isNext = false;
        this.#ended(members ?? [], startedAt);
        const failure = MillraceError.from(error);
        if (members === undefined) this.#queue.clear(failure); // it takes no more runs
        for (const member of members ?? []) member.reject(failure);
      },
    );
  }

  /** Looks again once what came during the run has been read: the run may have blocked this thread. */
  #ended(members: readonly Waiting[], startedAt: number): void {
    if (members.length === 0) return;
    this.#freeSince = performance.now();
    setImmediate(() => {
      this.#isBusy = false;
      const rows = sum(members.map((member) => member.rows));
      const durationMs = this.#freeSince - startedAt;
      this.#gathering?.runEnded(performance.now(), members.length, rows, durationMs, this.#queue.size);
      this.#look();
    });
  }

  #answer(members: readonly Waiting[], outputs: readonly Tensor[]): void {
    const rows = members.map((member) => member.rows);
    const total = sum(rows);
    const wrong = outputs.find(({ shape }) => shape[0] !== total);
    if (wrong !== undefined) {
      for (const member of members) member.reject(wrongRows(this.name, wrong, total, members.length));
      return;
    }
    const pieces = outputs.map((output) => (members.length === 1 ? [output] : cutTensor(output, rows)));
    for (const [at, member] of members.entries()) member.resolve(pieces.map((cut) => cut[at] as Tensor));
  }

  /** Settles what waits only when all that came before it has settled. */
  #inOrder(
    resolve: (outputs: Tensor[]) => void,
    reject: (error: MillraceError) => void,
  ): Pick<Waiting, 'resolve' | 'reject'> {
    const ordered: Ordered = { release: undefined };
    this.#order.push(ordered);
    const settle = (release: () => void): void => {
      ordered.release = release;
      for (let first = this.#order[0]; first?.release !== undefined; first = this.#order[0]) {
        this.#order.shift();
        first.release();
      }
    };
    return {
      resolve: (outputs) => settle(() => resolve(outputs)),
      reject: (error) => settle(() => reject(error)),
    };
  }
}

interface Ordered {
  release: (() => void) | undefined;
}

function joined(members: readonly Waiting[], now: number): ChosenRun {
  const [first, ...others] = members as readonly [Waiting, ...Waiting[]];
  const inputs =
    others.length === 0
      ? first.inputs
      : first.inputs.map((input) => {
          const rest = others.map(({ inputs: theirs }) => theirs.find(({ name }) => name === input.name) as Tensor);
          return joinTensors([input, ...rest]);
        });
  const queueMs = sum(members.map(({ since }) => now - since));
  const inferences = sum(members.map(({ rows }) => rows));
  return { inputs, requests: members.length, inferences, queueNs: Math.round(queueMs * 1e6) };
}

/** Names and all but the first dimension; datatypes are those of the model. */
function keyOf(inputs: readonly Tensor[]): string {
  const parts = inputs.map(({ name, shape }) => `${name}\0${shape.slice(1).join()}`);
  return parts.length === 1 ? (parts[0] as string) : parts.sort().join('\0\0');
}

function checkBatchDimension(session: ModelSession): void {
  for (const side of ['inputs', 'outputs'] as const) {
    const fixed = session[side].find(({ shape }) => shape[0] !== -1);
    if (fixed === undefined) continue;
    const what = `${side === 'inputs' ? 'input' : 'output'} "${fixed.name}"`;
    throw new MillraceError(
      'CONFIG_INVALID',
      `batching: ${what} of the model has shape [${fixed.shape.join(',')}], a first dimension of any size expected; export ` +
        'the ONNX file with a dynamic batch axis, or serve it without batching',
      { details: { servable: session.name, tensor: fixed.name, shape: fixed.shape } },
    );
  }
}

function differentRows(model: string, inputs: readonly Tensor[]): MillraceError {
  const given = inputs.map(({ name, shape }) => `${name} [${shape.join(',')}]`).join(', ');
  const text = `model '${model}' batches: inputs with one first dimension expected, got ${given}`;
  return new MillraceError('WRONG_SHAPE', text, { details: { model } });
}

function wrongRows(model: string, output: Tensor, rows: number, requests: number): MillraceError {
  return new MillraceError(
    'MODEL_FAILED',
    `model '${model}' failed: output "${output.name}" of a batch has shape [${output.shape.join(',')}], ${rows} rows expected, those of its ${requests} requests; it cannot be batched`,
    { details: { model, tensor: output.name, expected: rows } },
  );
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
