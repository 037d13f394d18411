import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Metadata } from '@grpc/grpc-js';
import { MillraceError } from '../../../base/errors.ts';
import { silentLogger } from '../../../base/logger.ts';
import { createPrometheusMeter, type PrometheusMeter } from '../../../observability/meter.ts';
import type { InferenceResponse } from '../../../tensor/inference.ts';
import { decodeInferResponse, encodeInferRequest, joinParts } from '../../wire/infer-codec.ts';
import { listenGrpc, type GrpcListener } from '../listen-grpc.ts';
import { Messages, MLSERVER_PROTOS } from '../messages.ts';
import { BytesClient, echo, FakeDataPlane, requestTo, type BytesStream, type FakeSession } from '../testing.ts';
import { FRAME_BYTES } from '../transport.ts';

const messages = new Messages(MLSERVER_PROTOS);
const SERVICE = '/inference.GRPCInferenceService/';
const CE = {
  'ce-specversion': '0.3',
  'ce-source': 'io.seldon.serving.deployment.millrace',
  'ce-type': 'io.seldon.serving.inference.response',
};

let plane: FakeDataPlane;
let listener: GrpcListener;
let client: BytesClient;
let meter: PrometheusMeter;

beforeEach(async () => {
  plane = new FakeDataPlane();
  meter = createPrometheusMeter();
  const options = { host: '127.0.0.1', port: 0, dialect: 'mlserver', writeHighWaterBytes: 64 * 1024, meter } as const;
  listener = await listenGrpc(options, plane, silentLogger);
  client = new BytesClient(listener.port);
});

afterEach(async () => {
  client.client.close();
  await listener[Symbol.asyncDispose]();
});

const encoded = (...args: Parameters<typeof requestTo>): Buffer => joinParts(encodeInferRequest(requestTo(...args)));

function open(headers: Record<string, string> = {}): BytesStream & { send(...a: Parameters<typeof requestTo>): void } {
  const stream = client.stream(`${SERVICE}ModelStreamInfer`, headers);
  return Object.assign(stream, {
    send: (...args: Parameters<typeof requestTo>) => stream.call.write(encoded(...args)),
  });
}

async function responses(stream: BytesStream, count: number): Promise<InferenceResponse[]> {
  await stream.received(count).catch(() => {}); // of the other dialect
  return stream.messages.map((message) => decodeInferResponse(message));
}

const flat = (metadata: Metadata): Record<string, unknown> => metadata.getMap();

/** A message of MLServer's service, to be sent. */
function message(name: string, fields: object): Buffer {
  return joinParts(messages.encoder(name)(fields)).subarray(FRAME_BYTES);
}

describe('ModelInfer', () => {
  test('answers raw with raw, the id of the request, its metadata handed to the runtime and its headers in the trailers', async () => {
    let seen: Record<string, string> = {};
    plane.answer = async (request) => {
      seen = { ...request.headers };
      return { ...echo(request), id: 'other', headers: { 'X-Took': '3', 'bad name': 'x', 'grpc-status': '5' } };
    };
    const call = client.stream(`${SERVICE}ModelInfer`, { 'x-user': 'ann' });
    call.call.end(encoded('r', 'mine'));
    const { code, metadata } = await call.status;
    expect(code).toBe(0);
    expect(seen).toMatchObject({ 'x-user': 'ann' });
    expect(flat(metadata)).toEqual({
      ...CE,
      'ce-inferenceservicename': 'millrace',
      'ce-modelid': 'r',
      'ce-endpoint': 'r',
      'ce-id': 'mine',
      'ce-requestid': 'mine',
      'x-took': '3',
    });
    const [answer] = await responses(call, 1);
    expect(answer).toMatchObject({ servable: 'r', id: 'mine' });
    expect((call.messages[0] as Buffer).includes(Buffer.from([0x32, 8]))).toBe(true); // raw_output_contents of 8 bytes
  });

  test('answers typed with typed, and gives models no headers', async () => {
    const input = { name: 'in', datatype: 'INT64', shape: [2], contents: { int64_contents: [1, -2] } };
    const { reply } = await client.unary(
      `${SERVICE}ModelInfer`,
      message('inference.ModelInferRequest', { model_name: 'm', inputs: [input] }),
    );
    const answer = messages.decoder<Record<string, unknown>>('inference.ModelInferResponse')(reply as Buffer);
    expect(answer).toMatchObject({
      id: '',
      raw_output_contents: [],
      outputs: [{ name: 'in', datatype: 'INT64', contents: { int64_contents: [1, -2] } }],
    });
    expect(plane.contexts).toHaveLength(1);
  });

  test.each([
    ['SERVABLE_NOT_FOUND', {}, 5, 'Model m with version  not found'],
    ['SERVABLE_NOT_READY', {}, 3, 'Model m with version  is not ready yet. boom'],
    ['RUNTIME_FAILED', {}, 13, 'boom'],
    ['RUNTIME_FAILED', { status: 400 }, 3, 'boom'],
    ['RUNTIME_FAILED', { status: 404 }, 5, 'boom'],
    ['RUNTIME_FAILED', { status: 422 }, 9, 'boom'],
    ['RUNTIME_FAILED', { status: 429 }, 2, 'boom'],
    ['LIMIT_REACHED', {}, 8, 'boom'],
  ] as const)('a failure %s %j ends with code %i', async (reason, details, code, text) => {
    plane.answer = () => Promise.reject(new MillraceError(reason, 'boom', { details }));
    const { error } = await client.unary(`${SERVICE}ModelInfer`, encoded('m', ''));
    expect(error).toMatchObject({ code, details: text });
    expect(error?.metadata.get('millrace-reason')).toEqual([reason]);
    expect(error?.metadata.get('ce-type')).toEqual([]);
  });

  test('bytes that are no message end with UNKNOWN', async () => {
    const { error } = await client.unary(`${SERVICE}ModelInfer`, Buffer.from([255, 255]));
    expect(error?.code).toBe(2);
  });
});

describe('ModelStreamInfer', () => {
  test('goes to the first request’s servable, with its id, whatever later ones name', async () => {
    const stream = open({ 'x-user': 'ann' });
    stream.send('r', 'first', { version: '1' });
    stream.send('nobody', 'second', { version: '7' });
    expect((await responses(stream, 2)).map(({ id, servable }) => [id, servable])).toEqual([
      ['first', 'r'],
      ['first', 'r'],
    ]);
    stream.call.end();
    const { code, metadata } = await stream.status;
    expect(code).toBe(0);
    expect(flat(metadata)).toMatchObject({ ...CE, 'ce-id': 'first', 'ce-modelid': 'r' });
    const [session] = plane.sessions;
    expect(session?.opening.headers).toMatchObject({ 'x-user': 'ann' });
    expect(session?.pushed.map(({ servable, version, id }) => [servable, version, id])).toEqual([
      ['r', '1', 'first'],
      ['r', '1', 'first'],
    ]);
    expect(session?.pushed[1]?.headers).toBeUndefined();
  });

  test('graphs and models work, too, each request with its own id', async () => {
    for (const servable of ['g', 'm']) {
      const stream = open();
      stream.send(servable, 'a');
      stream.send(servable, 'b');
      expect((await responses(stream, 2)).map(({ id }) => id)).toEqual(['a', 'b']);
      stream.call.end();
      expect((await stream.status).code).toBe(0);
    }
  });

  test('a fault of a later request, or one that the servable refuses, ends the call and what it set going', async () => {
    const malformed = open();
    malformed.send('r', '1');
    await responses(malformed, 1);
    malformed.call.write(Buffer.from([255, 255]));
    expect((await malformed.status).code).toBe(2);
    expect(plane.sessions[0]?.aborted).toBeDefined();

    const refused = open();
    refused.send('g', 'bad');
    expect(await refused.status).toMatchObject({ code: 3, details: 'Unexpected input - x is unexpected' });
    expect(plane.sessions[1]?.aborted).toBeDefined();
  });

  test('a failure after a response keeps what was sent', async () => {
    const stream = open();
    stream.send('r', '1');
    await responses(stream, 1);
    plane.sessions[0]?.sink.onEnd(new MillraceError('RUNTIME_FAILED', 'boom', { details: { status: 404 } }));
    const { code, details, metadata } = await stream.status;
    expect([code, details]).toEqual([5, 'boom']);
    expect(metadata.get('ce-type')).toEqual([]);
    expect(stream.messages).toHaveLength(1);
  });

  test('an unknown servable, and no request at all', async () => {
    const unknown = open();
    unknown.send('nope', '1', { version: 'v1.2.3' });
    expect(await unknown.status).toMatchObject({ code: 5, details: 'Model nope with version v1.2.3 not found' });
    const empty = open();
    empty.call.end();
    expect((await empty.status).code).toBe(0);
  });

  test('a client that reads slowly pauses its session', async () => {
    const stream = open();
    stream.call.pause();
    stream.send('r', '1');
    await until(() => plane.sessions.length === 1);
    const session = plane.sessions[0] as FakeSession;
    const data = Buffer.alloc(1024 * 1024);
    const big = {
      ...echo(session.opening),
      outputs: [{ name: 'o', datatype: 'UINT8', shape: [data.length], data }],
    } as const;
    let sent = 1; // the echo of the request
    // Each message pauses it until the connection has taken that; once the client's window is full, none is taken.
    for (; sent < 64 && (sent === 1 || session.events.at(-1) !== 'pause'); sent++) {
      session.sink.onResponse(big, undefined);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(session.events.at(-1)).toBe('pause');
    stream.call.resume();
    await until(() => session.events.at(-1) === 'resume');
    await until(() => stream.messages.length === sent);
  });

  test('a client that leaves aborts its session', async () => {
    const stream = open();
    stream.send('r', '1');
    await responses(stream, 1);
    stream.call.cancel();
    await until(() => plane.sessions[0]?.aborted?.reason === 'CANCELLED');
  });
});

describe('the rest of the service', () => {
  test('metadata has parameters, and unknown models are NOT_FOUND', async () => {
    const original = plane.metadata.bind(plane);
    plane.metadata = (name) => {
      const found = original(name);
      const [input] = found.inputs;
      return {
        ...found,
        parameters: { content_type: 'str', n: 1, o: {} },
        inputs: [{ ...input!, parameters: { a: true } }],
      };
    };
    const ask = (name: string) =>
      client.unary(`${SERVICE}ModelMetadata`, message('inference.ModelMetadataRequest', { name }));
    const { reply } = await ask('m');
    expect(messages.decoder('inference.ModelMetadataResponse')(reply as Buffer)).toMatchObject({
      name: 'm',
      parameters: { content_type: { string_param: 'str' }, n: { int64_param: 1 } },
      inputs: [{ name: 'in', parameters: { a: { bool_param: true } } }],
    });
    expect((await ask('nope')).error).toMatchObject({ code: 5, details: 'Model nope with version  not found' });
    const ready = await client.unary(`${SERVICE}ModelReady`, message('inference.ModelReadyRequest', { name: 'nope' }));
    expect(ready.error?.code).toBe(5);
  });

  test.each(['/inference.GRPCInferenceService/', '/inference.model_repository.ModelRepositoryService/'])(
    'the repository is listed, loaded and unloaded under %s',
    async (service) => {
      const index = await client.unary(`${service}RepositoryIndex`, Buffer.alloc(0));
      expect(messages.decoder('inference.RepositoryIndexResponse')(index.reply as Buffer)).toMatchObject({
        models: [{ name: 'm', state: 'READY' }, { name: 'n' }],
      });
      for (const method of ['RepositoryModelLoad', 'RepositoryModelUnload']) {
        const call = (model: string) =>
          client.unary(service + method, message(`inference.${method}Request`, { model_name: model }));
        expect((await call('m')).error).toBeUndefined();
        expect((await call('nope')).error).toMatchObject({ code: 5, details: 'Model nope with version  not found' });
      }
    },
  );

  test('reflection tells this dialect’s service, and health answers', async () => {
    const name = 'grpc.reflection.v1.ServerReflection';
    type Answer = Record<string, { service: object[]; file_descriptor_proto: Buffer[] }>;
    const stream = client.stream('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
    stream.call.write(message(`${name}Request`, { list_services: '' }));
    stream.call.write(message(`${name}Request`, { file_containing_symbol: 'inference.ModelInferRequest' }));
    stream.call.end();
    expect((await stream.status).code).toBe(0);
    const [list, file] = stream.messages.map(messages.decoder<Answer>(`${name}Response`));
    expect(list?.['list_services_response']?.service).toContainEqual({
      name: 'inference.model_repository.ModelRepositoryService',
    });
    const [descriptor] = file?.['file_descriptor_response']?.file_descriptor_proto ?? [];
    expect(descriptor?.includes('ModelRepositoryParameter')).toBe(true);
    expect(descriptor?.includes('ModelStreamInferResponse')).toBe(false);
    const health = await client.unary('/grpc.health.v1.Health/Check', Buffer.alloc(0));
    expect(health.reply).toEqual(Buffer.from([8, 1]));
  });

  test('calls are counted by MLServer’s names, streams as well', async () => {
    await client.unary(`${SERVICE}ModelInfer`, encoded('m', ''));
    await client.unary(`${SERVICE}ModelInfer`, encoded('m', ''));
    plane.answer = () => Promise.reject(new MillraceError('RUNTIME_FAILED', 'boom'));
    await client.unary(`${SERVICE}ModelInfer`, encoded('m', ''));
    const stream = open();
    stream.send('r', '1');
    stream.send('r', '1');
    await responses(stream, 2);
    const cancelled = open();
    cancelled.send('r', '1');
    await responses(cancelled, 1);
    cancelled.call.cancel();
    await until(() => plane.sessions[1]?.aborted !== undefined);
    stream.call.end();
    await stream.status;
    const { body } = await meter.render();
    const unary = 'grpc_type="UNARY",grpc_service="inference.GRPCInferenceService",grpc_method="ModelInfer"';
    const bidi =
      'grpc_type="BIDI_STREAMING",grpc_service="inference.GRPCInferenceService",grpc_method="ModelStreamInfer"';
    for (const line of [
      `grpc_server_started_total{${unary}} 3`,
      `grpc_server_handled_total{${unary},grpc_code="OK"} 2`,
      `grpc_server_handled_total{${unary},grpc_code="INTERNAL"} 1`,
      `grpc_server_handling_seconds_count{${unary}} 3`,
      `grpc_server_started_total{${bidi}} 2`,
      `grpc_server_handled_total{${bidi},grpc_code="OK"} 1`,
      `grpc_server_handled_total{${bidi},grpc_code="CANCELLED"} 1`,
      `grpc_server_msg_received_total{${bidi}} 3`,
      `grpc_server_msg_sent_total{${bidi}} 3`,
      `grpc_server_handling_seconds_count{${bidi}} 2`,
    ]) {
      expect(body).toContain(line);
    }
  });
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 2));
}
