import { createHmac } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import { until } from '../../../../test/support/until.ts';
import { JsonLinesResults } from './json-lines-results.ts';
import { MqttResults } from './mqtt-results.ts';
import { NewestQueue } from './newest-queue.ts';
import { localTime, microsecondsOf, resultText, utcTime } from './payload.ts';
import { ResultQueue, type ResultDriver } from './result-queue.ts';
import { resultBytes } from './result-size.ts';
import type { Prediction, ResultRecord } from './result-record.ts';
import { datagrams, UdpResults } from './udp-results.ts';
import { WebhookResults } from './webhook-results.ts';
import { WebsocketResults } from './websocket-results.ts';

const prediction = (name = 'cat'): Prediction => ({
  x: 80,
  y: 60.5,
  width: 80,
  height: 60,
  confidence: 0.8999999761581421,
  class: name,
  class_id: 0,
  detection_id: '61ec331d-a475-4b1a-90b7-020943da48b0',
});

function record(sequence = 1, count = 1, name?: string): ResultRecord {
  const predictions = Array.from({ length: count }, () => prediction(name));
  const captured_at_ms = new Date(2026, 10, 22, 6, 40, 7, 86).getTime() + 0.669;
  return {
    pipelineId: 'p',
    sequence,
    result: { source_id: 0, frame_id: 1, captured_at_ms, width: 320, height: 240, predictions },
  };
}

const port = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

test("a datagram is Roboflow's, byte for byte (sheet §4)", () => {
  const now = new Date(2026, 10, 22, 6, 40, 7, 97).getTime() + 0.724;
  expect(resultText(record(), { plain: true, now })).toBe(
    '{"image": {"width": 320, "height": 240}, "predictions": [{"x": 80.0, "y": 60.5, "width": 80.0, "height": 60.0, "confidence": 0.8999999761581421, "class": "cat", "class_id": 0, "detection_id": "61ec331d-a475-4b1a-90b7-020943da48b0"}], "inference_metadata": {"source_id": 0, "frame_id": 1, "frame_decoding_time": "2026-11-22T06:40:07.086669", "emission_time": "2026-11-22T06:40:07.097724"}}',
  );
  expect(resultText(record(1, 0), { plain: true })).toContain('"predictions": []');
});

test('times: no fraction where it is zero; microseconds come back', () => {
  expect(localTime(new Date(2026, 0, 2, 3, 4, 5).getTime())).toBe('2026-01-02T03:04:05');
  const text = utcTime(1_700_000_000_123.456);
  expect(text).toBe('2023-11-14T22:13:20.123456Z');
  expect(microsecondsOf(text)).toBeCloseTo(1_700_000_000_123.456, 3);
});

test('what is longer than a datagram is split, nothing lost, or cut with a flag', () => {
  const long = record(7, 1000, 'çat');
  const parts = datagrams(long, { plain: false, whenTooLong: 'split' });
  expect(parts.length).toBeGreaterThan(1);
  const parsed = parts.map((text) => {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(65_507);
    return JSON.parse(text) as {
      predictions: Prediction[];
      millrace: { part: number; parts: number; sequence: number };
    };
  });
  expect(parsed.flatMap(({ predictions }) => predictions)).toEqual(long.result.predictions);
  expect(parsed.map(({ millrace }) => millrace)).toMatchObject(
    parts.map((_, part) => ({ part, parts: parts.length, sequence: 7 })),
  );
  const [cut = '', ...more] = datagrams(long, { plain: true, whenTooLong: 'truncate' });
  expect(more).toEqual([]);
  const { predictions, millrace } = JSON.parse(cut) as { predictions: Prediction[]; millrace: { truncated: number } };
  expect(predictions.length + millrace.truncated).toBe(1000);
});

test('what cannot be split or cut to the length of a datagram fails at once', () => {
  const long = record(1, 300);
  const frame = (count: number): ResultRecord => {
    const outputs = { embedding: Array.from({ length: count }, (_, i) => i + 0.123456789012345) };
    return { ...long, result: { ...long.result, outputs } };
  };
  for (const whenTooLong of ['split', 'truncate'] as const) {
    expect(() => datagrams(frame(4096), { plain: false, whenTooLong })).toThrow(/needs \d+ bytes .* another sink/);
  }
  const parts = datagrams(frame(3200), { plain: false, whenTooLong: 'split' });
  expect(parts.length).toBeGreaterThan(5);
  expect(parts.every(({ length }) => length <= 65_507)).toBe(true);
  const found = parts.flatMap((text) => (JSON.parse(text) as { predictions: object[] }).predictions);
  expect(found).toEqual(long.result.predictions);
});

test('a user or password that cannot be decoded fails by itself and leaves nothing to close', async () => {
  const mqtt = new MqttResults({ url: 'mqtt://us%er:secret@127.0.0.1:1', topic: 'x', qos: 0, retain: false });
  for (let i = 0; i < 2; i++) await expect(mqtt.write(record())).rejects.toMatchObject({ reason: 'SINK_FAILED' });
  await mqtt.close();
  const options = { secret: undefined, headers: {}, retries: 0, timeoutMs: 1000, onlyDetections: false };
  const webhook = () => new WebhookResults({ url: 'http://us%er:secret@127.0.0.1:1/', ...options });
  expect(webhook).toThrow('written as %25');
  expect(webhook).not.toThrow('secret');
});

test('a webhook without an answer is given up, in time and when it is closed', async () => {
  const server = createServer(() => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const options = { secret: undefined, headers: {}, retries: 0, onlyDetections: false };
  const url = `http://127.0.0.1:${port(server)}/`;
  await expect(new WebhookResults({ ...options, url, timeoutMs: 50 }).write(record())).rejects.toThrow('within 50 ms');
  const sink = new WebhookResults({ ...options, url, timeoutMs: 600_000 });
  const asked = once(server, 'request');
  const writing = expect(sink.write(record())).rejects.toThrow('aborted');
  await asked;
  await sink.close();
  await writing;
  server.closeAllConnections();
  server.close();
});

test('UDP: each result arrives; a host that does not resolve fails each, and only that', async () => {
  const receiver = createSocket('udp4').bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const received: string[] = [];
  receiver.on('message', (message) => received.push(message.toString()));
  await using sink = new ResultQueue(
    new UdpResults({ host: 'localhost', port: receiver.address().port, plain: false, whenTooLong: 'split' }),
    10,
  );
  for (let i = 1; i <= 3; i++) sink.deliver(record(i));
  await until(() => received.length === 3);
  expect(received.map((text) => (JSON.parse(text) as { millrace: object }).millrace)).toMatchObject(
    [1, 2, 3].map((sequence) => ({ sequence, pipeline_id: 'p' })),
  );
  receiver.close();

  const errors: string[] = [];
  await using lost = new ResultQueue(
    new UdpResults({ host: 'no-such-host.invalid', port: 1, plain: false, whenTooLong: 'split' }),
    10,
    (message) => errors.push(message),
  );
  lost.deliver(record());
  lost.deliver(record());
  await until(() => lost.counts.failed === 2);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain('host "no-such-host.invalid" does not resolve');
});

test('a slow sink loses its oldest results and counts them', async () => {
  let free = (): void => {};
  const written: number[] = [];
  const driver: ResultDriver = {
    type: 'slow',
    target: '',
    write: async ({ sequence }) => {
      await new Promise<void>((resolve) => (free = resolve));
      written.push(sequence);
    },
    close: async () => free(),
  };
  const sink = new ResultQueue(driver, 2);
  for (let i = 1; i <= 6; i++) sink.deliver(record(i));
  expect(sink.counts).toMatchObject({ dropped: 3, waiting: 2 });
  free();
  await until(() => written.length === 1);
  await sink[Symbol.asyncDispose]();
  expect(sink.counts.delivered + sink.counts.dropped).toBe(6);
});

test('results that wait are bounded by their bytes too; the last one is kept', () => {
  const queue = new NewestQueue<number>(4, 100);
  expect([60, 30, 20, 500, 1, 1].map((bytes, i) => queue.put(i, bytes))).toEqual([0, 0, 1, 2, 1, 0]);
  expect([queue.take(), queue.take(), queue.take()]).toEqual([4, 5, undefined]);
  const picture = 'x'.repeat(1e6);
  const { result } = record();
  expect(resultBytes({ ...result, outputs: { image: { value: picture } } })).toBeGreaterThan(1e6);
  expect(resultBytes({ ...result, outputs: { vector: { data: Array(4096).fill(0.5) } } })).toBeGreaterThan(4096 * 8);
});

test('a sink that stands still holds some MiB of pictures, not hundreds', async () => {
  let free = (): void => {};
  const write = (): Promise<void> => new Promise((resolve) => (free = resolve));
  const sink = new ResultQueue({ type: 'slow', target: '', write, close: async () => free() }, 256);
  const image = 'x'.repeat(2 ** 20);
  for (let i = 0; i < 100; i++) sink.deliver({ ...record(i), result: { ...record().result, outputs: { image } } });
  expect(sink.counts.waiting).toBeLessThan(33);
  expect(sink.counts.waiting + sink.counts.dropped).toBe(99);
  await sink[Symbol.asyncDispose]();
});

test('JSON lines are appended; a full disk costs lines and no more', async () => {
  await using folder = await ScratchFolder.create();
  const path = join(folder.path, 'a.jsonl');
  const sink = new JsonLinesResults(path);
  await sink.write(record(1));
  await sink.write(record(2));
  await sink.close();
  const lines = (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([{ sequence: 1, captured_at: expect.stringMatching(/Z$/) as string }, { sequence: 2 }]);
  const full = new JsonLinesResults('/dev/full');
  await expect(full.write(record())).rejects.toThrow(/no space/i);
  await full.close();
});

test('a webhook is tried again where that may help, signed, with one id for all tries', async () => {
  const got: { headers: IncomingMessage['headers']; body: string }[] = [];
  const statuses = [503, 429, 200, 400];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      got.push({ headers: request.headers, body });
      response.writeHead(statuses[got.length - 1] ?? 200).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://user:pass%40word@127.0.0.1:${port(server)}/hook`;
  const sink = new WebhookResults({
    url,
    secret: 'key',
    headers: { 'x-own': '1' },
    retries: 3,
    timeoutMs: 5000,
    onlyDetections: true,
  });
  expect(sink.target).not.toContain('pass');
  await sink.write(record(5));
  expect(got).toHaveLength(3);
  const { headers, body } = got[2]!;
  expect(headers['x-millrace-signature']).toBe(`sha256=${createHmac('sha256', 'key').update(body).digest('hex')}`);
  expect(headers.authorization).toBe(`Basic ${Buffer.from('user:pass@word').toString('base64')}`);
  const deliveries = new Set(got.map((each) => String(each.headers['x-millrace-delivery'])));
  expect([...deliveries]).toEqual([expect.stringMatching(/^p-[0-9a-f]{8}-5$/)]);
  await expect(sink.write(record(6))).rejects.toThrow('status 400');
  expect(got).toHaveLength(4);
  await sink.write(record(7, 0));
  expect(got).toHaveLength(4);
  await sink.close();
  server.close();
});

test('MQTT: results reach a subscriber of a real broker; without a broker they fail in time', async () => {
  const broker = await Aedes.createBroker();
  const server = createTcpServer(broker.handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const got: string[] = [];
  await new Promise<void>((resolve) => {
    broker.subscribe(
      'cameras/#',
      (packet, done) => {
        got.push(`${packet.topic} ${packet.payload.toString()}`);
        done();
      },
      resolve,
    );
  });
  const url = `mqtt://127.0.0.1:${port(server)}`;
  const sink = new MqttResults({ url, topic: 'cameras/1', qos: 1, retain: false });
  await sink.write(record(1));
  await sink.write(record(2));
  await until(() => got.length === 2);
  expect(got[1]).toMatch(/^cameras\/1 \{"pipeline_id":"p","sequence":2/);
  await sink.close();
  await new Promise<void>((resolve) => broker.close(resolve));
  server.close();
  const lost = new MqttResults({ url, topic: 'x', qos: 0, retain: false });
  await expect(lost.write(record())).rejects.toThrow('sink mqtt');
  await lost.close();
});

test('WebSocket: a lost connection is made again', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const got: string[] = [];
  server.on('connection', (socket) => socket.on('message', (data: Buffer) => got.push(data.toString())));
  const sink = new WebsocketResults(`ws://127.0.0.1:${port(server)}/results`);
  await sink.write(record(1));
  await until(() => got.length === 1);
  for (const socket of server.clients) socket.terminate();
  await until(async () => {
    await sink.write(record(2)).catch(() => {});
    return got.length >= 2;
  });
  expect(JSON.parse(got.at(-1) ?? '')).toMatchObject({ sequence: 2, predictions: [{ class: 'cat' }] });
  await sink.close();
  for (const socket of server.clients) socket.terminate();
  server.close();
});
