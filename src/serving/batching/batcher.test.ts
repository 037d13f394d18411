import { beforeEach, afterEach, expect, test, vi } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import { encodeBytes, textData } from '../../tensor/bytes.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { Batcher } from './batcher.ts';

let ran: { readonly request: InferenceRequest; readonly cancellation: Cancellation }[];
let answer: (request: InferenceRequest) => InferenceResponse | Promise<InferenceResponse>;
let queued: number[];
let batcher: Batcher;

/** Answers with the request's inputs. */
const echo = ({ servable, inputs, id }: InferenceRequest): InferenceResponse => ({
  servable,
  version: '1',
  id,
  outputs: inputs,
});

beforeEach(() => {
  vi.useFakeTimers();
  ran = [];
  queued = [];
  answer = echo;
  batcher = new Batcher({
    batching: { maxSize: 3, maxTimeMs: 50 },
    run: async (request, cancellation) => {
      ran.push({ request, cancellation });
      return answer(request);
    },
    onQueued: (length) => queued.push(length),
  });
});
afterEach(() => vi.useRealTimers());

const texts = (...values: string[]): Tensor => ({
  name: 't',
  datatype: 'BYTES',
  shape: [values.length, 1],
  data: encodeBytes(values),
});
const request = (id: string, inputs: readonly Tensor[], more: Partial<InferenceRequest> = {}): InferenceRequest => ({
  servable: 'm',
  version: '',
  id,
  inputs,
  outputs: [],
  ...more,
});
const infer = (id: string, inputs: readonly Tensor[], more?: Partial<InferenceRequest>): Promise<InferenceResponse> =>
  batcher.infer(request(id, inputs, more), new Cancellation());
const seen = async (response: Promise<InferenceResponse>): Promise<unknown> => {
  const { id, outputs } = await response;
  return [id, ...outputs.map(({ shape }) => shape), ...outputs.flatMap(textData)];
};

test('a batch is full: it runs at once, and each caller gets its own rows and id', async () => {
  const answers = [infer('a', [texts('1')]), infer('b', [texts('2', '3')]), infer('c', [texts('4')])];
  expect(await Promise.all(answers.map(seen))).toEqual([
    ['a', [1, 1], '1'],
    ['b', [2, 1], '2', '3'],
    ['c', [1, 1], '4'],
  ]);
  expect(ran.map(({ request: { id, inputs } }) => [id, inputs[0]?.shape])).toEqual([['', [4, 1]]]);
  expect(queued).toEqual([1, 2, 3]);
});

test('each caller gets memory of its own: that of the batch is used again when one of its rows has been sent', async () => {
  const memory = new Uint8Array(16);
  answer = (joined) => ({
    ...echo(joined),
    outputs: [{ ...tensorOf('y', 'FP32', [2, 2], new Float32Array(4)), data: memory }],
  });
  const rows = (): Tensor => tensorOf('x', 'FP32', [1, 1], Float32Array.of(1));
  const answers = [infer('a', [rows()]), infer('b', [rows()])];
  await vi.advanceTimersByTimeAsync(50);
  const outputs = (await Promise.all(answers)).map((response) => response.outputs[0] as Tensor);
  memory.fill(7);
  expect(outputs.map(({ data }) => [...data])).toEqual([Array(8).fill(0), Array(8).fill(0)]);
});

test('the first request opens a window: what has come when it is over runs together', async () => {
  const answers = [infer('a', [texts('1')])];
  await vi.advanceTimersByTimeAsync(49);
  answers.push(infer('b', [texts('2')]));
  expect(ran).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(ran).toHaveLength(1);
  expect((await Promise.all(answers)).map(({ id }) => id)).toEqual(['a', 'b']);
});

test('a request alone runs as it came', async () => {
  const headers = { authorization: 'me' };
  const alone = infer('a', [texts('1')], { headers, parameters: { n: 1n } });
  await vi.advanceTimersByTimeAsync(50);
  expect(ran[0]?.request).toEqual(request('a', [texts('1')], { headers, parameters: { n: 1n } }));
  expect((await alone).id).toBe('a');
});

test.each<[string, readonly Tensor[], Partial<InferenceRequest>]>([
  ['name', [{ ...texts('2'), name: 'u' }], {}],
  ['datatype', [tensorOf('t', 'UINT8', [1, 1], Uint8Array.of(2))], {}],
  ['other dimension', [{ ...texts('2', '3'), shape: [1, 2] }], {}],
  ['content type', [{ ...texts('2'), parameters: { content_type: 'str' } }], {}],
  ['parameter', [texts('2')], { parameters: { n: 1 } as Parameters }],
  ['parameter of another type', [texts('2')], { parameters: { n: 1n } as Parameters }],
  ['output', [texts('2')], { outputs: [{ name: 't' }] }],
])('requests that do not fit together run apart: another %s', async (_, inputs, more) => {
  const first = infer('a', [texts('1')], { parameters: 'parameters' in more ? { n: '1' } : undefined });
  const answers = [first, infer('b', inputs, more)];
  await vi.advanceTimersByTimeAsync(50);
  expect(ran.map((each) => each.request.id)).toEqual(['a', 'b']);
  await Promise.all(answers);
});

test('inputs are joined by name, in whatever order they come', async () => {
  const [t, u] = [texts('1'), { ...texts('x'), name: 'u' }];
  const answers = [infer('a', [t, u]), infer('b', [{ ...u, data: encodeBytes(['y']) }, texts('2')])];
  await vi.advanceTimersByTimeAsync(50);
  expect(ran).toHaveLength(1);
  expect(await Promise.all(answers.map(seen))).toEqual([
    ['a', [1, 1], [1, 1], '1', 'x'],
    ['b', [1, 1], [1, 1], '2', 'y'],
  ]);
});

test('a request whose inputs have not as many rows each, or are broken, runs alone and at once', async () => {
  await infer('a', [texts('1'), { ...texts('x', 'y'), name: 'u' }]);
  await infer('b', [{ ...texts('1'), shape: [2, 1] }]);
  await infer('c', []);
  expect(ran.map((each) => each.request.id)).toEqual(['a', 'b', 'c']);
});

test('a batch has the headers that all of its requests have', async () => {
  const answers = ['a', 'b'].map((id) => infer(id, [texts('1')], { headers: { host: 'h', 'x-request': id } }));
  await vi.advanceTimersByTimeAsync(50);
  await Promise.all(answers);
  expect(ran[0]?.request.headers).toEqual({ host: 'h' });
});

test('a failure of the batch is that of every request in it', async () => {
  answer = () => {
    throw new MillraceError('RUNTIME_FAILED', 'boom');
  };
  const answers = Promise.allSettled([infer('a', [texts('1')]), infer('b', [texts('2')])]);
  await vi.advanceTimersByTimeAsync(50);
  for (const each of await answers) expect(each).toMatchObject({ status: 'rejected', reason: { message: 'boom' } });
});

test('an output without a row for each row of the batch is an error that names it', async () => {
  answer = (asked) => ({ ...echo(asked), outputs: [{ ...texts('sum'), name: 'sum' }] });
  const answers = Promise.allSettled([infer('a', [texts('1')]), infer('b', [texts('2', '3')])]);
  await vi.advanceTimersByTimeAsync(50);
  const message = "output 'sum' of a batch has shape [1,1]: 3 rows expected, those of its 2 requests";
  for (const each of await answers) expect(each).toMatchObject({ reason: { reason: 'RUNTIME_FAILED', message } });
});

test('a request whose client leaves is dropped; the others go on', async () => {
  const cancellation = new Cancellation();
  const gone = batcher.infer(request('a', [texts('1')]), cancellation);
  const stays = infer('b', [texts('2')]);
  cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
  await expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
  await vi.advanceTimersByTimeAsync(50);
  expect(ran.map((each) => each.request.id)).toEqual(['b']);
  expect(await seen(stays)).toEqual(['b', [1, 1], '2']);
});

test('a batch that runs is cancelled when the last of its clients has left', async () => {
  answer = () => new Promise(() => {});
  const cancellations = [new Cancellation(), new Cancellation()];
  const answers = Promise.allSettled(
    cancellations.map((each, at) => batcher.infer(request(String(at), [texts('1')]), each)),
  );
  await vi.advanceTimersByTimeAsync(50);
  cancellations[0]?.cancel(new MillraceError('CANCELLED', 'gone'));
  expect(ran[0]?.cancellation.error).toBeUndefined();
  cancellations[1]?.cancel(new MillraceError('CANCELLED', 'gone'));
  expect(ran[0]?.cancellation.error).toMatchObject({ reason: 'CANCELLED' });
  await answers;
});

test('nothing waits where the only request has left', async () => {
  const cancellation = new Cancellation();
  const gone = batcher.infer(request('a', [texts('1')]), cancellation);
  cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
  await expect(gone).rejects.toMatchObject({ reason: 'CANCELLED' });
  expect(vi.getTimerCount()).toBe(0);
});
