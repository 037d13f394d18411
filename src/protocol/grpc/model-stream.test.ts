import { afterEach, beforeEach, expect, test } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { echo, FakeDataPlane } from './testing.ts';
import { TestStreams, WRONG_SIZE, type OpenStream } from './testing-streams.ts';

let plane: FakeDataPlane;
let streams: TestStreams;
beforeEach(async () => {
  streams = await TestStreams.start();
  plane = streams.plane;
});
afterEach(() => streams[Symbol.asyncDispose]());

const open = (headers?: Record<string, string>): OpenStream => streams.open(headers);

test('a model stream answers in the order of the requests and marks each response final', async () => {
  const waiting: (() => void)[] = [];
  plane.answer = (request) =>
    new Promise((resolve, reject) => {
      waiting.push(() => {
        if (request.id === '1') reject(new MillraceError('MODEL_FAILED', 'the model failed'));
        else resolve(echo(request));
      });
    });
  const stream = open();
  for (let i = 0; i < 4; i++) stream.send('m', String(i));
  await expect.poll(() => waiting.length).toBe(4);
  for (const answer of waiting.reverse()) answer();
  const responses = await stream.received(4);
  expect(responses.map((m) => m.response?.id)).toEqual(['0', '1', '2', '3']);
  expect(responses.map((m) => m.errorMessage)).toEqual(['', 'the model failed', '', '']);
  expect(responses[0]?.response?.parameters).toMatchObject({ triton_final_response: true });
  stream.call.end();
  expect((await stream.status).code).toBe(0);
  expect(plane.sessions).toHaveLength(0);
});

test('a model stream counts as a session until it ends, however it does, and is refused like one', async () => {
  plane.maxModelStreams = 2;
  const [ended, cancelled] = [open(), open()];
  for (const stream of [ended, cancelled]) {
    stream.send('m', '1');
    stream.send('m', '2');
    await stream.received(2);
  }
  expect(plane.modelStreams).toBe(2);
  const refused = open();
  refused.send('m', '1');
  expect(await refused.status).toMatchObject({ code: 8, details: 'too many streams' });
  ended.call.end();
  await ended.status;
  cancelled.call.cancel();
  await expect.poll(() => plane.modelStreams).toBe(0);

  plane.answer = () => Promise.reject(new MillraceError('MODEL_FAILED', 'the model failed'));
  const failed = open({ triton_grpc_error: 'true' });
  failed.send('m', '1');
  expect(await failed.status).toMatchObject({ code: 13 });
  expect(plane.modelStreams).toBe(0);
});

test('a model stream refuses graphs, unknown models and bad requests one by one', async () => {
  const stream = open();
  stream.send('m', '1');
  stream.send('g', '2');
  stream.send('nope', '3');
  stream.send('m', '4', WRONG_SIZE);
  stream.send('m', '5');
  stream.call.end();
  const texts = (await stream.received(5)).map((m) => m.errorMessage);
  expect(texts).toEqual([
    '',
    expect.stringContaining("'g' is a graph") as string,
    "Request for unknown model: 'nope' is not found",
    "[request id: 4] input byte size mismatch for input 'in' for model 'm'. Expected 4, got 0",
    '',
  ]);
  expect((await stream.status).code).toBe(0);
});

test('with triton_grpc_error the first inference that fails in running ends the call', async () => {
  plane.answer = (request) =>
    Promise.reject(
      request.id === '1'
        ? new MillraceError('WRONG_SHAPE', 'unexpected shape')
        : new MillraceError('MODEL_FAILED', 'the model failed'),
    );
  const stream = open({ triton_grpc_error: 'true' });
  stream.send('m', '1');
  expect(await stream.received(1)).toMatchObject([{ errorMessage: 'unexpected shape' }]);
  stream.send('m', '2');
  expect(await stream.status).toMatchObject({ code: 13, details: 'the model failed' });
});

test('an unexpected exception in a model stream is logged, and ends the call with a generic text', async () => {
  const stream = open();
  const cause = new TypeError('secret');
  plane.answer = () => Promise.reject(cause);
  stream.send('m', '1');
  expect(await stream.status).toMatchObject({ code: 13, details: expect.not.stringContaining('secret') as string });
  expect(streams.logged).toMatchObject([{ err: cause }]);

  const other = open();
  plane.answer = (request) => Promise.resolve(echo(request));
  other.send('m', '1');
  await other.received(1);
  plane.metadata = () => {
    throw cause;
  };
  other.send('x', '2');
  expect((await other.status).code).toBe(13);
  expect(streams.logged).toMatchObject([{ err: cause }, { err: cause }]);
});

test('thousands of model requests in one stream all come back, and a half-close waits for them', async () => {
  plane.answer = (request) => new Promise((resolve) => setImmediate(() => resolve(echo(request))));
  const stream = open();
  for (let i = 0; i < 3000; i++) stream.send('m', String(i));
  stream.call.end();
  expect((await stream.status).code).toBe(0);
  expect((await stream.received(3000)).map((m) => m.response?.id)).toEqual(
    Array.from({ length: 3000 }, (_, i) => String(i)),
  );
});

test('a model stream counts the bytes of answers that wait, known and expected', async () => {
  const outputs = [{ name: 'o', datatype: 'UINT8', shape: [2 ** 23], data: new Uint8Array(2 ** 23) }] as const;
  let release: (() => void) | undefined;
  plane.answer = async (request) => {
    if (request.id === '0') await new Promise<void>((resolve) => (release = resolve));
    return { ...echo(request), outputs };
  };
  const stream = open();
  for (let i = 0; i < 12; i++) stream.send('m', String(i));
  await expect.poll(() => plane.contexts.length).toBe(8);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(plane.contexts).toHaveLength(8);
  release?.();
  await stream.received(12);
  stream.call.end();
  expect((await stream.status).code).toBe(0);
});

test('a stream may name any model and runtime; what is refused is refused by itself, with Triton texts', async () => {
  const stream = open();
  stream.send('r', '1');
  await stream.received(1);
  stream.send('nope', '2');
  stream.send('g', '3');
  stream.send('r', '4', WRONG_SIZE);
  await stream.received(4);
  stream.send('m', '5');
  stream.send('p', '6');
  stream.send('r', '7');
  stream.call.end();
  const answers = await stream.received(7);
  const errors = answers.filter((m) => m.errorMessage !== '').map((m) => [m.response?.id, m.errorMessage]);
  expect(errors).toEqual([
    ['2', "Request for unknown model: 'nope' is not found"],
    ['3', expect.stringContaining("'g' is a graph and needs a stream of its own") as string],
    ['4', expect.not.stringContaining('partial') as string],
  ]);
  const good = answers.filter((m) => m.errorMessage === '').map((m) => m.response?.id);
  expect(new Set(good)).toEqual(new Set(['1', '5', '6', '7']));
  expect((await stream.status).code).toBe(0);
  expect(plane.sessions.map(({ servable }) => servable)).toEqual(['r', 'p']);
});

test('a session that its runtime ends leaves a stream of several to the others, and is opened again when it is named', async () => {
  const stream = open();
  stream.send('m', '1');
  stream.send('r', '2');
  await stream.received(2);
  plane.sessions[0]?.sink.onEnd(undefined);
  stream.send('m', '3');
  stream.send('r', '4');
  stream.call.end();
  const ids = (await stream.received(4)).map((m) => m.response?.id);
  expect(new Set(ids.slice(2))).toEqual(new Set(['3', '4']));
  expect((await stream.status).code).toBe(0);
  expect(plane.sessions).toHaveLength(2);
});

test('the failure of one session of a stream ends the call, and aborts the others', async () => {
  const stream = open();
  stream.send('r', '1');
  stream.send('p', '2');
  await stream.received(2);
  plane.sessions[1]?.sink.onEnd(new MillraceError('RUNTIME_FAILED', 'it failed'));
  expect(await stream.status).toMatchObject({ code: 13, details: 'it failed' });
  await expect.poll(() => plane.sessions[0]?.aborted).toBeDefined();
});

test('one session that is full keeps the whole stream from being read until it has room', async () => {
  const stream = open();
  stream.send('m', '1');
  await stream.received(1);
  plane.accepts = false;
  stream.send('r', '2');
  await stream.received(2);
  for (let id = 3; id < 40; id++) stream.send('m', String(id));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(stream.messages.length).toBeLessThan(5);
  plane.sessions[0]?.sink.onDrain();
  expect(await stream.received(39)).toHaveLength(39);
});
