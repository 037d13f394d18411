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

  it('a long backlog that nobody waits for any more is passed over', async () => {
    await open({ ...oldest, maxBacklog: 5000 });
    let isWanted = true;
    const first = [send(1, 1, 'S'), send(2, 1, 'S')];
    const waiting = Array.from({ length: 4000 }, (_, i) => send(10 + i, 1, 'S', {}, () => isWanted));
    const last = send(9000, 5, 'S');
    isWanted = false;
    model.free();
    await Promise.all(first);
    void send(1, 1, 'E');
    const texts = new Set((await Promise.all(waiting)).map((text) => String(text).split(':')[0]));
    expect([...texts]).toEqual(['CANCELLED']);
    expect(await last).toBe(5);
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
