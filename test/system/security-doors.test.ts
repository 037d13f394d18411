import { join } from 'node:path';
import { credentials, Client, Metadata, status, type MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, RestClient, textData, type Tensor } from '../../src/client/index.ts';
import { GRPC_ACCESS, REST_ACCESS, type Access } from '../../src/security/access.ts';
import { ROOT } from '../support/paths.ts';
import type { ScratchFolder } from '../support/scratch-folder.ts';
import { startSecured, type StartedSecured } from './security/secured-server.ts';

const TOKENS = {
  infer: ['infer'],
  manage: ['manage'],
  metrics: ['metrics'],
  limited: ['infer,manage,metrics', '--servables', 'counter,word*'],
} as const;

let secured: StartedSecured;
/** `millrace start DIR`. */
let ofFolder: StartedSecured;
beforeAll(async () => {
  const flags = ['--allowed_origins', 'https://page.example'];
  secured = await startSecured({ tokens: TOKENS, flags });
  ofFolder = await startSecured({ tokens: TOKENS, flags, writeFolder });
}, 120_000);
afterAll(async () => {
  await secured[Symbol.asyncDispose]();
  await ofFolder[Symbol.asyncDispose]();
});

/** Two models, one of which "limited" may use. */
async function writeFolder(folder: ScratchFolder): Promise<string> {
  const code = `import { defineRuntime, encodeOutput } from 'millrace';
    export default defineRuntime({
      predict: ({ headers = {} }) => ({ outputs: [encodeOutput('headers', Object.keys(headers).join())] }),
    });`;
  await folder.put('models/headers.js', code);
  for (const name of ['words', 'identity']) {
    await folder.put(`models/${name}/model-settings.json`, { name, implementation: '../headers.js' });
  }
  return join(folder.path, 'models');
}

const WRONG = `millrace_0123456789ab_${'x'.repeat(43)}`;
const tokenOf = (name: string, of = secured): string => of.tokens.get(name) ?? '';

type Door = 'triton' | 'mlserver';

/** Every method of every service that a dialect's files declare. */
function methodsOf(door: Door): ReadonlyMap<string, MethodDefinition<object, object>> {
  const own =
    door === 'triton' ? ['grpc_service.proto'] : ['mlserver/dataplane.proto', 'mlserver/model_repository.proto'];
  const common = ['health.proto', 'reflection/reflection.proto', 'reflection/reflection_v1alpha.proto'];
  const definitions = loadSync([...own, ...common], { includeDirs: [join(ROOT, 'protos')], keepCase: true });
  const services = Object.values(definitions).filter((each): each is ServiceDefinition => !('format' in each));
  const methods = services.flatMap((service): MethodDefinition<object, object>[] => Object.values(service));
  return new Map(methods.map((method) => [method.path, method]));
}

const METHODS = { triton: methodsOf('triton'), mlserver: methodsOf('mlserver') };

interface Answer {
  readonly code: number;
  readonly text: string;
  readonly challenge: string | undefined;
}

/** Calls an RPC with an empty message, and leaves a stream after its first answer. */
function call(door: Door, path: string, token?: string, message: object = {}): Promise<Answer> {
  const method = METHODS[door].get(path) as MethodDefinition<object, object>;
  const address = door === 'triton' ? secured.server.grpcAddress : secured.mlserverAddress;
  const client = new Client(address, credentials.createSsl(secured.ca), { 'grpc.use_local_subchannel_pool': 1 });
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return new Promise<Answer>((resolve) => {
    const rpc = client.makeBidiStreamRequest(path, method.requestSerialize, method.responseDeserialize, metadata, {
      deadline: Date.now() + 20_000,
    });
    const challenges: Metadata[] = [];
    rpc.on('metadata', (headers) => challenges.push(headers));
    rpc.on('data', () => setImmediate(() => rpc.cancel()));
    rpc.on('error', () => {});
    rpc.on('status', ({ code, details, metadata: trailers }) => {
      const [challenge] = [trailers, ...challenges].flatMap((each) => each.get('www-authenticate'));
      // A stream was left by us, and had answered until then.
      const isLeft = code === status.CANCELLED && details === 'Cancelled on client';
      resolve({ code: isLeft ? status.OK : code, text: details, challenge: challenge?.toString() });
    });
    rpc.write(message);
    rpc.end();
  }).finally(() => client.close());
}

/** Scopes that a token may have, and whether an RPC or route is open to it. */
function isOpenTo({ needs, concernsAll }: Access, scope: keyof typeof TOKENS): boolean {
  if (concernsAll === true && scope === 'limited') return false;
  if (needs === 'open' || needs === 'any' || scope === 'limited') return true;
  return needs.includes(scope);
}

describe.each(['triton', 'mlserver'] as const)('gRPC, %s', (door) => {
  const paths = [...METHODS[door].keys()];

  it('asks for a token wherever it is not a question of health', async () => {
    const open = ['ServerLive', 'ServerReady', 'Check', 'Watch'];
    for (const path of paths) {
      const isOpen = open.some((name) => path.endsWith(`/${name}`));
      for (const token of [undefined, WRONG]) {
        const { code, challenge } = await call(door, path, token);
        if (isOpen) expect([path, code]).toEqual([path, status.OK]);
        else {
          const error = token === undefined ? '' : ', error="invalid_token"';
          const expected = [status.UNAUTHENTICATED, `Bearer realm="millrace"${error}`];
          // Failures of one address are limited; that has a test of its own.
          if (code === status.RESOURCE_EXHAUSTED) continue;
          expect([path, code, challenge]).toEqual([path, ...expected]);
        }
      }
    }
  });

  it.each(Object.keys(TOKENS) as (keyof typeof TOKENS)[])('lets "%s" do what the table says', async (name) => {
    for (const path of paths) {
      const access = GRPC_ACCESS[path] as Access;
      const message = access.names === 'inference' ? { model_name: 'words' } : {};
      const { code } = await call(door, path, tokenOf(name), message);
      expect([path, code === status.PERMISSION_DENIED]).toEqual([path, !isOpenTo(access, name)]);
      expect([path, code]).not.toEqual([path, status.UNAUTHENTICATED]);
    }
  });

  it('keeps a limited token to its servables, and out of lists', async () => {
    const service = '/inference.GRPCInferenceService/';
    const named = paths.filter((path) => GRPC_ACCESS[path]?.names !== undefined);
    expect(named.length).toBeGreaterThanOrEqual(7);
    for (const path of named) {
      const key = GRPC_ACCESS[path]?.names === 'name' ? 'name' : 'model_name';
      for (const servable of ['identity', 'nothing']) {
        const { code, text } = await call(door, path, tokenOf('limited'), { [key]: servable });
        expect([path, code, text]).toEqual([
          path,
          status.PERMISSION_DENIED,
          `token "limited" may not use servable "${servable}"`,
        ]);
      }
      if (path.includes('Repository')) continue;
      expect([path, (await call(door, path, tokenOf('limited'), { [key]: 'counter' })).code]).not.toEqual([
        path,
        status.PERMISSION_DENIED,
      ]);
    }
    expect((await call(door, `${service}ModelReady`, tokenOf('infer'), { name: 'identity' })).code).toBe(status.OK);
  });
});

it('has no RPC that the table lacks, nor one in the table that is nowhere', () => {
  const served = new Set([...METHODS.triton.keys(), ...METHODS.mlserver.keys()]);
  expect([...served].sort()).toEqual(Object.keys(GRPC_ACCESS).sort());
});

// Before the tests that unload it.
it('shows no token to runtimes, which see other headers', async () => {
  const { server, ca } = ofFolder;
  const options = { tls: { ca }, token: tokenOf('infer', ofFolder), headers: { 'x-other': 'seen' } };
  const request = { model: 'words', inputs: [] };
  using mlserver = new GrpcClient({ address: ofFolder.mlserverAddress, ownConnection: true, ...options });
  using triton = new GrpcClient({ address: server.grpcAddress, ownConnection: true, ...options });
  await using rest = new RestClient({ url: server.restUrl, binary: false, ...options });
  for (const client of [mlserver, triton, rest]) {
    const { outputs } = await client.infer(request);
    const [names = ''] = textData(outputs[0] as Tensor);
    expect(names.split(',')).toContain('x-other');
    expect(names.toLowerCase()).not.toContain('authorization');
  }
});

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly challenge: string | null;
  readonly allowsOrigin: string | null;
}

/** @param options.token undefined: none is sent */
async function ask(
  { server, ca }: StartedSecured,
  route: string,
  options: { token?: string | undefined; model?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const { token, model = 'words', headers = {} } = options;
  const [method = '', path = ''] = route.split(' ');
  const filled = path
    .replace(':model', model)
    .replace(':version', '1')
    .replace(':repository', 'all')
    .replace(':region', 'none')
    .replace('/docs/*', '/docs/static/index.html');
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const agent = new Agent({ connect: { ca } });
  try {
    const url = filled.startsWith('https:') ? filled : `${server.restUrl}${filled}`;
    const reply = await fetch(url, { method, headers: { ...authorization, ...headers }, dispatcher: agent });
    return {
      status: reply.status,
      text: await reply.text(),
      challenge: reply.headers.get('www-authenticate'),
      allowsOrigin: reply.headers.get('access-control-allow-origin'),
    };
  } finally {
    await agent.destroy();
  }
}

/** Without those of pipelines, which are not served here, and `OPTIONS *`, which CORS answers itself. */
const ROUTES = Object.keys(REST_ACCESS).filter((route) => !/pipeline|initialise|^OPTIONS/.test(route));
const OF_MLSERVER = /^GET \/v2(\/models\/.*)?\/docs/;
const OF_TRITON = /:repository|sharedmemory|\/trace\/|\/logging/;
/** Names of what is served and that "limited" may not use. */
const HIDDEN = /identity|anomaly|sensor_gru|shapes|detect/;

const SERVERS = [
  ['serve', () => secured, ROUTES.filter((route) => !OF_MLSERVER.test(route))],
  ['start', () => ofFolder, ROUTES.filter((route) => !OF_TRITON.test(route))],
] as const;

describe.each(SERVERS)('REST of millrace %s', (_, started, routes) => {
  const tokenFor = (name: string): string => tokenOf(name, started());

  it('asks for a token wherever it is not a question of health', async () => {
    for (const route of routes) {
      const isOpen = /\/v2\/health\/(live|ready)$/.test(route);
      for (const token of [undefined, WRONG, '']) {
        const { status: code, challenge } = await ask(started(), route, { token });
        if (isOpen) expect([route, code]).toEqual([route, 200]);
        else if (code !== 429) {
          const error = token === undefined ? '' : ', error="invalid_token"';
          expect([route, code, challenge]).toEqual([route, 401, `Bearer realm="millrace"${error}`]);
        }
      }
    }
  });

  it.each(Object.keys(TOKENS) as (keyof typeof TOKENS)[])('lets "%s" do what the table says', async (name) => {
    for (const route of routes) {
      const { status: code, challenge, text } = await ask(started(), route, { token: tokenFor(name) });
      expect([route, code === 403]).toEqual([route, !isOpenTo(REST_ACCESS[route] as Access, name)]);
      if (code === 403 && name !== 'limited') expect(challenge).toMatch(/error="insufficient_scope", scope="/);
      expect(code).not.toBe(401);
      if (name === 'limited' && !/docs|openapi|metrics/.test(route)) {
        expect([route, text]).toEqual([route, expect.not.stringMatching(HIDDEN)]);
      }
    }
  });

  it('keeps a limited token to its servables', async () => {
    for (const route of routes.filter((each) => each.includes(':model'))) {
      for (const model of ['identity', 'nothing', 'identit%79']) {
        const { status: code } = await ask(started(), route, { token: tokenFor('limited'), model });
        expect([route, model, code]).toEqual([route, model, 403]);
      }
    }
  });

  it('tells nobody without a token which paths there are', async () => {
    for (const route of ['GET /nothing', 'PUT /v2', 'GET /v2/models/words/infer', 'DELETE /v2/models/identity']) {
      const { status: code, text } = await ask(started(), route);
      expect([route, code === 401 || code === 429]).toEqual([route, true]);
      expect([route, text]).toEqual([route, expect.not.stringMatching(/did you mean|expected/)]);
    }
    expect((await ask(started(), 'GET /nothing', { token: tokenFor('metrics') })).status).toBe(404);
    expect((await ask(started(), 'PUT /v2', { token: tokenFor('metrics') })).status).toBe(405);
  });

  it('answers browsers that ask for leave, and lets them read refusals', async () => {
    const origin = 'https://page.example';
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const preflight = await ask(started(), 'OPTIONS /v2/models/words/infer', { headers });
    expect([preflight.status, preflight.allowsOrigin]).toEqual([204, origin]);
    const refused = await ask(started(), 'POST /v2/models/words/infer', { headers: { origin } });
    expect(refused.allowsOrigin).toBe(origin);
    expect([401, 429]).toContain(refused.status);
  });

  it('has metrics on their own port behind the same door', async () => {
    const route = `GET ${started().metricsUrl}`;
    expect((await ask(started(), route, { token: tokenFor('metrics') })).status).toBe(200);
    expect((await ask(started(), route, { token: tokenFor('infer') })).status).toBe(403);
    expect([401, 429]).toContain((await ask(started(), route)).status);
  });
});

it('has no route in the table that is nowhere', async () => {
  for (const route of ROUTES) {
    const server = OF_MLSERVER.test(route) ? ofFolder : secured;
    const { status: code, text } = await ask(server, route, { token: tokenOf('root', server) });
    const isNowhere = code === 405 || (code === 404 && text.includes('no such path'));
    expect([route, isNowhere]).toEqual([route, false]);
  }
});

it('shows calls and refusals by name in the metrics', async () => {
  const { text } = await ask(secured, 'GET /metrics', { token: tokenOf('metrics') });
  expect(text).toMatch(/millrace_token_requests\{token="infer"\} \d+/);
  expect(text).toMatch(/millrace_token_refused\{token="metrics",reason="scope"\} \d+/);
  expect(text).toMatch(/millrace_token_refused\{token="limited",reason="servable"\} \d+/);
  expect(text).toMatch(/millrace_auth_failures\{reason="unknown"\} \d+/);
  expect(text).toMatch(/millrace_tls_certificate_expiry_seconds \d+/);
});

it('limits the failures of an address, which is told to wait, and still lets a right token in', async () => {
  const replies = await Promise.all(Array.from({ length: 40 }, () => ask(secured, 'GET /v2', { token: WRONG })));
  expect(replies.some(({ status: code }) => code === 429)).toBe(true);
  expect((await ask(secured, 'GET /v2', { token: tokenOf('infer') })).status).toBe(200);
});

it('logs none of the tokens', () => {
  const logs = secured.server.logs();
  expect(logs).toContain('a call was not authenticated');
  expect(logs).toContain('called by a manager');
  for (const text of [...secured.tokens.values(), WRONG]) expect(logs).not.toContain(text.slice(-43));
});
