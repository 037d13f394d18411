import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { GOOD, GRPC_CASES, MAX_BINARY, MAX_JSON, MAX_MESSAGE, request, type Message } from './bad-input/grpc-cases.ts';
import { REST_CASES } from './bad-input/rest-cases.ts';

const MODELS = ['add', 'identity_bytes', 'identity_int8', 'identity_fp32'];
const SERVICE = '/inference.GRPCInferenceService';

let server: TestServer;
let grpc: KserveGrpc;
/** Open all along, with a sum that every test adds 1 to. */
let witness: OpenStream;
let sum = 0;

beforeAll(async () => {
  server = await startServer({
    config: {
      mediapipe_config_list: [{ name: 'counter', base_path: join(ROOT, 'graphs/counter') }],
      model_config_list: MODELS.map((name) => ({
        config: { name, base_path: join(ROOT, `test/fixtures/models/${name}.onnx`) },
      })),
      server: {
        hosts: 1,
        grpc_max_message_bytes: MAX_MESSAGE,
        rest_max_json_bytes: MAX_JSON,
        rest_max_binary_bytes: MAX_BINARY,
      },
    },
  });
  grpc = new KserveGrpc(server.grpcAddress);
  witness = new OpenStream(server.grpcAddress, 'counter');
});
afterEach(async () => {
  sum++;
  expect(await witness.add(1)).toBe(sum);
});
afterAll(async () => {
  expect((await fetch(`${server.restUrl}/v2/health/ready`)).status).toBe(200);
  for (const [name, good] of Object.entries(GOOD)) {
    expect((await grpc.unary('ModelInfer', good)).code, name).toBe(0);
  }
  expect(server.logs()).not.toMatch(/"level":"error"/);
  expect(await witness.close()).toBe(0);
  grpc.close();
  await server.stop();
});

const errorsOf = (responses: readonly object[]): string[] =>
  responses.map((response) => (response as { error_message: string }).error_message);

describe('gRPC', () => {
  it.each(GRPC_CASES)('ModelInfer refuses $name', async ({ message, code = 3, text, unary }) => {
    const outcome = await grpc.unary('ModelInfer', message);
    if (unary === 'fine') return expect(outcome.code).toBe(0);
    expect(outcome).toEqual({ code, text: expect.stringMatching(text) as string, responses: [] });
  });

  it.each(GRPC_CASES)('ModelStreamInfer refuses $name', async ({ message, code = 3, text, stream }) => {
    const good = GOOD[message.model_name] as Message;
    const outcome = await grpc.stream('ModelStreamInfer', stream === 'ends' ? [message] : [message, good]);
    if (stream === 'ends') {
      expect(outcome).toEqual({ code, text: expect.stringMatching(text) as string, responses: [] });
    } else {
      const expected = stream === 'fine' ? '' : (expect.stringMatching(text) as string);
      expect([outcome.code, errorsOf(outcome.responses)]).toEqual([0, [expected, '']]);
    }
  });

  it.each(GRPC_CASES.filter(({ stream }) => stream === undefined))(
    'ModelStreamInfer refuses $name in a later request, and the stream goes on',
    async ({ message, text }) => {
      const good = GOOD[message.model_name] as Message;
      const { code, responses } = await grpc.stream('ModelStreamInfer', [good, message, good]);
      expect(code).toBe(0);
      // On a graph an error overtakes the responses before it.
      expect(errorsOf(responses).sort()).toEqual(['', '', expect.stringMatching(text)]);
    },
  );

  it.each(['5', '4', '-7'])('a timestamp of %s after 5 ends the stream, which says so', async (timestamp) => {
    const at = (us: string): Message =>
      request('counter', { ...GOOD['counter'], parameters: { OVMS_MP_TIMESTAMP: { int64_param: us } } });
    const { code, text } = await grpc.stream('ModelStreamInfer', [at('5'), at(timestamp), at('9')]);
    expect(code).toBe(3);
    expect(text).toMatch(new RegExp(`"input".*expected timestamp is 6 but received ${timestamp}`, 's'));
  });

  it.each([
    ['name', { model_name: 'add' }, /incorrect servable name/],
    ['version', { model_version: '7' }, /incorrect servable version/],
  ])('a later request with another %s is refused, and the stream goes on', async (_, change, text) => {
    const good = GOOD['counter'] as Message;
    const { code, responses } = await grpc.stream('ModelStreamInfer', [good, { ...good, ...change }, good]);
    expect(code).toBe(0);
    expect(errorsOf(responses).sort()).toEqual(['', '', expect.stringMatching(text)]);
  });

  it('a stream that is half-closed without a request ends well', async () => {
    expect(await grpc.stream('ModelStreamInfer', [])).toEqual({ code: 0, text: '', responses: [] });
  });

  it('bytes that are no message are INTERNAL, as gRPC has it', async () => {
    const client = new Client(server.grpcAddress, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const bytes = Buffer.from('no protobuf');
    const unary = client.makeUnaryRequest(`${SERVICE}/ModelInfer`, same, same, bytes, () => {});
    const stream = client.makeBidiStreamRequest(`${SERVICE}/ModelStreamInfer`, same, same);
    stream.write(bytes);
    const outcomes = [unary, stream].map((call) => {
      call.on('error', () => {}); // `status` follows
      return new Promise((resolve) => call.on('status', resolve));
    });
    const internal = { code: 13, details: expect.stringMatching(/./) as string };
    expect(await Promise.all(outcomes)).toMatchObject([internal, internal]);
    client.close();
  });

  it('a method that is not there is UNIMPLEMENTED and named', async () => {
    const client = new Client(server.grpcAddress, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    const error = await new Promise<{ code: number; details: string } | null>((resolve) => {
      client.makeUnaryRequest(`${SERVICE}/ModelInfre`, same, same, Buffer.alloc(0), resolve);
    });
    expect(error).toMatchObject({ code: 12, details: expect.stringContaining('ModelInfre') as string });
    client.close();
  });
});

describe('REST', () => {
  it.each(REST_CASES)('$name: $status', async ({ path, body, headers = {}, status, reason, text }) => {
    const response = await fetch(`${server.restUrl}/v2/models/${path}`, { method: 'POST', body, headers });
    expect([response.status, await response.json()]).toEqual([
      status,
      { error: expect.stringMatching(text) as string, reason },
    ]);
  });

  it('takes JSON under any Content-Type', async () => {
    const body = JSON.stringify({ inputs: [{ name: 'input', datatype: 'FP32', shape: [1], data: [1] }] });
    for (const type of ['text/html', 'application/x-www-form-urlencoded', 'no type']) {
      const response = await fetch(`${server.restUrl}/v2/models/counter/infer`, {
        method: 'POST',
        body,
        headers: { 'content-type': type },
      });
      expect(response.status, type).toBe(200);
    }
  });

  it('names a path and a method that are not there', async () => {
    const path = await fetch(`${server.restUrl}/v2/model/counter`);
    expect([path.status, await path.json()]).toMatchObject([
      404,
      { error: expect.stringContaining('/v2/model/counter') as string, reason: 'PATH_NOT_FOUND' },
    ]);
    const method = await fetch(`${server.restUrl}/v2/models/counter/infer`);
    expect([method.status, await method.json()]).toMatchObject([
      405,
      { error: expect.stringMatching(/GET.*POST/) as string, reason: 'METHOD_NOT_ALLOWED' },
    ]);
  });

  it('answers what is no HTTP with 400', async () => {
    const socket = connect(server.restPort, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.end('hello\r\n\r\n');
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*"reason":"BAD_HTTP"/);
  });
});
