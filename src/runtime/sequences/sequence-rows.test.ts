import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tensorOf } from '../../tensor/tensor.ts';
import { openSequenceSession } from './open-sequence-session.ts';
import type { SequenceOptions } from './sequence-options.ts';
import type { SequenceSession } from './sequence-session.ts';
import { SumModel, direct, oldest, settled, sendTo, type Sent } from './testing.ts';

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

const send = (...sent: Sent): Promise<number | string> => sendTo(session, ...sent);

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
