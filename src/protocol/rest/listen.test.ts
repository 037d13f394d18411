import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDataPlane, type FakeSession } from '../../../test/support/fake-data-plane.ts';
import { MillraceError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { encodeBytes } from '../../tensor/bytes.ts';
import { listenRest, type RestListener } from './listen.ts';

let dataPlane: FakeDataPlane;
let listener: RestListener;

beforeEach(async () => {
  dataPlane = new FakeDataPlane();
  dataPlane.add({ name: 'm', decoupled: true });
  listener = await listenRest(
    { host: '127.0.0.1', port: 0, docs: false, maxJsonBytes: 1_000_000 },
    { dataPlane, logger: silentLogger },
  );
});

afterEach(() => listener[Symbol.asyncDispose]());

/** Waits for something that another process or socket brings about. */
async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited 5 s in vain');
    await sleep(2);
  }
}

async function post(path: string, body: string, agent?: Agent): Promise<IncomingMessage> {
  const call = request({ port: listener.port, path, method: 'POST', ...(agent === undefined ? {} : { agent }) });
  call.end(body);
  const [reply] = (await once(call, 'response')) as [IncomingMessage];
  return reply;
}

async function textOf(reply: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of reply) text += String(chunk);
  return text;
}

function sendText(session: FakeSession, text: string): void {
  const output = { name: 't', datatype: 'BYTES' as const, shape: [1], data: encodeBytes([text]) };
  session.sink.onResponse({ servable: 'm', version: '1', id: '', outputs: [output] }, undefined);
}

describe('server-sent events on a socket', () => {
  it('arrive one by one, as they are made', async () => {
    dataPlane.onSession = () => {};
    const replyComing = post('/v2/models/m/generate_stream', '{}');
    await until(() => dataPlane.sessions.length === 1);
    const session = dataPlane.sessions[0] as FakeSession;
    sendText(session, 'one');
    const reply = await replyComing;
    expect(String((await once(reply, 'data'))[0])).toContain('"t":"one"');
    sendText(session, 'two');
    expect(String((await once(reply, 'data'))[0])).toContain('"t":"two"');
    session.sink.onEnd(undefined);
    await once(reply, 'end');
  });

  it('leave together where they were made together, in their order, and before what ends them', async () => {
    dataPlane.onSession = (session) => {
      for (const text of ['a', 'b', 'c']) sendText(session, text);
      session.sink.onEnd(new MillraceError('RUNTIME_FAILED', 'as you asked'));
    };
    const reply = await post('/v2/models/m/generate_stream', '{}');
    const texts = (await textOf(reply)).split('\n\n').map((event) => event.replace(/^.*"t":"(.)".*$/, '$1'));
    expect(texts).toEqual(['a', 'b', 'c', expect.stringContaining('as you asked'), '']);
  });

  it('pause the session while the client does not read, and resume it when it does', async () => {
    dataPlane.onSession = async (session) => {
      for (let i = 0; i < 400; i++) {
        while (session.isPaused) await sleep(1);
        sendText(session, String(i).padEnd(50_000, '.'));
      }
      session.sink.onEnd(undefined);
    };
    const reply = await post('/v2/models/m/generate_stream', '{}');
    const session = dataPlane.sessions[0] as FakeSession;
    await until(() => session.isPaused);
    await sleep(50);
    expect(session.isPaused).toBe(true);
    const text = await textOf(reply);
    expect(text.match(/data: /g)).toHaveLength(400);
    expect(session.calls.filter((call) => call === 'resume').length).toBeGreaterThan(0);
  });

  it.each(['before any response', 'between responses'])('abort the session when the client leaves %s', async (when) => {
    dataPlane.onSession = () => {};
    const call = request({ port: listener.port, path: '/v2/models/m/generate_stream', method: 'POST' });
    call.on('error', () => {});
    call.end('{}');
    await until(() => dataPlane.sessions.length === 1);
    const session = dataPlane.sessions[0] as FakeSession;
    if (when === 'between responses') {
      sendText(session, 'one');
      await once(call, 'response');
    }
    expect(session.aborted).toBeUndefined();
    call.destroy();
    await until(() => session.aborted !== undefined);
    expect(session.aborted).toMatchObject({ reason: 'CANCELLED' });
    sendText(session, 'late'); // must not throw
  });
});

describe.skipIf(process.platform !== 'linux')('a thousand connections at once', () => {
  it('find room, where one that finds none would try again after a second only', async () => {
    const clients = Array.from({ length: 1000 }, () => connect(listener.port, '127.0.0.1').on('error', () => {}));
    // Before the server has its turn.
    const sockets = await new Promise<string>((resolve) => {
      process.nextTick(() => resolve(readFileSync('/proc/net/tcp', 'utf8')));
    });
    for (const client of clients) client.destroy();
    const to = listener.port.toString(16).toUpperCase().padStart(4, '0');
    // Columns: number, local address, remote address, state; 01 is connected, 02 still asks.
    const states = sockets.split('\n').map((line) => line.trim().split(/\s+/).slice(2, 4).join(' '));
    expect(states.filter((state) => state === `0100007F:${to} 02`)).toHaveLength(0);
    expect(states.filter((state) => state === `0100007F:${to} 01`).length).toBeGreaterThanOrEqual(1000);
  });
});

describe('disconnects', () => {
  it('cancel an inference', async () => {
    dataPlane.onInfer = (_, { cancellation }) => new Promise((_resolve, reject) => cancellation.onCancel(reject));
    const call = request({ port: listener.port, path: '/v2/models/m/infer', method: 'POST' });
    call.on('error', () => {});
    call.end('{"inputs":[]}');
    await until(() => dataPlane.contexts.length === 1);
    const { cancellation } = dataPlane.contexts[0] as (typeof dataPlane.contexts)[0];
    expect(cancellation.error).toBeUndefined();
    call.destroy();
    await until(() => cancellation.error !== undefined);
    expect(cancellation.error).toMatchObject({ reason: 'CANCELLED' });
  });

  it('do not cancel what was answered', async () => {
    const reply = await post('/v2/models/m/infer', '{"inputs":[]}', new Agent({ keepAlive: false }));
    await textOf(reply);
    await sleep(20);
    expect(dataPlane.contexts[0]?.cancellation.error).toBeUndefined();
  });

  it('in the middle of a body reach no servable, gzip or not', async () => {
    for (const encoding of ['identity', 'gzip']) {
      const socket = connect(listener.port, '127.0.0.1');
      socket.write(
        `POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nContent-Encoding: ${encoding}\r\n\r\n{"inp`,
      );
      await sleep(20);
      socket.destroy();
    }
    await sleep(20);
    expect(dataPlane.requests).toHaveLength(0);
    expect((await post('/v2/models/m/infer', '{"inputs":[]}')).statusCode).toBe(200);
  });
});

describe('bodies on a socket', () => {
  it('may be chunked', async () => {
    const call = request({ port: listener.port, path: '/v2/models/m/infer', method: 'POST' });
    for (const piece of ['{"inputs"', ':[{"name":"x","shape":[1],"datatype":"INT8",', '"data":[5]}]}'])
      call.write(piece);
    call.end();
    const [reply] = (await once(call, 'response')) as [IncomingMessage];
    expect(await textOf(reply)).toContain('"data":[5]');
  });

  it('that are too large are refused before they are read', async () => {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write('POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n{');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(String(data)).toMatch(/^HTTP\/1\.1 413 [^]*connection: close[^]*"reason":"REQUEST_TOO_LARGE"/);
    socket.destroy();
  });

  it('that are not HTTP get a 400 in our form', async () => {
    const socket = connect(listener.port, '127.0.0.1');
    socket.write('nonsense\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(String(data)).toContain('"reason":"BAD_HTTP"');
    socket.destroy();
  });
});

describe('listenRest', () => {
  it('names the address whose port is in use', async () => {
    const again = listenRest({ host: '127.0.0.1', port: listener.port }, { dataPlane, logger: silentLogger });
    await expect(again).rejects.toMatchObject({
      reason: 'PORT_IN_USE',
      message: `REST: 127.0.0.1:${listener.port} is in use by another process`,
    });
  });

  it('drains: running requests end, idle connections close, new ones are refused', async () => {
    let finish: (() => void) | undefined;
    dataPlane.onInfer = (asked) =>
      new Promise((resolve) => {
        finish = () => resolve({ servable: 'm', version: '1', id: asked.id, outputs: [] });
      });
    const agent = new Agent({ keepAlive: true });
    await textOf(await post('/v2/repository/index', '', agent)); // leaves an idle connection
    const replyComing = post('/v2/models/m/infer', '{"inputs":[],"id":"r"}', new Agent({ keepAlive: true }));
    await until(() => finish !== undefined);
    let isDrained = false;
    const draining = listener.drain().then(() => (isDrained = true));
    await sleep(30);
    expect(isDrained).toBe(false);
    await expect(once(connect(listener.port, '127.0.0.1'), 'connect')).rejects.toThrow('ECONNREFUSED');
    finish?.();
    expect(await textOf(await replyComing)).toContain('"id":"r"');
    await draining;
    await listener.drain();
  });

  it('cuts running streams when disposed', async () => {
    dataPlane.onSession = (session) => sendText(session, 'one');
    const reply = await post('/v2/models/m/generate_stream', '{}');
    const cut = once(reply, 'error').catch(() => {});
    await listener[Symbol.asyncDispose]();
    await cut;
    expect(dataPlane.sessions[0]?.aborted).toMatchObject({ reason: 'CANCELLED' });
  });
});
