import { once } from 'node:events';
import { connect, constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BufferPool } from '../../base/buffer-pool.ts';
import { MillraceError, type Reason } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { TRITON_EXTENSIONS } from '../wire/extensions.ts';
import { decodeInferResponse, encodeInferRequest, joinParts } from '../wire/infer-codec.ts';
import { listenGrpc, type GrpcListener, type GrpcOptions } from './listen-grpc.ts';
import { Messages, TRITON_PROTOS } from './messages.ts';
import { BytesClient, echo, FakeDataPlane, requestTo, tensor, type BytesStream } from './testing.ts';

const SERVICE = '/inference.GRPCInferenceService/';
const STREAM = `${SERVICE}ModelStreamInfer`;
const GRPC_HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
const messages = new Messages(TRITON_PROTOS);

let plane: FakeDataPlane;
let listener: GrpcListener;
let client: BytesClient;

const options: GrpcOptions = {
  host: '127.0.0.1',
  port: 0,
  maxMessageBytes: 32 * 2 ** 20,
  writeHighWaterBytes: 256 * 1024,
  serverVersion: '1.2.3',
};

beforeEach(async () => {
  plane = new FakeDataPlane();
  listener = await listenGrpc(options, plane, silentLogger);
  client = new BytesClient(listener.port);
});

afterEach(async () => {
  client.client.close();
  await listener[Symbol.asyncDispose]();
});

const bytesOf = (...args: Parameters<typeof requestTo>): Buffer => joinParts(encodeInferRequest(requestTo(...args)));

/** One rare RPC with its generated messages. */
async function rare(name: string, request: object = {}): Promise<Record<string, unknown>> {
  const encode = messages.encoder(`inference.${name}Request`);
  const { reply, error } = await client.unary(SERVICE + name, joinParts(encode(request)).subarray(5));
  if (error !== undefined) throw error;
  return messages.decoder<Record<string, unknown>>(`inference.${name}Response`)(reply as Buffer);
}

test('ModelInfer answers with the data of the request, small and large', async () => {
  for (const length of [1, 1000, 500_000]) {
    const inputs = [tensor(Array.from({ length }, (_, i) => i))];
    const { reply } = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '7', { inputs }));
    const response = decodeInferResponse(reply as Buffer);
    expect(response).toMatchObject({ servable: 'm', version: '1', id: '7' });
    expect(Buffer.compare(response.outputs[0]?.data as Buffer, inputs[0]?.data as Buffer)).toBe(0);
  }
});

test('errors arrive with code, text, reason and details', async () => {
  plane.answer = () =>
    Promise.reject(new MillraceError('SERVABLE_NOT_FOUND', 'größer \ud800?', { details: { servable: 'ö' } }));
  const { error } = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'));
  expect(error).toMatchObject({ code: 5, details: 'größer \ufffd?' });
  expect(error?.metadata.get('millrace-reason')).toEqual(['SERVABLE_NOT_FOUND']);
  expect(JSON.parse(String(error?.metadata.get('millrace-details')[0]))).toEqual({ servable: 'ö' });
});

test('faults of ours are generic to the client', async () => {
  plane.answer = () => Promise.reject(new TypeError('secret'));
  const { error } = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'));
  expect(error?.code).toBe(13);
  expect(error?.details).not.toContain('secret');
});

test('a fault in a request has the texts of its servable, and garbage is INTERNAL', async () => {
  const bad = { inputs: [{ ...tensor([1]), shape: [2] }] };
  const model = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '', bad));
  expect(model.error).toMatchObject({
    code: 3,
    details: expect.stringContaining('input byte size mismatch') as string,
  });
  const graph = await client.unary(`${SERVICE}ModelInfer`, bytesOf('g', '', bad));
  expect(graph.error).toMatchObject({ code: 3, details: expect.stringContaining('Invalid content size') as string });
  const garbage = await client.unary(`${SERVICE}ModelInfer`, Buffer.from([10, 200]));
  expect(garbage.error).toMatchObject({ code: 13, details: 'Unable to parse request' });
});

test('messages above the limit are RESOURCE_EXHAUSTED', async () => {
  const { error } = await client.unary(`${SERVICE}ModelInfer`, Buffer.alloc(33 * 2 ** 20));
  expect(error?.code).toBe(8);
  expect(error?.metadata.get('millrace-reason')).toEqual(['REQUEST_TOO_LARGE']);

  const outputs = [
    { name: 'o', datatype: 'UINT8', shape: [33 * 2 ** 20], data: new Uint8Array(33 * 2 ** 20) },
  ] as const;
  plane.answer = (request) => Promise.resolve({ ...echo(request), outputs });
  const answer = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'));
  expect(answer.error).toMatchObject({ code: 8, details: expect.stringContaining('Sent message larger') as string });
  expect(answer.error?.metadata.get('millrace-reason')).toEqual(['LIMIT_REACHED']);
});

test.each<[string, (stream: BytesStream) => void, Reason]>([
  ['a message that is too large', ({ call }) => call.write(Buffer.alloc(33 * 2 ** 20)), 'REQUEST_TOO_LARGE'],
  [
    'an answer that is too large',
    () => {
      const outputs = [{ ...tensor([]), datatype: 'UINT8', shape: [2 ** 25], data: new Uint8Array(2 ** 25) }] as const;
      plane.sessions[0]?.sink.onResponse({ ...echo(requestTo('g', '1')), outputs }, undefined);
    },
    'LIMIT_REACHED',
  ],
])('%s ends the stream, and its session knows why', async (_, provoke, reason) => {
  const stream = client.stream(STREAM);
  stream.call.write(bytesOf('g', '1'));
  await stream.received(1);
  provoke(stream);
  const { code, metadata } = await stream.status;
  expect(code).toBe(8);
  expect(metadata.get('millrace-reason')).toEqual([reason]);
  await expect.poll(() => plane.sessions[0]?.aborted?.reason).toBe(reason);
});

test('a deadline that passes on the server is one to the session too', async () => {
  const session = connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ...GRPC_HEADERS, ':path': STREAM, 'grpc-timeout': '50m' });
  const body = bytesOf('g', '1');
  stream.write(Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]));
  stream.resume();
  const [trailers] = (await once(stream, 'trailers')) as [IncomingHttpHeaders];
  expect(trailers).toMatchObject({ 'grpc-status': '4', 'millrace-reason': 'DEADLINE_EXCEEDED' });
  expect(plane.sessions[0]?.aborted?.reason).toBe('DEADLINE_EXCEEDED');
  session.destroy();
});

test('a deadline cancels the inference with DEADLINE_EXCEEDED', async () => {
  plane.answer = () => new Promise<InferenceResponse>(() => {});
  const { error } = await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'), 500);
  expect(error?.code).toBe(4);
  await expect.poll(() => plane.contexts[0]?.cancellation.error?.reason).toMatch(/DEADLINE_EXCEEDED|CANCELLED/);
});

test('a call that ended well is not cancelled', async () => {
  await client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(plane.contexts[0]?.cancellation.error).toBeUndefined();
});

test('the rare RPCs answer', async () => {
  expect(await rare('ServerLive')).toEqual({ live: true });
  plane.ready = false;
  expect(await rare('ServerReady')).toEqual({ ready: false });
  expect(await rare('ModelReady', { name: 'm' })).toEqual({ ready: true });
  expect(await rare('ModelReady', { name: 'x' })).toEqual({ ready: false });
  expect(await rare('ServerMetadata')).toMatchObject({
    name: 'millrace',
    version: '1.2.3',
    extensions: TRITON_EXTENSIONS,
  });
  expect(await rare('ModelMetadata', { name: 'm' })).toMatchObject({
    name: 'm',
    versions: ['1'],
    inputs: [{ name: 'in', datatype: 'FP32', shape: [-1, 4] }],
  });
  expect(await rare('ModelConfig', { name: 'm' })).toMatchObject({
    config: {
      name: 'm',
      platform: 'onnxruntime_onnx',
      max_batch_size: 0,
      input: [{ name: 'in', data_type: 'TYPE_FP32', dims: [-1, 4] }],
      output: [{}, { data_type: 'TYPE_STRING' }],
      version_policy: { latest: { num_versions: 1 } },
      model_transaction_policy: { decoupled: false },
    },
  });
  expect(await rare('ModelStatistics', { name: 'm' })).toMatchObject({
    model_stats: [{ last_inference: 1_700_000_000_000, inference_stats: { queue: { count: 2, ns: 5_000_000_000 } } }],
  });
  await expect(rare('ModelStatistics', { name: 'x' })).rejects.toMatchObject({
    code: 3,
    details: "requested model 'x' is not available",
  });
  const ready = { name: 'm', version: '1', state: 'READY', reason: '' };
  expect(await rare('RepositoryIndex')).toEqual({
    models: [ready, { ...ready, name: 'n', state: 'LOADING', reason: 'soon' }],
  });
  expect(await rare('RepositoryIndex', { ready: true })).toEqual({ models: [ready] });
  await expect(rare('RepositoryModelLoad')).rejects.toMatchObject({ code: 13 });
  await expect(rare('ModelMetadata', { name: 'x' })).rejects.toMatchObject({ code: 5 });
  expect((await client.unary('/inference.GRPCInferenceService/Nope', Buffer.alloc(0))).error?.code).toBe(12);
});

test('health checks any service and watches readiness', async () => {
  const check = messages.decoder<{ status: string }>('grpc.health.v1.HealthCheckResponse');
  const { reply } = await client.unary('/grpc.health.v1.Health/Check', Buffer.from([10, 1, 120]));
  expect(check(reply as Buffer)).toEqual({ status: 'SERVING' });
  const watch = client.stream('/grpc.health.v1.Health/Watch');
  watch.call.end(Buffer.alloc(0));
  await expect.poll(() => watch.messages.length).toBe(1);
  plane.ready = false;
  await expect.poll(() => watch.messages.length).toBe(2);
  expect(watch.messages.map((m) => check(m).status)).toEqual(['SERVING', 'NOT_SERVING']);
  watch.call.cancel();
});

test.each(['v1', 'v1alpha'])('reflection %s lists services and serves files with their imports', async (version) => {
  const encode = messages.encoder(`grpc.reflection.${version}.ServerReflectionRequest`);
  const decode = messages.decoder<Record<string, { service: object[]; file_descriptor_proto: Buffer[] }>>(
    `grpc.reflection.${version}.ServerReflectionResponse`,
  );
  const stream = client.stream(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
  const ask = (request: object): unknown => stream.call.write(joinParts(encode(request)).subarray(5));
  ask({ list_services: '' });
  ask({ file_containing_symbol: 'inference.ModelInferRequest.InferInputTensor' });
  ask({ file_by_filename: 'health.proto' });
  ask({ file_containing_symbol: 'inference.Nope' });
  stream.call.end();
  expect((await stream.status).code).toBe(0);
  const [list, symbol, file, nope] = stream.messages.map(decode);
  expect(list?.['list_services_response']?.service).toContainEqual({ name: 'inference.GRPCInferenceService' });
  expect(symbol?.['file_descriptor_response']?.file_descriptor_proto).toHaveLength(2);
  expect(file?.['file_descriptor_response']?.file_descriptor_proto).toHaveLength(1);
  expect(nope?.['error_response']).toMatchObject({ error_code: 5 });
});

test('compressed requests are read', async () => {
  const body = gzipSync(bytesOf('m', 'zip'));
  const session = connect(`http://127.0.0.1:${listener.port}`);
  const stream = session.request({ ...GRPC_HEADERS, ':path': `${SERVICE}ModelInfer`, 'grpc-encoding': 'gzip' });
  const head = Buffer.from([1, 0, 0, 0, body.length]);
  stream.end(Buffer.concat([head, body]));
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  expect(decodeInferResponse(Buffer.concat(chunks).subarray(5)).id).toBe('zip');
  session.destroy();
});

test('memory of a message goes back to the pool once written, and not when its stream was reset', async () => {
  const pool = new BufferPool(64 * 2 ** 20);
  await using pooled = await listenGrpc({ ...options, pool }, plane, silentLogger);
  const bytes = 16 * 2 ** 20;
  let memory: ArrayBufferLike | undefined;
  plane.answer = (request) => {
    const data = pool.take(bytes);
    memory = data.buffer;
    return Promise.resolve({ ...echo(request), outputs: [{ name: 'o', datatype: 'UINT8', shape: [bytes], data }] });
  };
  const session = connect(`http://127.0.0.1:${pooled.port}`, { settings: { initialWindowSize: 2 ** 20 } });
  const body = bytesOf('m', '');
  const call = (): ClientHttp2Stream => {
    const stream = session.request({ ...GRPC_HEADERS, ':path': `${SERVICE}ModelInfer` });
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, body.length]), body]));
    return stream;
  };
  const roundTrip = (): Promise<void> => new Promise((resolve) => session.ping(() => resolve()));

  const reset = call();
  await once(reset, 'data');
  reset.close(constants.NGHTTP2_CANCEL);
  for (let i = 0; i < 5; i++) await roundTrip();
  expect(pool.take(bytes).buffer === memory).toBe(false);

  const read = call();
  read.resume();
  await once(read, 'end');
  expect(pool.take(bytes).buffer === memory).toBe(true);
  session.destroy();
});

test('a taken port is PORT_IN_USE and names the address', async () => {
  const second = listenGrpc({ ...options, port: listener.port }, plane, silentLogger);
  await expect(second).rejects.toMatchObject({
    reason: 'PORT_IN_USE',
    message: expect.stringContaining(`127.0.0.1:${listener.port}`) as string,
  });
});

test('drain answers what is under way and disposing ends the rest', async () => {
  let release: (() => void) | undefined;
  plane.answer = (request) => new Promise((resolve) => (release = () => resolve(echo(request))));
  const pending = client.unary(`${SERVICE}ModelInfer`, bytesOf('m', '1'));
  await expect.poll(() => release).toBeDefined();
  const drained = listener.drain();
  release?.();
  expect((await pending).error).toBeUndefined();
  await drained;
});

test('disposing ends open streams with UNAVAILABLE', async () => {
  const stream: BytesStream = client.stream(STREAM);
  stream.call.write(bytesOf('g', '1'));
  await stream.received(1);
  await listener[Symbol.asyncDispose]();
  expect((await stream.status).code).toBe(14);
  await expect.poll(() => plane.sessions[0]?.aborted?.reason).toBe('SHUTTING_DOWN');
});
