import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { encodeBytes, textData } from '../../tensor/bytes.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import type { BackendSession, ChosenRun, RunCaller } from '../model-session.ts';
import type { BatchingOptions, QueuePolicy } from './batching-options.ts';
import { BatchingSession } from './batching-session.ts';

const policy: QueuePolicy = { onTimeout: 'reject', defaultTimeoutUs: 0, allowsTimeoutOverride: true, maxQueueSize: 0 };
const defaults: BatchingOptions = {
  preferredSizes: [],
  maxQueueDelayUs: 0,
  preservesOrder: false,
  priorityLevels: 0,
  defaultPriorityLevel: 0,
  queuePolicy: policy,
  priorityQueuePolicies: {},
};

/** A model that gives its inputs back; its runs wait for `free`, as those of a busy one. */
class Echo implements BackendSession {
  readonly name = 'echo';
  readonly version = '1';
  readonly inputs;
  readonly outputs;
  readonly provider = 'cpu';
  readonly runs: ChosenRun[] = [];
  answer: (run: ChosenRun) => Tensor[] = ({ inputs }) => [...inputs];
  check?: (inputs: readonly Tensor[]) => void;
  #turns: (() => void)[] = [];
  #isFree = false;
  isClosed = false;

  constructor(shape: readonly number[] = [-1, -1]) {
    this.inputs = [{ name: 'x', datatype: 'FP32' as const, shape }];
    this.outputs = [{ name: 'x', datatype: 'FP32' as const, shape }];
  }

  run(): Promise<Tensor[]> {
    return Promise.reject(new Error('a batching session has its runs chosen'));
  }

  async runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined> {
    if (this.isClosed) throw new MillraceError('MODEL_FAILED', 'closed');
    if (this.#isFree) await Promise.resolve();
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    const run = choose();
    if (run === undefined) return undefined;
    this.runs.push(run);
    return this.answer(run);
  }

  /** Lets what waits run, and what comes later at once. */
  async free(): Promise<void> {
    this.#isFree = true;
    for (const turn of this.#turns.splice(0)) turn();
    for (let run = 0; run < 10; run++) await settled();
  }

  /** Lets the next one run. */
  async turn(): Promise<void> {
    await settled();
    this.#turns.shift()?.();
    await settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** What waits for the event loop has had its turn. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let model: Echo;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  model = new Echo();
});
afterEach(() => vi.useRealTimers());

const batching = (more: Partial<BatchingOptions> = {}, max = 4): BatchingSession =>
  new BatchingSession(model, { ...defaults, ...more }, max);
const x = (...rows: number[]): Tensor[] => [tensorOf('x', 'FP32', [rows.length, 1], new Float32Array(rows))];
const ran = (): number[][] => model.runs.map(({ inputs: [input] }) => [...typedData(input as Tensor)].map(Number));
const rowsOf = async (run: Promise<Tensor[]>): Promise<number[]> =>
  [...typedData((await run)[0] as Tensor)].map(Number);

describe('BatchingSession', () => {
  it('joins what came before its turn, and gives each its own rows', async () => {
    const session = batching();
    const answers = [session.run(x(1)), session.run(x(2, 3)), session.run(x(4))].map(rowsOf);
    await model.turn();
    expect(await Promise.all(answers)).toEqual([[1], [2, 3], [4]]);
    expect(model.runs).toMatchObject([{ requests: 3, inferences: 4 }]);
  });

  it('refuses what no run can be given by itself, so that it spoils no batch', async () => {
    model.check = ([input]) => {
      if (typedData(input as Tensor)[0] === 2) throw new MillraceError('MALFORMED_BYTES', 'two');
    };
    const session = batching();
    const answers = [1, 2, 3].map((value) => rowsOf(session.run(x(value))));
    const refused = expect(answers[1]).rejects.toThrow('two');
    await model.turn();
    await refused;
    expect([await answers[0], await answers[2], model.runs.length]).toEqual([[1], [3], 1]);
  });

  it('puts a batch together when the model is free, so it has what came during the run before', async () => {
    const session = batching();
    const first = session.run(x(1));
    await model.turn();
    await first;
    const second = session.run(x(2));
    const third = session.run(x(3));
    await model.turn();
    await Promise.all([second, third]);
    expect(ran()).toEqual([[1], [2, 3]]);
  });

  it('runs no more rows than fit; a request that is larger by itself runs alone', async () => {
    const session = batching();
    const answers = [x(1, 2, 3), x(4, 5), x(6), x(1, 2, 3, 4, 5), x(7)].map((inputs) => session.run(inputs));
    await model.free();
    await Promise.all(answers);
    expect(ran()).toEqual([[1, 2, 3], [4, 5, 6], [1, 2, 3, 4, 5], [7]]);
  });

  it('takes the largest preferred size that there is, and all where there is none', async () => {
    const session = batching({ preferredSizes: [2, 4] }, 8);
    const answers = [1, 2, 3].map((value) => session.run(x(value)));
    await model.free();
    await Promise.all(answers);
    expect(ran()).toEqual([[1, 2], [3]]);
  });

  it('waits for others while the model is free, as long as the oldest may wait', async () => {
    const session = batching({ maxQueueDelayUs: 5000 });
    await model.free();
    const first = session.run(x(1));
    await vi.advanceTimersByTimeAsync(4);
    const second = session.run(x(2));
    expect(model.runs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all([first, second]);
    expect(ran()).toEqual([[1, 2]]);
  });

  it('does not wait for a batch that is full', async () => {
    const session = batching({ maxQueueDelayUs: 60_000_000 }, 2);
    await model.free();
    await Promise.all([session.run(x(1)), session.run(x(2))]);
    expect(ran()).toEqual([[1, 2]]);
  });

  it('joins only equal shapes, and passes others over', async () => {
    const session = batching();
    const wide = [tensorOf('x', 'FP32', [1, 2], new Float32Array([8, 9]))];
    const answers = [session.run(x(1)), session.run(wide), session.run(x(2))];
    await model.free();
    await Promise.all(answers);
    expect(ran()).toEqual([
      [1, 2],
      [8, 9],
    ]);
  });

  it('keeps the order of answers where it should, whatever their shapes and priorities', async () => {
    const session = batching({ preservesOrder: true, priorityLevels: 2, defaultPriorityLevel: 2 });
    const wide = [tensorOf('x', 'FP32', [1, 2], new Float32Array([8, 9]))];
    const answered: string[] = [];
    const ask = (name: string, inputs: Tensor[], caller: RunCaller = {}) =>
      session.run(inputs, undefined, caller).then(() => answered.push(name));
    const answers = [ask('a', x(1)), ask('b', wide), ask('c', x(2)), ask('d', x(3), { priority: 1 })];
    await model.free();
    await Promise.all(answers);
    expect(ran()[0]).toContain(3);
    expect(answered).toEqual(['a', 'b', 'c', 'd']);
  });

  it('joins text', async () => {
    const session = batching();
    const text = (...values: string[]): Tensor[] => [
      { name: 'x', datatype: 'BYTES', shape: [values.length, 1], data: encodeBytes(values) },
    ];
    const answers = [session.run(text('one', 'two')), session.run(text('drei'))];
    await model.free();
    expect((await Promise.all(answers)).map(([tensor]) => textData(tensor as Tensor))).toEqual([
      ['one', 'two'],
      ['drei'],
    ]);
    expect(model.runs).toHaveLength(1);
  });

  it('drops requests that nobody waits for before the batch is put together', async () => {
    const session = batching();
    let isWanted = true;
    const gone = session.run(x(1), () => isWanted);
    const stays = session.run(x(2));
    isWanted = false;
    const refusal = expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    await model.free();
    await refusal;
    expect(await rowsOf(stays)).toEqual([2]);
    expect(ran()).toEqual([[2]]);
  });

  it('runs nothing where everybody has left, and goes on', async () => {
    const session = batching();
    let isWanted = true;
    const gone = session.run(x(1), () => isWanted);
    isWanted = false;
    const refusal = expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    await model.free();
    await refusal;
    expect(model.runs).toHaveLength(0);
    expect(await rowsOf(session.run(x(2)))).toEqual([2]);
  });

  it('serves priority 1 first; what asks for none, or for one that there is not, has the default', async () => {
    const session = batching({ priorityLevels: 3, defaultPriorityLevel: 2 }, 1);
    const answers = [3, 0, 1, 9].map((priority) => session.run(x(priority), undefined, { priority }));
    await model.free();
    await Promise.all(answers);
    expect(ran()).toEqual([[1], [0], [9], [3]]);
  });

  it('refuses at once what its queue has no room for; those who left make room', async () => {
    const session = batching({ queuePolicy: { ...policy, maxQueueSize: 2 } });
    let isWanted = true;
    const gone = session.run(x(1), () => isWanted);
    const refused = expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
    const stays = session.run(x(2));
    await expect(session.run(x(3), undefined, { requestId: 'r' })).rejects.toMatchObject({
      reason: 'QUEUE_FULL',
      code: 'UNAVAILABLE',
      message: '[request id: r] Exceeds maximum queue size',
    });
    isWanted = false;
    const next = session.run(x(4));
    await refused;
    await model.free();
    expect([await rowsOf(stays), await rowsOf(next)]).toEqual([[2], [4]]);
  });

  it('refuses a request whose time is over while the model is busy', async () => {
    const session = batching({ queuePolicy: { ...policy, defaultTimeoutUs: 10_000 } });
    const late = expect(session.run(x(1))).rejects.toMatchObject({
      reason: 'QUEUE_TIMEOUT',
      message: 'Request timeout expired',
    });
    const later = session.run(x(2), undefined, { timeoutUs: 60_000_000 }); // no longer than the default
    const refusal = expect(later).rejects.toMatchObject({ reason: 'QUEUE_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all([late, refusal]);
    await model.free();
    expect(model.runs).toHaveLength(0);
  });

  it("a request's own timeout counts where it may", async () => {
    const session = batching();
    const own = session.run(x(1), undefined, { timeoutUs: 1000 });
    const refusal = expect(own).rejects.toMatchObject({ reason: 'QUEUE_TIMEOUT' });
    const stays = session.run(x(2));
    await vi.advanceTimersByTimeAsync(1);
    await refusal;
    const strict = batching({ queuePolicy: { ...policy, allowsTimeoutOverride: false } });
    const ignored = strict.run(x(3), undefined, { timeoutUs: 1000 });
    await vi.advanceTimersByTimeAsync(50);
    await model.free();
    expect([await rowsOf(stays), await rowsOf(ignored)]).toEqual([[2], [3]]);
  });

  it('puts a request whose time is over behind the others, where that is the policy', async () => {
    const session = batching({ queuePolicy: { ...policy, onTimeout: 'delay' } }, 1);
    const answers = [session.run(x(1), undefined, { timeoutUs: 1000 }), session.run(x(2))];
    await vi.advanceTimersByTimeAsync(1);
    answers.push(session.run(x(3)));
    await model.free();
    await Promise.all(answers);
    expect(ran()).toEqual([[2], [3], [1]]);
  });

  it('tells every request of a batch what went wrong in it, and goes on', async () => {
    const session = batching();
    model.answer = () => {
      throw new MillraceError('MODEL_FAILED', 'boom');
    };
    const answers = Promise.allSettled([session.run(x(1)), session.run(x(2))]);
    await model.free();
    for (const each of await answers)
      expect(each).toMatchObject({ reason: { reason: 'MODEL_FAILED', message: 'boom' } });
    model.answer = ({ inputs }) => [...inputs];
    expect(await rowsOf(session.run(x(3)))).toEqual([3]);
  });

  it('an output without a row for each row of the batch is an error that names it', async () => {
    const session = batching();
    model.answer = () => x(1);
    const answers = Promise.allSettled([session.run(x(1)), session.run(x(2, 3))]);
    await model.free();
    const message = /output "x" of a batch has shape \[1,1\], 3 rows expected, those of its 2 requests/;
    for (const each of await answers) {
      expect(each).toMatchObject({
        reason: { reason: 'MODEL_FAILED', message: expect.stringMatching(message) as string },
      });
    }
  });

  it('refuses inputs whose first dimensions differ', async () => {
    const two = [...x(1), { ...(x(1, 2)[0] as Tensor), name: 'y' }];
    await expect(batching().run(two)).rejects.toMatchObject({ reason: 'WRONG_SHAPE', message: /x \[1,1\], y \[2,1\]/ });
  });

  it('refuses a model whose first dimension is fixed', () => {
    model = new Echo([1, 4]);
    expect(() => batching()).toThrow(
      /batching: input "x" of the model has shape \[1,4\], a first dimension of any size/,
    );
  });

  it('counts how long each has waited', async () => {
    const session = batching();
    const answers = [session.run(x(1)), session.run(x(2))];
    await vi.advanceTimersByTimeAsync(10);
    await model.free();
    await Promise.all(answers);
    expect(model.runs[0]?.queueNs).toBe(20_000_000);
  });

  it('leaves no timer behind, and answers what waits when it is closed', async () => {
    const session = batching({ maxQueueDelayUs: 5000 });
    const waiting = expect(session.run(x(1))).rejects.toMatchObject({ reason: 'SERVABLE_NOT_READY' });
    await session[Symbol.asyncDispose]();
    await waiting;
    expect(vi.getTimerCount()).toBe(0);
    const refusal = expect(session.run(x(2))).rejects.toMatchObject({ reason: 'MODEL_FAILED' });
    await vi.advanceTimersByTimeAsync(5);
    await refusal;
  });
});
