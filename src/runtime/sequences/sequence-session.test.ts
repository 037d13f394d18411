import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { tensorOf, typedData, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import type { BackendSession, ChosenRun, RunCaller } from '../model-session.ts';
import { openSequenceSession } from './open-sequence-session.ts';
import type { SequenceOptions } from './sequence-options.ts';
import type { SequenceSession } from './sequence-session.ts';

const spec = (name: string, datatype: 'FP32' | 'INT32' | 'INT64'): TensorSpec => ({ name, datatype, shape: [-1, 1] });

/** SUM and STATE_OUT are INPUT + STATE_IN; runs wait for their turn, as those of a busy model. */
class SumModel implements BackendSession {
  readonly name = 'sum';
  readonly version = '1';
  readonly provider = 'cpu';
  readonly inputs = [
    spec('INPUT', 'FP32'),
    spec('STATE_IN', 'FP32'),
    spec('START', 'INT32'),
    spec('END', 'INT32'),
    spec('READY', 'INT32'),
    spec('CORRID', 'INT64'),
  ];
  readonly outputs = [spec('SUM', 'FP32'), spec('STATE_OUT', 'FP32')];
  /** Of each run, its rows as "input start end ready id". */
  readonly runs: string[][] = [];
  fails = false;
  #turns: (() => void)[] = [];
  #isFree = false;

  async run(inputs: readonly Tensor[], isWanted: () => boolean = () => true): Promise<Tensor[]> {
    const outputs = await this.runNext(() =>
      isWanted() ? { inputs, requests: 1, inferences: 1, queueNs: 0 } : undefined,
    );
    if (outputs === undefined) throw new MillraceError('CANCELLED', 'nobody waits');
    return outputs;
  }

  async runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined> {
    if (this.#isFree) await settled();
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
    const run = choose();
    if (run === undefined) return undefined;
    const values = (name: string): (number | bigint)[] => {
      const tensor = run.inputs.find((input) => input.name === name);
      return tensor === undefined ? [] : [...typedData(tensor)];
    };
    const width = run.inputs.find(({ name }) => name === 'INPUT')?.shape[1] ?? 1;
    const [input, start, end, ready, id] = ['INPUT', 'START', 'END', 'READY', 'CORRID'].map((name) =>
      values(name).filter((_, i) => name !== 'INPUT' || i % width === 0),
    );
    const states = values('STATE_IN');
    this.runs.push((input ?? []).map((x, i) => [x, start?.[i], end?.[i], ready?.[i], id?.[i]].join(' ')));
    if (this.fails) throw new MillraceError('MODEL_FAILED', 'it failed');
    const sums = Float32Array.from((input ?? []) as number[], (x, i) => x + Number(states[i] ?? 0));
    return ['SUM', 'STATE_OUT'].map((name) => tensorOf(name, 'FP32', [sums.length, 1], sums.slice()));
  }

  free(): void {
    this.#isFree = true;
    for (const turn of this.#turns.splice(0)) turn();
  }

  /** Lets the next run begin and end. */
  async turn(): Promise<void> {
    await settled();
    this.#turns.shift()?.();
    await settled();
    await settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const flag = (input: string, kind: 'start' | 'end' | 'ready') =>
  ({ input, kind, datatype: 'INT32', falseTrue: [0, 1] }) as const;

const direct: SequenceOptions = {
  maxIdleUs: 1_000_000,
  controls: [
    flag('START', 'start'),
    flag('END', 'end'),
    flag('READY', 'ready'),
    { input: 'CORRID', kind: 'correlation_id', datatype: 'INT64', falseTrue: undefined },
  ],
  strategy: { kind: 'direct', maxQueueDelayUs: 0, minSlotUtilization: 0 },
  states: [{ input: 'STATE_IN', output: 'STATE_OUT', datatype: 'FP32', shape: [1], initial: undefined }],
};
const oldest: SequenceOptions = {
  ...direct,
  strategy: { kind: 'oldest', maxCandidateSequences: 2, preferredSizes: [], maxQueueDelayUs: 0, preservesOrder: false },
};

let model: SumModel;
let session: SequenceSession;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  model = new SumModel();
});
afterEach(async () => {
  vi.useRealTimers();
  await session[Symbol.asyncDispose]();
});

const open = async (sequences: SequenceOptions, maxBatchSize = 4): Promise<void> => {
  session = await openSequenceSession(model, { sequences, maxBatchSize, showsState: false });
};

type Flags = '' | 'S' | 'E' | 'SE';

/** Sends a request; the sum, or the reason and text of its fault. */
async function send(
  id: number | string | undefined,
  x: number,
  flags: Flags = '',
  caller: RunCaller = {},
  isWanted?: () => boolean,
): Promise<number | string> {
  const step = {
    id: typeof id === 'number' ? BigInt(id) : id,
    isStart: flags.includes('S'),
    isEnd: flags.includes('E'),
  };
  const input = tensorOf('INPUT', 'FP32', [1, 1], Float32Array.of(x));
  try {
    const outputs = await session.run([input], isWanted, { ...caller, sequence: step });
    expect(outputs.map(({ name }) => name)).toEqual(['SUM']);
    return typedData(outputs[0] as Tensor)[0] as number;
  } catch (error) {
    const { reason, message } = MillraceError.from(error);
    return `${reason}: ${message}`;
  }
}

describe.each([
  ['direct', direct],
  ['oldest', oldest],
])('%s', (_name, options) => {
  beforeEach(() => open(options));

  it('keeps a state for each sequence, from its start to its end', async () => {
    model.free();
    expect(await send(1, 1, 'S')).toBe(1);
    expect(await send(2, 10, 'S')).toBe(10);
    expect(await send(1, 2)).toBe(3);
    expect(await send(2, 20, 'E')).toBe(30);
    expect(await send(1, 3, 'E')).toBe(6);
    expect(await send(1, 4, 'SE')).toBe(4);
  });

  it('runs the requests of one sequence in their order, one in a run', async () => {
    const answers = [send(1, 1, 'S'), send(1, 2), send(1, 100, 'S'), send(1, 3, 'E')];
    model.free();
    expect(await Promise.all(answers)).toEqual([1, 3, 100, 103]);
    expect(model.runs.every(({ length }) => length === 1)).toBe(true);
  });

  it('an id that has ended may start again while its last request still waits', async () => {
    const answers = [send(1, 1, 'S'), send(1, 2, 'E'), send(1, 100, 'S'), send(1, 1)];
    model.free();
    expect(await Promise.all(answers)).toEqual([1, 3, 100, 101]);
  });

  it('a start of a sequence that is under way begins anew', async () => {
    model.free();
    expect(await send(1, 1, 'S')).toBe(1);
    expect(await send(1, 5, 'S')).toBe(5);
    expect(await send(1, 1)).toBe(6);
  });

  it.each<[string, () => Promise<number | string>, string]>([
    [
      'no id',
      () => send(undefined, 1, 'S'),
      "INVALID_PARAMETER: inference request to model 'sum' must specify a non-zero or non-empty correlation ID",
    ],
    [
      'no start',
      () => send(7, 1),
      "INVALID_PARAMETER: inference request for sequence 7 to model 'sum' must specify the START flag on the first request of the sequence",
    ],
    [
      'an end without a start',
      () => send(7, 1, 'E'),
      "INVALID_PARAMETER: inference request for sequence 7 to model 'sum' must specify the START flag on the first request of the sequence",
    ],
    [
      'a text where the model takes numbers',
      () => send('seven', 1, 'S'),
      `INVALID_PARAMETER: parameter 'sequence_id': the string "seven" given, an integer of at most 9223372036854775807 expected for control input 'CORRID' of model 'sum'`,
    ],
  ])('refuses %s', async (_what, ask, text) => {
    model.free();
    expect(await ask()).toBe(text);
    expect(model.runs).toEqual([]);
  });

  it('refuses a batch of two', async () => {
    const two = tensorOf('INPUT', 'FP32', [2, 1], new Float32Array(2));
    const sequence = { id: 1n, isStart: true, isEnd: false };
    await expect(session.run([two], undefined, { sequence })).rejects.toThrow(
      "inference request to model 'sum' must specify batch-size 1 due to requirements of sequence batcher",
    );
  });

  it('after its end a sequence must start again', async () => {
    model.free();
    await send(7, 1, 'SE');
    expect(await send(7, 1)).toMatch('must specify the START flag');
  });

  it('a sequence that is silent for too long has ended, one that is not goes on', async () => {
    model.free();
    await send(1, 1, 'S');
    await send(2, 1, 'S');
    await vi.advanceTimersByTimeAsync(600);
    expect(await send(2, 1)).toBe(2);
    await vi.advanceTimersByTimeAsync(600);
    expect(await send(1, 1)).toMatch('must specify the START flag');
    expect(await send(2, 1)).toBe(3);
  });

  it('a request that fails leaves the state as it was', async () => {
    model.free();
    await send(1, 1, 'S');
    model.fails = true;
    expect(await send(1, 5)).toBe('MODEL_FAILED: it failed');
    model.fails = false;
    expect(await send(1, 2)).toBe(3);
  });

  it('a request whose client leaves before it runs ends its sequence with what follows', async () => {
    const gone = () => false;
    const answers = [send(1, 1, 'S'), send(1, 2, '', {}, gone), send(1, 3)];
    model.free();
    expect(await Promise.all(answers)).toEqual([
      1,
      expect.stringMatching('CANCELLED'),
      "CANCELLED: sequence 1 of model 'sum' has ended: the client of a request of it has left",
    ]);
    expect(await send(1, 1)).toMatch('must specify the START flag');
  });

  it('what waits is refused when the model goes, and what comes later', async () => {
    const answers = [send(1, 1, 'S'), send(1, 2, 'E')];
    const closed = session[Symbol.asyncDispose]();
    model.free();
    const gone = "SERVABLE_NOT_READY: model 'sum' was unloaded";
    expect(await answers[1]).toBe(gone);
    await closed;
    expect(await send(2, 1, 'S')).toBe(gone);
  });
});

describe('slots', () => {
  it.each([
    ['direct', direct, 2],
    ['oldest', oldest, 4],
  ] as const)('%s: sequences beyond them wait, in their order', async (_name, options, maxBatchSize) => {
    await open(options, maxBatchSize);
    model.free();
    await send(1, 1, 'S');
    await send(2, 2, 'S');
    const waiting = [send(3, 3, 'S'), send(3, 30), send(4, 4, 'S')];
    await settled();
    expect(model.runs.length).toBe(2);
    await send(1, 1, 'E');
    expect(await Promise.all(waiting.slice(0, 2))).toEqual([3, 33]);
    await vi.advanceTimersByTimeAsync(1001); // the others are silent
    expect(await waiting[2]).toBe(4);
  });

  it('the backlog is bounded', async () => {
    await open({ ...oldest, maxBacklog: 1 });
    model.free();
    await send(1, 1, 'S');
    await send(2, 1, 'S');
    let isWanted = true;
    const waiting = send(3, 1, 'S', {}, () => isWanted);
    expect(await send(4, 1, 'S')).toBe(
      "QUEUE_FULL: model 'sum' has 2 sequences under way and 1 wait, which is the limit; could not create a new sequence",
    );
    isWanted = false; // its place is free
    const next = send(4, 1, 'S');
    expect(await waiting).toMatch('CANCELLED');
    await send(1, 1, 'E');
    expect(await next).toBe(1);
  });

  it('a request that waits for a slot longer than its timeout is refused with what follows', async () => {
    await open(oldest);
    model.free();
    await send(1, 1, 'S');
    await send(2, 1, 'S');
    const waiting = [send(3, 1, 'S', { timeoutUs: 200_000 }), send(3, 2)];
    await vi.advanceTimersByTimeAsync(250);
    const text = 'QUEUE_TIMEOUT: timeout of the corresponding sequence has been expired';
    expect(await Promise.all(waiting)).toEqual([text, text]);
    expect(await send(3, 1)).toMatch('must specify the START flag');
  });
});

describe('direct: rows of a run', () => {
  it('are those of the slots, with what is not ready marked', async () => {
    await open(direct);
    const first = [send(11, 1, 'S'), send(12, 2, 'S'), send(13, 3, 'S')];
    await model.turn();
    expect(await Promise.all(first)).toEqual([1, 2, 3]);
    const second = [send(13, 30), send(11, 10, 'E')];
    await vi.advanceTimersByTimeAsync(50); // for the one that does not come
    await model.turn();
    expect(await Promise.all(second)).toEqual([33, 11]);
    expect(model.runs).toEqual([
      ['1 1 0 1 11', '2 1 0 1 12', '3 1 0 1 13'],
      ['10 0 1 1 11', '0 0 0 0 0', '30 0 0 1 13'],
    ]);
  });

  it('a model that cannot be told of them gets none that are not ready', async () => {
    await open({ ...direct, controls: direct.controls.filter(({ kind }) => kind !== 'ready') });
    const first = [send(11, 1, 'S'), send(12, 2, 'S')];
    await model.turn();
    await Promise.all(first);
    const second = send(12, 20);
    await vi.advanceTimersByTimeAsync(50);
    await model.turn();
    expect(await second).toBe(22);
    expect(model.runs[1]).toEqual(['20 0 0  12']);
  });

  it('only requests of one shape run together', async () => {
    await open({ ...direct, states: [] });
    model.inputs[0] = { name: 'INPUT', datatype: 'FP32', shape: [-1, -1] };
    const wide = tensorOf('INPUT', 'FP32', [1, 2], Float32Array.of(5, 6));
    const answers = [
      send(1, 1, 'S'),
      session.run([wide], undefined, { sequence: { id: 2n, isStart: true, isEnd: false } }),
      send(3, 3, 'S'),
    ];
    await model.turn();
    expect(model.runs).toEqual([['1 1 0 1 1', '0 0 0 0 0', '3 1 0 1 3']]);
    await vi.advanceTimersByTimeAsync(50);
    await model.turn();
    await Promise.all(answers);
    expect(model.runs[1]).toEqual(['0 0 0 0 0', '5 1 0 1 2', '0 0 0 0 0']);
  });

  it.each([
    { utilization: 0, delayUs: 3_000_000, sequences: 1, runsAt: 0 },
    { utilization: 0.5, delayUs: 3_000_000, sequences: 1, runsAt: 3000 },
    { utilization: 0.5, delayUs: 3_000_000, sequences: 2, runsAt: 0 },
    { utilization: 1, delayUs: 3_000_000, sequences: 3, runsAt: 3000 },
    { utilization: 1, delayUs: 3_000_000, sequences: 4, runsAt: 0 },
    { utilization: 1, delayUs: 0, sequences: 1, runsAt: 0 },
  ])(
    'minimum_slot_utilization $utilization of 4 slots, delay $delayUs µs: $sequences run after $runsAt ms',
    async ({ utilization, delayUs, sequences, runsAt }) => {
      const strategy = { kind: 'direct', maxQueueDelayUs: delayUs, minSlotUtilization: utilization } as const;
      await open({ ...direct, maxIdleUs: 10_000_000, strategy });
      model.free();
      const answers = Array.from({ length: sequences }, (_, i) => send(i + 1, 1, 'S'));
      await settled();
      await settled();
      expect(model.runs.length > 0).toBe(runsAt === 0);
      await vi.advanceTimersByTimeAsync(runsAt);
      await Promise.all(answers);
    },
  );
});

describe('oldest: rows of a run', () => {
  it('are requests of different sequences, as they come', async () => {
    await open(oldest);
    const answers = [send(1, 1, 'S'), send(2, 2, 'S'), send(1, 10), send(3, 3, 'S')];
    await model.turn();
    expect(model.runs).toEqual([['1 1 0 1 1', '2 1 0 1 2']]);
    model.free();
    expect(await Promise.all(answers.slice(0, 3))).toEqual([1, 2, 11]);
    await send(1, 0, 'E');
    expect(await answers[3]).toBe(3);
    expect(model.runs.every((run) => run.every((row) => !row.startsWith('0 0 0 0')))).toBe(true);
  });

  it('without a batch each request is a run', async () => {
    for (const tensor of [...model.inputs, ...model.outputs]) Object.assign(tensor, { shape: [1] });
    const strategy = { ...oldest.strategy, maxCandidateSequences: 3 } as SequenceOptions['strategy'];
    await open({ ...oldest, strategy }, 0);
    const input = tensorOf('INPUT', 'FP32', [1], Float32Array.of(1));
    const steps = [1n, 2n, 3n].map((id) =>
      session.run([input], undefined, { sequence: { id, isStart: true, isEnd: true } }),
    );
    model.free();
    await expect(Promise.all(steps)).rejects.toThrow('shape [1,1] given'); // this model always answers with a batch
    expect(model.runs.length).toBe(3);
  });
});

describe('a configuration that does not fit the model', () => {
  const control = direct.controls[0] as SequenceOptions['controls'][number];
  const state = direct.states[0] as SequenceOptions['states'][number];
  it.each<[string, Partial<SequenceOptions>, string]>([
    [
      'a control input that is not there',
      { controls: [{ ...control, input: 'BEGIN' }] },
      'control input "BEGIN": the model has no such input',
    ],
    [
      'a control input of another datatype',
      { controls: [{ ...control, datatype: 'FP32' }] },
      'control input "START": the model\'s input is INT32 [-1,1], FP32 [-1,1] expected',
    ],
    [
      'a state that is not there',
      { states: [{ ...state, output: 'SUMS' }] },
      'state "STATE_IN": the model has no output "SUMS"; it has "SUM", "STATE_OUT"',
    ],
    [
      'a state of another datatype',
      { states: [{ ...state, datatype: 'INT32' }] },
      'state "STATE_IN": INT32 given, the model\'s "STATE_IN" is FP32',
    ],
    [
      'a state of another shape',
      { states: [{ ...state, shape: [2] }] },
      'state "STATE_IN": shape [-1,2] given, the model\'s input has [-1,1]',
    ],
    [
      'a file that is not there',
      { states: [{ ...state, initial: { shape: [1], file: '/nowhere' } }] },
      'state "STATE_IN": its initial state cannot be read: ENOENT',
    ],
  ])('%s', async (_what, change, text) => {
    await expect(open({ ...direct, ...change })).rejects.toThrow(text);
    await open(direct); // for what closes it
  });
});
