import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeBytes,
  GrpcClient,
  InferenceError,
  RestClient,
  tensorOf,
  textData,
  typedData,
  type ClientRequest,
  type InferenceResponse,
  type Tensor,
} from '../../src/client/index.ts';
import { freePorts } from '../support/free-port.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

let server: TestServer;
let grpc: GrpcClient;
let rest: RestClient;

beforeAll(async () => {
  server = await startServer();
  grpc = new GrpcClient({ address: server.grpcAddress, ownConnection: true });
  rest = new RestClient({ url: `${server.restUrl}/` });
}, 60_000);
afterAll(async () => {
  grpc.close();
  await rest[Symbol.asyncDispose]();
  await server.stop();
});

const count = (value: number): ClientRequest => ({
  model: 'counter',
  inputs: [tensorOf('input', 'FP32', [1], Float32Array.of(value))],
});
const text = (name: string, ...elements: string[]): Tensor => ({
  name,
  datatype: 'BYTES',
  shape: [elements.length],
  data: encodeBytes(elements),
});
const words = (prompt: string, parameters?: ClientRequest['parameters']): ClientRequest => ({
  model: 'words',
  inputs: [text('prompt', prompt)],
  parameters,
});
const firstValue = ({ outputs }: InferenceResponse): unknown => typedData(outputs[0] as Tensor)[0];

/** What a call failed with. */
async function failureOf(call: Promise<unknown>): Promise<InferenceError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InferenceError);
  return error as InferenceError;
}

const clients = [
  ['gRPC', () => grpc],
  ['REST', () => rest],
  ['REST without the binary extension', () => new RestClient({ url: server.restUrl, binary: false })],
] as const;

describe.each(clients)('%s', (_, client) => {
  it('tells what lives and what is ready', async () => {
    expect(await client().isServerLive()).toBe(true);
    expect(await client().isServerReady()).toBe(true);
    expect(await client().isModelReady('counter')).toBe(true);
    expect(await client().isModelReady('nothing')).toBe(false);
    const { name, inputs } = await client().modelMetadata('counter');
    expect([name, inputs]).toEqual(['counter', [{ name: 'input', datatype: 'FP32', shape: [1] }]]);
  });

  it('infers, every value exact', async () => {
    const longs = BigInt64Array.of(2n ** 63n - 1n, -1n, 0n);
    const inputs = [tensorOf('REQUEST', 'INT64', [1, 3], longs)];
    const response = await client().infer({ model: 'identity', id: 'r1', inputs: renamed(inputs) });
    expect(response.id).toBe('r1');
    expect(response.outputs[0]).toMatchObject({ datatype: 'INT64', shape: [1, 3] });
    expect(typedData(response.outputs[0] as Tensor)).toEqual(longs);
    const spoken = await client().infer({ model: 'identity', inputs: renamed([text('', 'héllo', '')]) });
    expect(textData(spoken.outputs[0] as Tensor)).toEqual(['héllo', '']);
  });

  it('throws what the server answers', async () => {
    const unknown = await failureOf(client().infer({ ...count(1), model: 'nothing' }));
    expect([unknown.status, unknown.message]).toEqual(['NOT_FOUND', expect.stringContaining('nothing')]);
    const wrong = await failureOf(client().infer({ model: 'counter', inputs: [text('input', 'x')] }));
    expect(wrong.status).toBe('INVALID_ARGUMENT');
  });

  it('gives up after its time, and when it is told to', async () => {
    const slow = words('a b', { delay_s: 20 });
    const late = await failureOf(collect(client(), slow, { timeoutMs: 100 }));
    expect(late.status).toBe('DEADLINE_EXCEEDED');
    const reason = new Error('no longer wanted');
    await expect(collect(client(), slow, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('says that nobody is there', async () => {
    const [port = 0] = await freePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const nobody =
      client() instanceof GrpcClient ? new GrpcClient({ address: `127.0.0.1:${port}` }) : new RestClient({ url });
    expect((await failureOf(nobody.infer(count(1)))).status).toBe('UNAVAILABLE');
  });

  it('streams', async () => {
    const answers = await collect(client(), words('a b  c'));
    expect(answers.flatMap(({ outputs }) => textData(outputs[0] as Tensor)).join('')).toBe('a b  c');
  });
});

/** All responses to one request, by a stream. */
async function collect(
  client: GrpcClient | RestClient,
  request: ClientRequest,
  options: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<InferenceResponse[]> {
  const responses: InferenceResponse[] = [];
  if (client instanceof RestClient) {
    for await (const response of client.generateStream(request, options)) responses.push(response);
    return responses;
  }
  using stream = client.stream(options);
  await stream.send(request);
  stream.halfClose();
  for await (const { response, error } of stream) {
    if (error !== undefined) throw error;
    responses.push(response);
  }
  return responses;
}

/** The shipped `identity` takes and gives INPUT0 and OUTPUT0. */
const renamed = (tensors: readonly Tensor[]): Tensor[] => tensors.map((tensor) => ({ ...tensor, name: 'INPUT0' }));

describe('a gRPC stream', () => {
  it('keeps one session, and goes on after a refused request', async () => {
    using stream = grpc.stream();
    for (const value of [1, 2]) await stream.send(count(value));
    await stream.send({ ...count(3), model: 'identity', id: 'stray' });
    await stream.send(count(4));
    stream.halfClose();
    const seen: unknown[] = [];
    for await (const { response, error } of stream) {
      seen.push(error === undefined ? firstValue(response) : [error.status, error.requestId]);
    }
    expect(seen).toHaveLength(4);
    expect(seen.filter((value) => typeof value === 'number')).toEqual([1, 3, 7]);
    expect(seen).toContainEqual(['INVALID_ARGUMENT', 'stray']);
    expect((await stream.trailers).get('millrace-packets-in')).toEqual(['3']);
  });

  it('holds the sender back while nobody reads, and loses nothing', async () => {
    const MESSAGES = 800;
    const big = renamed([tensorOf('', 'FP32', [65_536], new Float32Array(65_536).fill(1))]);
    using stream = grpc.stream();
    let sent = 0;
    const sending = (async () => {
      for (; sent < MESSAGES; sent++) await stream.send({ model: 'identity', id: String(sent), inputs: big });
      stream.halfClose();
    })();
    let before = -1;
    await expect.poll(() => before === (before = sent), { interval: 500, timeout: 20_000 }).toBe(true);
    expect(sent).toBeLessThan(MESSAGES);
    const ids: string[] = [];
    for await (const { response } of stream) ids.push(response?.id ?? 'refused');
    await sending;
    expect(ids).toEqual(Array.from({ length: MESSAGES }, (_, i) => String(i)));
  }, 60_000);

  it('several may wait for room', async () => {
    const big = renamed([tensorOf('', 'FP32', [1_000_000], new Float32Array(1_000_000))]);
    using stream = grpc.stream();
    const sent = Array.from({ length: 8 }, (_, i) => stream.send({ model: 'identity', id: String(i), inputs: big }));
    const answers = (async () => {
      let count = 0;
      for await (const { response } of stream) if (response !== undefined && ++count === 8) return count;
      return count;
    })();
    await Promise.all(sent);
    expect(await answers).toBe(8);
  });

  it('throws the status that it ends with, after what came before', async () => {
    using stream = grpc.stream();
    await stream.send({ ...count(1), model: 'nothing' });
    const next = stream[Symbol.asyncIterator]().next();
    const { status, message } = await failureOf(next);
    expect([status, message]).toEqual(['NOT_FOUND', expect.stringContaining('nothing')]);
    await stream.send(count(1)); // neither waits nor throws
  });

  it('leaves the server when its reader stops', async () => {
    using stream = grpc.stream();
    await stream.send(words('a b c d e f', { delay_s: 0.05 }));
    for await (const answer of stream) if (answer.response !== undefined) break;
    await stream.trailers;
    await expect.poll(openSessions).toBe('0');
  });

  it('that is cancelled at once leaves nothing behind', async () => {
    const streams = Array.from({ length: 20 }, () => grpc.stream());
    for (const stream of streams) {
      void stream.send(words('a b', { delay_s: 20 }));
      stream.cancel();
    }
    await Promise.all(streams.map((stream) => stream.trailers));
    await expect.poll(openSessions).toBe('0');
  });
});

/** Sessions on `words`, as the server counts them. */
async function openSessions(): Promise<string | undefined> {
  const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
  return /^ovms_current_graphs\{name="words"\} (\d+)/m.exec(metrics)?.[1];
}

it('a REST stream that fails half way gives its events, then its fault', async () => {
  const broken = createServer((_, response) => {
    response.setHeader('content-type', 'text/event-stream');
    const event = { model_name: 'm', outputs: [{ name: 'o', datatype: 'FP32', shape: [2], data: [[1], [null]] }] };
    response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end('data: {"error":"out of words"}\n\n');
  });
  await new Promise<void>((resolve) => void broken.listen(0, '127.0.0.1', resolve));
  await using client = new RestClient({ url: `http://127.0.0.1:${(broken.address() as AddressInfo).port}` });
  const events = client.generateStream({ model: 'm', inputs: [] });
  const { value } = await events.next();
  expect(typedData(value?.outputs[0] as Tensor)).toEqual(Float32Array.of(1, NaN));
  expect((await failureOf(events.next())).message).toBe('out of words');
  broken.close();
});
