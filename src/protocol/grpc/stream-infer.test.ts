import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { encodeInferRequest, joinParts } from '../wire/infer-codec.ts';
import { streamInferHandler } from './stream-infer.ts';
import type { StreamCall } from './transport.ts';
import { echo, FakeDataPlane, requestTo, type FakeSession } from './testing.ts';
import { TestStreams, WRONG_SIZE, type OpenStream } from './testing-streams.ts';

let plane: FakeDataPlane;
let streams: TestStreams;
beforeEach(async () => {
  streams = await TestStreams.start();
  plane = streams.plane;
});
afterEach(() => streams[Symbol.asyncDispose]());

const open = (headers?: Record<string, string>): OpenStream => streams.open(headers);

const CONTENT_SIZE = 'Invalid content size of tensor proto - Expected: 4 bytes; Actual: 0 bytes; input name: in';

test('a graph stream opens one session with the first parameters and passes every request', async () => {
  const stream = open();
  stream.send('g', '1', { parameters: { val: 65n } });
  stream.send('g', '2', { version: '0' });
  stream.send('g', '3', { version: '1' });
  const responses = await stream.received(3);
  expect(responses.map((r) => r.response?.id)).toEqual(['1', '2', '3']);
  expect(responses[0]?.response?.parameters).toBeUndefined();
  stream.call.end();
  expect(await stream.status).toMatchObject({ code: 0, details: '' });
  expect(plane.sessions).toHaveLength(1);
  expect(plane.sessions[0]?.opening).toMatchObject({ servable: 'g', inputs: [] });
  expect(plane.sessions[0]?.opening.parameters?.['val']).toBe(65n);
  expect(plane.sessions[0]?.events).toEqual(['halfClose']);
  expect(plane.sessions[0]?.aborted).toBeUndefined();
});

test('a first request waits for a graph that is loading, and what comes after it too', async () => {
  let loaded: () => void = () => {};
  plane.coming = new Promise((resolve) => (loaded = resolve));
  const stream = open();
  for (const id of ['1', '2', '3', '4']) stream.send('g', id);
  stream.call.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(plane.sessions).toEqual([]);
  plane.coming = undefined;
  loaded();
  expect((await stream.received(4)).map((message) => message.response?.id)).toEqual(['1', '2', '3', '4']);
  expect((await stream.status).code).toBe(0);
  expect(plane.sessions).toHaveLength(1);
});

test('a call that is cancelled while its graph is loading opens nothing', async () => {
  plane.coming = Promise.resolve();
  const cancellation = new Cancellation();
  const call = { cancellation, pause: () => {}, resume: () => {}, end: () => {} } as unknown as StreamCall;
  const stream = streamInferHandler(plane)(call);
  stream.onMessage(joinParts(encodeInferRequest(requestTo('g', '1'))) as Buffer);
  cancellation.cancel(new MillraceError('CANCELLED', 'gone'));
  await new Promise(setImmediate);
  expect(plane.sessions).toEqual([]);
});

test('a graph that was waited for and failed ends the call with its status', async () => {
  plane.coming = Promise.resolve();
  plane.openSession = () => {
    throw new MillraceError('SERVABLE_NOT_READY', 'not ready');
  };
  const stream = open();
  stream.send('g', '1');
  expect(await stream.status).toMatchObject({ code: 14, details: 'not ready' });
});

test('an unknown servable in the first request ends the call, nothing written', async () => {
  const stream = open();
  stream.send('nope', '1');
  expect(await stream.status).toMatchObject({ code: 5 });
  expect(stream.messages).toHaveLength(0);
});

test('a stream without requests ends well', async () => {
  const stream = open();
  stream.call.end();
  expect((await stream.status).code).toBe(0);
  expect(plane.sessions).toHaveLength(0);
});

test('wrong names and versions in a graph stream are error messages and the stream goes on', async () => {
  const stream = open();
  stream.send('g', '1');
  stream.send('other', '2');
  stream.send('g', '3', { version: '2' });
  stream.send('g', '4');
  const texts = (await stream.received(4)).map((m) => m.errorMessage).filter((text) => text !== '');
  expect(texts).toEqual([
    'Subsequent request with incorrect servable name; validate subsequent requests',
    'Subsequent request with incorrect servable version; validate subsequent requests',
  ]);
  expect(plane.sessions[0]?.pushed.map((r) => r.id)).toEqual(['1', '4']);
});

test('faults in graph requests have OVMS texts and say which request they were in', async () => {
  const stream = open();
  stream.send('g', 'a', WRONG_SIZE);
  expect(await stream.received(1)).toMatchObject([
    {
      errorMessage: `${CONTENT_SIZE}; partial deserialization of first request`,
      response: { id: 'a', servable: '', outputs: [] },
    },
  ]);
  stream.send('g', 'b', WRONG_SIZE);
  stream.send('g', 'bad');
  const [, second, third] = await stream.received(3);
  // Faults found here overtake what the session still works on; those of the session come when it says so.
  expect([second?.errorMessage, third?.errorMessage]).toEqual([
    `${CONTENT_SIZE}; partial deserialization of subsequent requests`,
    'Unexpected input - x is unexpected; partial deserialization of subsequent requests',
  ]);
  stream.call.end();
  expect((await stream.status).code).toBe(0);
});

test('only the first request of the stream is called the first, whatever the session was given', async () => {
  const stream = open();
  stream.send('g', 'a', WRONG_SIZE);
  stream.send('g', 'bad');
  const refused = await stream.received(2);
  expect(refused[1]?.errorMessage).toBe(
    'Unexpected input - x is unexpected; partial deserialization of subsequent requests',
  );
  const other = open();
  other.send('g', 'bad');
  other.send('g', '');
  expect((await other.received(2))[0]?.errorMessage).toContain('partial deserialization of first request');
});

test('responses of a runtime are final where each request has exactly one', async () => {
  for (const [servable, isFinal] of [
    ['r', false],
    ['p', true],
  ] as const) {
    const stream = open();
    stream.send(servable, '1');
    const [message] = await stream.received(1);
    expect(message?.response?.parameters).toMatchObject({ triton_final_response: isFinal });
  }
});

test('the end of a session is the end of the call, at once', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  plane.sessions[0]?.sink.onEnd(new MillraceError('GRAPH_FAILED', 'node "x" failed'));
  expect(await stream.status).toMatchObject({ code: 3, details: 'node "x" failed' });
});

test('cancel and deadline abort the session with their reasons', async () => {
  const cancelled = open();
  cancelled.send('g', '1');
  await cancelled.received(1);
  cancelled.call.cancel();
  await expect.poll(() => plane.sessions[0]?.aborted?.reason).toBe('CANCELLED');

  // A deadline may pass before a busy server has seen the call.
  for (const deadlineMs of [150, 1500, 15_000]) {
    const late = streams.client.stream('/inference.GRPCInferenceService/ModelStreamInfer', {}, deadlineMs);
    late.call.write(joinParts(encodeInferRequest(requestTo('g', '1'))));
    expect((await late.status).code).toBe(4);
    if (plane.sessions.length > 1) break;
  }
  await expect.poll(() => plane.sessions[1]?.aborted).toBeDefined();
});

test('a full session stops the reader until it drains', async () => {
  plane.accepts = false;
  const stream = open();
  for (let i = 0; i < 20; i++) stream.send('g', String(i));
  await stream.received(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(plane.sessions[0]?.pushed).toHaveLength(1);
  plane.accepts = true;
  plane.sessions[0]?.sink.onDrain();
  await stream.received(20);
  expect(plane.sessions[0]?.pushed.map((r) => r.id)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
});

test('a slow reader pauses the session by bytes, and drains', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  stream.call.pause();
  const session = plane.sessions[0];
  const big: InferenceResponse = {
    ...echo(requestTo('g', 'big')),
    outputs: [{ name: 'o', datatype: 'UINT8', shape: [2 ** 20], data: new Uint8Array(2 ** 20) }],
  };
  for (let i = 0; i < 50; i++) session?.sink.onResponse(big, undefined);
  expect(session?.events).toEqual(['pause']);
  stream.call.resume();
  await stream.received(51);
  await expect.poll(() => session?.events).toEqual(['pause', 'resume']);
});

test('bytes that are no request end the stream with INTERNAL and abort its session', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  stream.call.write(Buffer.from([10, 200]));
  expect(await stream.status).toMatchObject({ code: 13, details: 'Unable to parse request' });
  await expect.poll(() => plane.sessions[0]?.aborted).toBeDefined();
});

const SUMMARY = {
  'millrace-packets-in': '3',
  'millrace-packets-out': '2',
  'millrace-packets-dropped': '1',
  'millrace-ms': '12',
};

test('the end of a session, good or bad, comes with what it was in numbers', async () => {
  for (const isGood of [true, false]) {
    const stream = open();
    stream.send('g', '1');
    await stream.received(1);
    const session = plane.sessions.at(-1) as FakeSession;
    session.summary = { packetsIn: 3, packetsOut: 2, packetsDropped: 1, durationMs: 12.3 };
    if (isGood) stream.call.end();
    else session.sink.onEnd(new MillraceError('GRAPH_FAILED', 'a node failed'));
    const { code, metadata } = await stream.status;
    expect(code).toBe(isGood ? 0 : 3);
    expect(metadata.getMap()).toMatchObject(isGood ? SUMMARY : { ...SUMMARY, 'millrace-reason': 'GRAPH_FAILED' });
  }
});

test('bytes that are no request end the session with its numbers too', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  stream.call.write(Buffer.from([10, 200]));
  expect((await stream.status).metadata.getMap()).toMatchObject({ 'millrace-packets-in': '0' });
});

test('so does a session that the end of the server cuts off', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  (plane.sessions[0] as FakeSession).summary = { packetsIn: 3, packetsOut: 2, packetsDropped: 1, durationMs: 12.3 };
  await streams.listener[Symbol.asyncDispose]();
  expect((await stream.status).metadata.getMap()).toMatchObject({ ...SUMMARY, 'millrace-reason': 'SHUTTING_DOWN' });
});

test('an error of the graph reaches a client that sends nothing', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  plane.sessions[0]?.sink.onEnd(new MillraceError('GRAPH_FAILED', 'a node failed'));
  expect(await stream.status).toMatchObject({ code: 3, details: 'a node failed' });
});

test('limits and side packets have texts of ours, without the suffix of OVMS', async () => {
  const stream = open();
  stream.send('g', '1');
  await stream.received(1);
  const { sink } = plane.sessions[0] as FakeSession;
  sink.onRequestError('2', new MillraceError('LIMIT_REACHED', 'a limit'));
  sink.onRequestError('3', new MillraceError('SIDE_PACKET_CHANGED', 'a side packet'));
  expect((await stream.received(3)).map((m) => m.errorMessage)).toEqual(['', 'a limit', 'a side packet']);
});
