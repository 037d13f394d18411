import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  GrpcClient,
  InferenceError,
  RestClient,
  tensorOf,
  textData,
  typedData,
  encodeBytes,
  type ClientRequest,
  type Tensor,
} from '../../src/client/index.ts';
import { readPair, type CertificatePair } from '../support/certificates.ts';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { startServer } from '../support/start-server.ts';
import { startSecured, type StartedSecured } from './security/secured-server.ts';

const run = promisify(execFile);

let secured: StartedSecured;
/** Clients must show a certificate. */
let mutual: StartedSecured;
let client: CertificatePair;
beforeAll(async () => {
  secured = await startSecured({
    tokens: {
      user: ['infer'],
      small: ['infer', '--max_requests_in_flight', '1', '--max_sessions', '1'],
      manager: ['manage'],
    },
  });
  mutual = await startSecured({ mutual: true, tokens: { user: ['infer'] } });
  client = await mutual.authority.issue('client');
}, 120_000);
afterAll(async () => {
  await secured[Symbol.asyncDispose]();
  await mutual[Symbol.asyncDispose]();
});

const count = (value: number): ClientRequest => ({
  model: 'counter',
  inputs: [tensorOf('input', 'FP32', [1], Float32Array.of(value))],
});
const words = (prompt: string, delayS = 0): ClientRequest => ({
  model: 'words',
  inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: encodeBytes([prompt]) }],
  parameters: { delay_s: delayS },
});

async function statusOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'OK';
  } catch (error) {
    if (error instanceof InferenceError) return error.status;
    throw error;
  }
}

describe('millrace/client', () => {
  const grpcTo = (of: StartedSecured, token?: string, tls?: object): GrpcClient =>
    new GrpcClient({ address: of.server.grpcAddress, ownConnection: true, ...of.with(token, tls) });
  const restTo = (of: StartedSecured, token?: string, tls?: object): RestClient =>
    new RestClient({ url: of.server.restUrl, ...of.with(token, tls) });

  it('over gRPC: unary and stream, with the right token only', async () => {
    using right = grpcTo(secured, secured.tokens.get('user'));
    expect(typedData((await right.infer(count(2))).outputs[0] as Tensor)).toEqual(Float32Array.of(2));
    using stream = right.stream();
    await stream.send(count(1));
    await stream.send(count(2));
    stream.halfClose();
    const sums = [];
    for await (const { response } of stream) sums.push(typedData(response?.outputs[0] as Tensor)[0]);
    expect(sums).toEqual([1, 3]);
    expect(await statusOf(right.loadModel('counter'))).toBe('PERMISSION_DENIED');
    for (const token of [undefined, 'wrong']) {
      using refused = grpcTo(secured, token);
      expect(await refused.isServerReady()).toBe(true);
      expect(await statusOf(refused.infer(count(1)))).toBe('UNAUTHENTICATED');
      using none = refused.stream();
      await none.send(count(1));
      expect(await statusOf(none[Symbol.asyncIterator]().next())).toBe('UNAUTHENTICATED');
    }
  });

  it('over gRPC, the token as a header of one call', async () => {
    using bare = grpcTo(secured);
    const headers = { authorization: `Bearer ${secured.tokens.get('user')}` };
    expect(await statusOf(bare.infer(count(1), { headers }))).toBe('OK');
  });

  it('over REST: infer and events, with the right token only', async () => {
    await using right = restTo(secured, secured.tokens.get('user'));
    expect(typedData((await right.infer(count(2))).outputs[0] as Tensor)).toEqual(Float32Array.of(2));
    const said = [];
    for await (const { outputs } of right.generateStream(words('a b'))) said.push(...textData(outputs[0] as Tensor));
    expect(said.join('')).toBe('a b');
    for (const token of [undefined, 'wrong']) {
      await using refused = restTo(secured, token);
      expect(await refused.isServerReady()).toBe(true);
      expect(await statusOf(refused.infer(count(1)))).toBe('UNAUTHENTICATED');
      expect(await statusOf(refused.generateStream(words('a')).next())).toBe('UNAUTHENTICATED');
    }
  });

  it('trusts only the authority that it is given', async () => {
    using grpc = new GrpcClient({
      address: secured.server.grpcAddress,
      ownConnection: true,
      tls: true,
      timeoutMs: 2000,
    });
    expect(['UNAVAILABLE', 'DEADLINE_EXCEEDED']).toContain(await statusOf(grpc.serverMetadata()));
    await using rest = new RestClient({ url: secured.server.restUrl, tls: true });
    expect(await statusOf(rest.infer(count(1)))).toBe('UNAVAILABLE');
    using plain = new GrpcClient({ address: secured.server.grpcAddress, ownConnection: true, timeoutMs: 2000 });
    expect(['UNAVAILABLE', 'DEADLINE_EXCEEDED']).toContain(await statusOf(plain.serverMetadata()));
  });

  it('shows its certificate where one is asked for, and is refused without', async () => {
    const user = mutual.tokens.get('user');
    const pair = await readPair(client);
    using grpc = grpcTo(mutual, user, pair);
    expect(await statusOf(grpc.infer(count(1)))).toBe('OK');
    await using rest = restTo(mutual, user, pair);
    expect(await statusOf(rest.infer(count(1)))).toBe('OK');
    const stranger = await readPair(await secured.authority.issue('stranger'));
    for (const tls of [undefined, stranger]) {
      using refused = new GrpcClient({
        ...mutual.with(user, tls),
        address: mutual.server.grpcAddress,
        ownConnection: true,
        timeoutMs: 2000,
      });
      expect(['UNAVAILABLE', 'DEADLINE_EXCEEDED']).toContain(await statusOf(refused.serverMetadata()));
      await using refusedRest = restTo(mutual, user, tls);
      expect(await statusOf(refusedRest.infer(count(1)))).toBe('UNAVAILABLE');
    }
  });

  it('speaks to the MLServer port', async () => {
    using grpc = new GrpcClient({
      address: secured.mlserverAddress,
      ownConnection: true,
      ...secured.with(secured.tokens.get('user')),
    });
    using stream = grpc.stream({ dialect: 'mlserver' });
    await stream.send(words('a b'));
    stream.halfClose();
    const said = [];
    for await (const { response } of stream) said.push(...textData(response?.outputs[0] as Tensor));
    expect(said.join('')).toBe('a b');
    using refused = new GrpcClient({
      address: secured.mlserverAddress,
      ownConnection: true,
      ...secured.with(undefined),
    });
    using none = refused.stream({ dialect: 'mlserver' });
    await none.send(words('a'));
    expect(await statusOf(none[Symbol.asyncIterator]().next())).toBe('UNAUTHENTICATED');
  });
});

describe('limits of a token', () => {
  it('are on streams and requests at once, and end with them', async () => {
    const options = secured.with(secured.tokens.get('small'));
    using grpc = new GrpcClient({ address: secured.server.grpcAddress, ownConnection: true, ...options });
    await using rest = new RestClient({ url: secured.server.restUrl, ...options });
    {
      using open = grpc.stream();
      await open.send(count(1));
      await open[Symbol.asyncIterator]().next();
      using second = grpc.stream();
      await second.send(count(1));
      expect(await statusOf(second[Symbol.asyncIterator]().next())).toBe('RESOURCE_EXHAUSTED');
      expect(await statusOf(rest.generateStream(words('a')).next())).toBe('RESOURCE_EXHAUSTED');
      expect(await statusOf(rest.infer(count(1)))).toBe('OK'); // requests count apart
    }
    await expect.poll(() => statusOf(rest.generateStream(words('a')).next())).toBe('OK');
  });

  it('count the inferences of a stream of models', async () => {
    using grpc = new GrpcClient({
      address: secured.server.grpcAddress,
      ownConnection: true,
      ...secured.with(secured.tokens.get('small')),
    });
    using stream = grpc.stream();
    const { inputs } = await grpc.modelMetadata('sensor_gru');
    const shaped = inputs.map(({ name, shape }) => {
      const dims = shape.map((dim) => (Number(dim) < 0 ? 1 : Number(dim)));
      return tensorOf(name, 'FP32', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));
    });
    for (let i = 0; i < 5; i++) await stream.send({ model: 'sensor_gru', id: String(i), inputs: shaped });
    stream.halfClose();
    const answers = [];
    for await (const { error } of stream) answers.push(error?.message ?? 'OK');
    expect(answers[0]).toBe('OK');
    expect(answers).toHaveLength(5);
    for (const answer of answers.filter((each) => each !== 'OK')) expect(answer).toMatch(/max_requests_in_flight is 1/);
    expect(await statusOf(grpc.infer({ model: 'sensor_gru', inputs: shaped }))).toBe('OK');
  });
});

describe('the end of a token', () => {
  it('revoked: its streams end with UNAUTHENTICATED, and no call begins', async () => {
    const token = await secured.token('leaving', 'infer');
    const options = secured.with(token);
    using grpc = new GrpcClient({ address: secured.server.grpcAddress, ownConnection: true, ...options });
    await using rest = new RestClient({ url: secured.server.restUrl, ...options });
    await expect.poll(() => statusOf(grpc.infer(count(1)))).toBe('OK');
    using stream = grpc.stream();
    await stream.send(count(1));
    const answers = stream[Symbol.asyncIterator]();
    expect((await answers.next()).done).toBe(false);
    const events = rest.generateStream(words('a b c d e f', 30));
    expect((await events.next()).done).toBe(false);
    const ends = [
      statusOf(answers.next()),
      events.next().then(
        () => 'OK',
        (error: InferenceError) => error.message,
      ),
    ];
    await secured.revoke('leaving');
    expect(await Promise.all(ends)).toEqual(['UNAUTHENTICATED', 'the token was revoked']);
    expect(await statusOf(grpc.infer(count(1)))).toBe('UNAUTHENTICATED');
  });

  it('expired: the same', async () => {
    const token = await secured.token('short', 'infer', '--expires', '8s');
    using grpc = new GrpcClient({ address: secured.server.grpcAddress, ownConnection: true, ...secured.with(token) });
    await expect.poll(() => statusOf(grpc.infer(count(1)))).toBe('OK');
    using stream = grpc.stream();
    await stream.send(count(1));
    const answers = stream[Symbol.asyncIterator]();
    await answers.next();
    expect(await statusOf(answers.next())).toBe('UNAUTHENTICATED');
  });

  it('a token file that is damaged changes nothing', async () => {
    const good = await readFile(secured.tokenFile, 'utf8');
    await secured.folder.put('tokens.json', 'rubbish');
    await expect.poll(() => secured.server.logs()).toContain('tokens not read again; those before stay in use');
    using grpc = new GrpcClient({
      address: secured.server.grpcAddress,
      ownConnection: true,
      ...secured.with(secured.tokens.get('user')),
    });
    expect(await statusOf(grpc.infer(count(1)))).toBe('OK');
    await secured.folder.put('tokens.json', good);
  });
});

it('takes other certificates while a stream is open', async () => {
  const token = secured.tokens.get('user');
  using grpc = new GrpcClient({ address: secured.server.grpcAddress, ownConnection: true, ...secured.with(token) });
  using stream = grpc.stream();
  await stream.send(count(1));
  const answers = stream[Symbol.asyncIterator]();
  await answers.next();
  const next = await secured.authority.issue('next');
  await copyFile(next.cert, secured.files.cert);
  await copyFile(next.key, secured.files.key);
  const nameOn = async (port: number, ALPNProtocols: string[]): Promise<unknown> => {
    const socket = connect({ port, host: '127.0.0.1', ca: secured.ca, ALPNProtocols });
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().subject.CN;
    } finally {
      socket.destroy();
    }
  };
  const metricsPort = Number(new URL(secured.metricsUrl).port);
  const mlserverPort = Number(secured.mlserverAddress.split(':')[1]);
  for (const port of [secured.server.grpcPort, mlserverPort])
    await expect.poll(() => nameOn(port, ['h2'])).toBe('next');
  for (const port of [secured.server.restPort, metricsPort])
    await expect.poll(() => nameOn(port, ['http/1.1'])).toBe('next');
  await stream.send(count(2));
  expect(typedData((await answers.next()).value?.response?.outputs[0] as Tensor)).toEqual(Float32Array.of(3));
});

describe("Triton's clients", () => {
  const at = (of: StartedSecured): object => ({
    grpc: of.server.grpcAddress,
    http: new URL(of.server.restUrl).host,
    ca: of.authority.path,
  });
  const calls = (input: object): Promise<unknown> => runPython('test/system/security/tritonclient_calls.py', input);

  it('with the right token', async () => {
    expect(await calls({ ...at(secured), token: secured.tokens.get('user') })).toMatchObject({
      grpc: {
        live: true,
        metadata: 'counter',
        infer: [2],
        stream: [1, 3],
        unload: { status: 'StatusCode.PERMISSION_DENIED', message: 'token "user" has scope infer; manage is needed' },
      },
      http: {
        live: true,
        metadata: 'counter',
        infer: [1, 2, 3],
        index: expect.arrayContaining(['counter', 'words']) as string[],
      },
    });
  });

  it.each([
    ['without a token', {}],
    ['with a wrong one', { token: `millrace_0123456789ab_${'x'.repeat(43)}` }],
  ])('%s', async (_, token) => {
    const grpc = { status: 'StatusCode.UNAUTHENTICATED' };
    const http = { status: '401' };
    expect(await calls({ ...at(secured), ...token })).toMatchObject({
      grpc: { live: true, metadata: grpc, infer: grpc, stream: grpc, unload: grpc },
      http: { live: true, metadata: http, infer: http, index: http },
    });
  });

  it('with a client certificate, and without', async () => {
    const token = mutual.tokens.get('user');
    const pair = { cert: client.cert, key: client.key };
    expect(await calls({ ...at(mutual), token, ...pair })).toMatchObject({
      grpc: { live: true, infer: [2], stream: [1, 3] },
      http: { live: true, infer: [1, 2, 3] },
    });
    const { grpc, http } = (await calls({ ...at(mutual), token })) as Record<string, Record<string, unknown>>;
    for (const outcome of [...Object.values(grpc ?? {}), ...Object.values(http ?? {})]) {
      expect(outcome).not.toEqual(true);
      expect(outcome).toHaveProperty('status');
    }
  });
});

describe('curl', () => {
  const curl = async (of: StartedSecured, path: string, ...args: readonly string[]): Promise<string> => {
    const all = ['-sS', '--cacert', of.authority.path, '-o', '/dev/null', '-w', '%{http_code}', ...args];
    return (await run('curl', [...all, `${of.server.restUrl}${path}`])).stdout;
  };

  it('with and without token, encrypted and not', async () => {
    const header = `authorization: Bearer ${secured.tokens.get('user')}`;
    expect(await curl(secured, '/v2/health/ready')).toBe('200');
    expect(await curl(secured, '/v2/models/words')).toBe('401');
    expect(await curl(secured, '/v2/models/words', '-H', 'authorization: Basic dTpw')).toBe('401');
    expect(await curl(secured, '/v2/models/words', '-H', header)).toBe('200');
    const body = JSON.stringify({ prompt: 'a b' });
    expect(await curl(secured, '/v2/models/words/generate_stream', '-H', header, '-d', body)).toBe('200');
    const plain = run('curl', ['-sS', '-m', '10', `http://127.0.0.1:${secured.server.restPort}/v2/health/live`]);
    await expect(plain).rejects.toThrow(/Empty reply|reset|HTTP\/0.9/);
    await expect(run('curl', ['-sS', `${secured.server.restUrl}/v2/health/live`])).rejects.toThrow(/certificate/);
  });

  it('with a client certificate, and without', async () => {
    expect(await curl(mutual, '/v2/health/ready', '--cert', client.cert, '--key', client.key)).toBe('200');
    await expect(curl(mutual, '/v2/health/ready')).rejects.toThrow();
  });
});

it('refuses, where it is strict, to be open to others', async () => {
  const start = async (...flags: string[]): Promise<string> => {
    try {
      const args = [
        'bin/millrace.js',
        'serve',
        '--hosts',
        '1',
        '--port',
        '0',
        '--rest_port',
        '0',
        '--strict',
        ...flags,
      ];
      await run(process.execPath, args, { cwd: ROOT, timeout: 30_000 });
      return 'it ran';
    } catch (error) {
      return String((error as { stderr: string }).stderr);
    }
  };
  const { cert, key } = secured.files;
  const everywhere = ['--grpc_bind_address', '0.0.0.0'];
  expect(await start(...everywhere)).toMatch(/0\.0\.0\.0 \(grpc\) without TLS or token: .*refused because of --strict/);
  expect(await start(...everywhere, '--token_file', secured.tokenFile)).toMatch(
    /without TLS: tokens and data can be read/,
  );
  const tls = ['--tls_cert', cert, '--tls_key', key];
  expect(await start(...everywhere, ...tls)).toMatch(/without token or client certificates/);
  const only = ['--token_file', secured.tokenFile, '--tls_listeners', 'rest'];
  expect(await start(...everywhere, ...tls, ...only)).toMatch(/\(grpc\) without TLS/);
  expect(await start('--tls_cert', cert)).toMatch(/--tls_cert: needs tls_key too/);
  expect(await start('--tls_cert', cert, '--tls_key', client.key)).toMatch(/it does not belong to the certificate/);
  expect(await start('--token_file', cert)).toMatch(/server\.crt: no JSON/);
});

it('logs no token, whatever is logged', async () => {
  const secret = 's3cret-of-a-camera';
  await using server = await startServer({
    config: {
      model_config_list: [{ config: { name: 'm', base_path: `rtsp://user:${secret}@camera/live?token=${secret}` } }],
    },
    flags: ['--hosts', '1', '--log_level', 'debug'],
  });
  await fetch(`${server.restUrl}/v2/models/m/infer?access_token=${secret}`, {
    method: 'POST',
    body: 'x',
    headers: { authorization: `Bearer ${secret}`, cookie: `id=${secret}`, 'x-api-key': secret },
  });
  expect(server.logs()).toContain('camera');
  expect(server.logs()).not.toContain(secret);
  for (const { server: each, tokens } of [secured, mutual]) {
    for (const text of tokens.values()) expect(each.logs()).not.toContain(text.slice(-43));
  }
});
