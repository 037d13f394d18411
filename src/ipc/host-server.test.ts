import { duplexPair, type Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { Cancellation } from '../base/cancellation.ts';
import { MillraceError } from '../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { fromStream } from './connection.ts';
import { HostClient } from './host-client.ts';
import type { HostHandler, HostSession, SessionOutput } from './host-handler.ts';
import { HostServer } from './host-server.ts';

const LIMITS = { maxMessages: 1, maxBytes: 100_000_000 };
const gone = new MillraceError('CANCELLED', 'gone');
const noSession: HostSession = { push() {}, halfClose() {}, abort() {}, onRoom() {} };
const sound: InferenceResponse = { servable: 's', version: '1', id: '', outputs: [] };
/** What no encoder takes. */
const broken = { ...sound, outputs: undefined } as unknown as InferenceResponse;

/** A front and a host that does what `parts` say; `faults` are those that the host would log. */
function connect(parts: Partial<HostHandler>): {
  client: HostClient;
  server: HostServer;
  faults: unknown[];
  near: Duplex;
  far: Duplex;
} {
  const [near, far] = duplexPair({ highWaterMark: 64 * 1024 });
  const faults: unknown[] = [];
  const handler: HostHandler = {
    start: () => Promise.resolve(),
    load: () => Promise.resolve({}),
    unload() {},
    infer: () => Promise.resolve(sound),
    open: () => noSession,
    stop: () => Promise.resolve(),
    ...parts,
  };
  const server = new HostServer(fromStream(far), handler, {
    onFault: (fault) => faults.push(fault),
    onClose: () => {},
  });
  const events = { onAlive() {}, onRunStarted() {}, onRunEnded() {}, onMetrics() {} };
  return { client: new HostClient(near, LIMITS, events), server, faults, near, far };
}

function request(bytes: number, text = ''): InferenceRequest {
  const data = new Uint8Array(bytes);
  const inputs = [{ name: 'x', datatype: 'UINT8' as const, shape: [bytes], data }];
  return { servable: 's', version: '', id: '', parameters: { text }, inputs, outputs: [] };
}

function sink(): { ended: Promise<MillraceError | undefined>; responses: InferenceResponse[] } & Parameters<
  HostClient['openSession']
>[2] {
  const { promise, resolve } = withResolvers<MillraceError | undefined>();
  const responses: InferenceResponse[] = [];
  return {
    ended: promise,
    responses,
    onResponse: (response) => void responses.push(response),
    onRequestError() {},
    onEnd: resolve,
    onDrain() {},
  };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

test('a call that is cancelled before it was sent never reaches the host', async () => {
  const calls: number[] = [];
  const { client } = connect({
    infer: (loadId) => {
      calls.push(loadId);
      return Promise.resolve(sound);
    },
  });
  const cancellation = new Cancellation();
  const call = client.infer(1, request(1_000_000), cancellation);
  cancellation.cancel(gone);
  await expect(call).rejects.toBe(gone);
  await client.infer(2, request(1_000_000), new Cancellation());
  expect(calls).toEqual([2]);
});

test('a call that is cancelled while it is being sent is cancelled in the host', async () => {
  const cancelled = withResolvers<MillraceError>();
  const { client, far } = connect({
    infer: (_loadId, _request, cancellation) => {
      cancellation.onCancel(cancelled.resolve);
      return new Promise(() => {});
    },
  });
  const cancellation = new Cancellation();
  far.pause();
  const call = client.infer(1, request(8_000_000), cancellation);
  await nextTurn(); // its first frames are written
  cancellation.cancel(gone);
  far.resume();
  await expect(call).rejects.toBe(gone);
  expect(await cancelled.promise).toMatchObject({ reason: 'CANCELLED', message: 'gone' });
});

test('a session that is aborted before it was sent is never opened; while it is being sent, it is aborted', async () => {
  const opened: number[] = [];
  const aborted = withResolvers<number>();
  const { client, far } = connect({
    open: (loadId) => {
      opened.push(loadId);
      return { ...noSession, abort: () => aborted.resolve(loadId) };
    },
  });
  const [first, second] = [sink(), sink()];
  const unsent = client.openSession(1, request(0, 'x'.repeat(20_000)), first);
  unsent.push(request(1));
  unsent.abort(gone);
  far.pause();
  const session = client.openSession(2, request(0, 'x'.repeat(4_000_000)), second);
  await nextTurn(); // its first frames are written
  session.abort(gone);
  far.resume();
  expect([await first.ended, await second.ended, await aborted.promise]).toEqual([gone, gone, 2]);
  expect(opened).toEqual([2]);
});

test('a run starts once the front can hear of it, when a big response before it has left', async () => {
  const { client, server, near, far } = connect({
    infer: () => Promise.resolve({ ...sound, outputs: request(8_000_000).inputs }),
  });
  await client.hello({});
  const call = client.infer(1, request(1), new Cancellation());
  await nextTurn();
  near.pause();
  while (far.writableLength === 0) await nextTurn();
  let hasLeft = false;
  const left = server.runStarted(5, 0)?.then(() => (hasLeft = true));
  await nextTurn();
  expect(hasLeft).toBe(false);
  near.resume();
  await left;
  expect(hasLeft).toBe(true);
  await call;
});

test('a response that cannot be encoded ends its call and is logged', async () => {
  const { client, faults } = connect({ infer: () => Promise.resolve(broken) });
  await expect(client.infer(1, request(1), new Cancellation())).rejects.toMatchObject({ reason: 'INTERNAL' });
  expect(faults).toHaveLength(1);
  expect(client.isLost).toBe(false);
});

test.each<[string, number, (output: SessionOutput) => void]>([
  ['at once', 0, (output) => output.respond(broken)],
  [
    'once there is credit, though the session has ended well',
    1,
    (output) => {
      for (const response of [sound, broken, sound]) output.respond(response);
      output.end(undefined);
    },
  ],
])('a response that cannot be encoded ends its session: %s', async (_when, responses, answer) => {
  let aborts = 0;
  const { client, faults } = connect({
    open: (_loadId, _first, output) => ({ ...noSession, push: () => answer(output), abort: () => void aborts++ }),
  });
  const kept = sink();
  client.openSession(1, request(0), kept).push(request(1));
  expect(await kept.ended).toMatchObject({ reason: 'INTERNAL' });
  expect({ responses: kept.responses.length, faults: faults.length, aborts }).toEqual({
    responses,
    faults: 1,
    aborts: 1,
  });
  expect(await client.loadServable(1, {})).toEqual({});
});

test('what a sink throws ends its own session, not the connection', async () => {
  const aborted: string[] = [];
  let output: SessionOutput | undefined;
  const { client } = connect({
    open: (_loadId, _first, out) => {
      output = out;
      return { ...noSession, abort: (error) => void aborted.push(error.message) };
    },
  });
  const bad = sink();
  const session = client.openSession(1, request(0), {
    ...bad,
    onResponse: () => {
      throw new Error('no header has that');
    },
    onEnd: (error) => {
      bad.onEnd(error);
      throw new Error('again');
    },
  });
  session.push(request(0));
  await expect.poll(() => output).toBeDefined();
  output?.respond(sound);
  expect((await bad.ended)?.cause).toMatchObject({ message: 'no header has that' });
  await expect.poll(() => aborted).toHaveLength(1);
  expect(await client.infer(1, request(0), new Cancellation())).toMatchObject({ servable: 's' });
});

test('a session that throws when it is aborted harms no other', async () => {
  const { client, faults } = connect({
    open: () => ({
      ...noSession,
      abort: () => {
        throw new Error('its own making');
      },
    }),
  });
  const session = client.openSession(1, request(0), sink());
  session.push(request(0));
  await nextTurn();
  session.abort(gone);
  await expect.poll(() => faults).toEqual([expect.objectContaining({ message: 'its own making' })]);
  expect(await client.infer(1, request(0), new Cancellation())).toMatchObject({ servable: 's' });
});
