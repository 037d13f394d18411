/** The doors of pipelines, closed: TLS and tokens on TCP and HTTP, limits of tokens. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REST_ACCESS } from '../../src/security/access.ts';
import { freePort, freePorts } from '../support/free-port.ts';
import { ROOT } from '../support/paths.ts';
import { ManagerConnection, frame } from '../support/stream-manager.ts';
import { startSecured, type StartedSecured } from './security/secured-server.ts';

const run = promisify(execFile);

const CLIP = 'lavfi:testsrc2=size=64x48:rate=5';
const WRONG = `millrace_0123456789ab_${'x'.repeat(43)}`;
const CONFIG = {
  mediapipe_config_list: [{ name: 'detect', base_path: join(ROOT, 'graphs/detect') }],
  model_config_list: [{ config: { name: 'shapes', base_path: join(ROOT, 'models/shapes') } }],
  pipelines: { allow: { schemes: ['lavfi', 'rtsp'] }, max_pipelines_per_token: 2 },
};
const TOKENS = {
  manage: ['manage'],
  other: ['manage'],
  infer: ['infer'],
  metrics: ['metrics'],
  limited: ['manage', '--servables', 'shapes'],
} as const;

let secured: StartedSecured;
let managerPort: number;
let streamApi: string;
beforeAll(async () => {
  const [manager = 0, api = 0] = await freePorts(2);
  managerPort = manager;
  streamApi = `https://127.0.0.1:${api}`;
  const flags = ['--stream_manager_port', String(manager), '--stream_api_port', String(api)];
  secured = await startSecured({ tokens: TOKENS, flags, config: CONFIG });
}, 120_000);
afterAll(async () => {
  await secured[Symbol.asyncDispose]();
});

const tokenOf = (name: keyof typeof TOKENS): string => secured.tokens.get(name) ?? '';

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

async function ask(route: string, token?: string, body?: object, base = secured.server.restUrl): Promise<Reply> {
  const [method = '', path = ''] = route.split(' ');
  const dispatcher = new Agent({ connect: { ca: secured.ca } });
  try {
    const reply = await fetch(`${base}${path.replace(':pipeline_id', 'none')}`, {
      method,
      dispatcher,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, text, json: asObject(text) };
  } finally {
    await dispatcher.destroy();
  }
}

function asObject(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/** A command over TLS, by openssl, which knows nothing of us. */
async function overTls(payload: object): Promise<Readonly<Record<string, unknown>>> {
  const args = ['s_client', '-quiet', '-verify_return_error', '-CAfile', secured.authority.path, '-ign_eof'];
  const client = spawn('openssl', [...args, '-connect', `127.0.0.1:${managerPort}`]);
  const chunks: Buffer[] = [];
  client.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  client.stdin.write(frame(JSON.stringify(payload)));
  await once(client, 'close');
  const bytes = Buffer.concat(chunks);
  expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
  const { response } = JSON.parse(bytes.subarray(4).toString()) as { response: Readonly<Record<string, unknown>> };
  return response;
}

const PIPELINE_ROUTES = Object.keys(REST_ACCESS).filter((route) => /pipeline|initialise/.test(route));

describe('HTTP', () => {
  test('the table has every door', () => {
    expect(PIPELINE_ROUTES.length).toBeGreaterThanOrEqual(24);
  });

  test.each(PIPELINE_ROUTES)('%s: for a token that may manage, and nobody else', async (route) => {
    const body = route.startsWith('POST /initialise') ? initA() : route.includes('initialise') ? initB() : {};
    const given = /^(GET|DELETE)/.test(route) ? undefined : body;
    // Roboflow's answers know one status for both.
    const isRoboflow = !route.includes('/v1/');
    const doors =
      isRoboflow && route.includes('/inference_pipelines/') ? [secured.server.restUrl, streamApi] : [undefined];
    for (const door of doors) {
      for (const token of [undefined, WRONG, '']) {
        const { status } = await ask(route, token, given, door);
        // Failures of one address are limited; that has a test of its own.
        expect([route, token, [401, 429].includes(status)]).toEqual([route, token, true]);
      }
      for (const name of ['infer', 'metrics'] as const) {
        const { status, text } = await ask(route, tokenOf(name), given, door);
        expect([route, name, status]).toEqual([route, name, isRoboflow ? 401 : 403]);
        expect(text).toContain('manage');
      }
      const { status, text } = await ask(route, tokenOf('manage'), given, door);
      expect([401, 403, 429], text).not.toContain(status);
    }
  });

  test("Roboflow's clients may give the token as their API key, in the body or the query", async () => {
    const key = tokenOf('manage');
    expect((await ask('POST /initialise', undefined, initA(key))).status).toBe(404);
    expect((await ask('POST /inference_pipelines/initialise', undefined, initB(key))).status).toBe(404);
    expect((await ask(`GET /inference_pipelines/list?api_key=${key}`)).status).toBe(200);
    expect((await ask('POST /initialise', undefined, initA(tokenOf('infer')))).status).toBe(401);
    // What the header says goes before it.
    expect((await ask('POST /initialise', tokenOf('infer'), initA(key))).status).toBe(401);
  });
});

describe('TCP', () => {
  test("is encrypted, as Python's ssl and openssl see it", async () => {
    const text = JSON.stringify({ type: 'list_pipelines', api_key: tokenOf('manage') });
    const script = join(ROOT, 'test/system/pipelines/tls_client.py');
    const { stdout } = await run('python3', [script, String(managerPort), secured.authority.path, text]);
    const told = JSON.parse(stdout) as { version: string; answer: { response: object } };
    expect(told).toMatchObject({ version: 'TLSv1.3', answer: { response: { status: 'success' } } });
    expect(await overTls({ type: 'list_pipelines', api_key: tokenOf('manage') })).toMatchObject({ status: 'success' });
  });

  test('who speaks no TLS, or does not trust the authority, gets nothing; others go on', async () => {
    const plain = await ManagerConnection.open(managerPort);
    plain.send(frame('{"type":"list_pipelines"}'));
    await expect(plain.answer()).rejects.toThrow('one frame expected');
    const args = ['s_client', '-verify_return_error', '-connect', `127.0.0.1:${managerPort}`];
    await expect(run('openssl', args)).rejects.toMatchObject({ code: 1 });
    expect(await overTls({ type: 'list_pipelines', api_key: tokenOf('manage') })).toMatchObject({ status: 'success' });
  });

  test.each([
    ['none', undefined, 'authorisation_error'],
    ['a wrong one', WRONG, 'authorisation_error'],
    ['one that may infer', 'infer', 'authorisation_error'],
    ['one for metrics', 'metrics', 'authorisation_error'],
    ['one that may manage', 'manage', undefined],
  ] as const)('the token: %s', async (_, name, error_type) => {
    const api_key = name === undefined || name === WRONG ? name : tokenOf(name as keyof typeof TOKENS);
    const commands = ['status', 'mute', 'resume', 'terminate', 'consume_result'].map((type) => ({
      type,
      pipeline_id: 'none',
    }));
    for (const command of [...commands, { type: 'list_pipelines' }, { type: 'webrtc' }, initA()]) {
      const { error_type: told } = await overTls({ ...command, api_key });
      if (error_type !== undefined) expect([command, told]).toEqual([command, error_type]);
      else expect(told).not.toBe('authorisation_error');
    }
  });
});

describe('limits of tokens', () => {
  const create = (token: string, given: object = {}): Promise<Reply> =>
    ask('POST /v1/pipelines', token, { model_id: 'detect', video_reference: CLIP, ...given });

  test('a token runs so many pipelines, on whatever door; others have their own', async () => {
    const manage = tokenOf('manage');
    for (const id of ['one', 'two']) expect(await create(manage, { id })).toMatchObject({ status: 201 });
    const refused = await create(manage);
    expect(refused).toMatchObject({ status: 429 });
    expect(refused.text).toContain(
      '2 pipelines of this token run, which is the most (pipelines.max_pipelines_per_token)',
    );
    const overTcp = await overTls({ ...initA(manage), model_id: 'detect', video_reference: CLIP });
    expect(overTcp).toMatchObject({ error_type: 'operation_error', error_class: 'LimitReachedError' });
    expect(await create(tokenOf('other'), { id: 'three' })).toMatchObject({ status: 201 });
    // One that has ended does not count.
    expect((await ask('DELETE /v1/pipelines/one', manage)).status).toBe(200);
    expect(await create(manage, { id: 'four' })).toMatchObject({ status: 201 });
    for (const id of ['two', 'three', 'four']) await ask(`DELETE /v1/pipelines/${id}`, manage);
  });

  test('a token that is limited to some servables starts, sees and ends pipelines of these only', async () => {
    const limited = tokenOf('limited');
    expect(await create(limited)).toMatchObject({ status: 403 });
    expect(await overTls({ ...initA(limited), model_id: 'detect', video_reference: CLIP })).toMatchObject({
      error_type: 'authorisation_error',
      error_message: 'token "limited" may not use servable "detect"',
    });
    expect(await create(tokenOf('other'), { id: 'theirs' })).toMatchObject({ status: 201 });
    expect(await create(limited, { id: 'mine', model_id: 'shapes' })).toMatchObject({ status: 201 });
    const { json } = await ask('GET /v1/pipelines', limited);
    const names = (json['pipelines'] as { id: string; state: string }[]).map(({ id }) => id);
    expect(names).toEqual(['mine']);
    expect((await overTls({ type: 'list_pipelines', api_key: limited }))['pipelines']).toEqual(['mine']);
    for (const route of ['GET ', 'DELETE ', 'PATCH ', 'POST /pause', 'GET /frame.jpg', 'GET /events']) {
      const [method = '', rest = ''] = route.split(' ');
      const body = method === 'PATCH' ? {} : undefined;
      const { status } = await ask(`${method} /v1/pipelines/theirs${rest}`, limited, body);
      expect([route, status]).toEqual([route, 403]);
    }
    expect(await overTls({ type: 'terminate', pipeline_id: 'theirs', api_key: limited })).toMatchObject({
      error_type: 'authorisation_error',
    });
    expect((await ask('POST /terminate/theirs', limited)).status).toBe(401);
    expect((await ask('DELETE /v1/pipelines/mine', limited)).status).toBe(200);
    expect((await ask('DELETE /v1/pipelines/theirs', tokenOf('other'))).status).toBe(200);
  });
});

test('no token is in the log', () => {
  for (const token of secured.tokens.values()) expect(secured.server.logs()).not.toContain(token);
});

test('the stream manager stays plain where TLS is for other ports only', async () => {
  const port = await freePort();
  const flags = ['--stream_manager_port', String(port), '--tls_listeners', 'rest,grpc'];
  await using plain = await startSecured({ tokens: { manage: ['manage'] }, flags });
  const connection = await ManagerConnection.open(port);
  const payload = { type: 'list_pipelines', api_key: plain.tokens.get('manage') };
  expect((await connection.send(frame(JSON.stringify(payload))).answer()).response.status).toBe('success');
});

function initA(api_key?: string): object {
  return {
    type: 'init',
    model_id: 'nothing/1',
    video_reference: 'rtsp://127.0.0.1:9/none',
    sink_configuration: { type: 'udp_sink', host: '127.0.0.1', port: 9 },
    model_configuration: { type: 'object-detection' },
    ...(api_key !== undefined && { api_key }),
  };
}

function initB(api_key?: string): object {
  const step = { type: 'ObjectDetectionModel', name: 'm', image: '$inputs.image', model_id: 'nothing/1' };
  return {
    video_configuration: { type: 'VideoConfiguration', video_reference: 'rtsp://127.0.0.1:9/none' },
    processing_configuration: {
      type: 'WorkflowConfiguration',
      workflow_specification: {
        version: '1.0',
        inputs: [{ type: 'InferenceImage', name: 'image' }],
        steps: [step],
        outputs: [{ type: 'JsonField', name: 'p', selector: '$steps.m.predictions' }],
      },
    },
    ...(api_key !== undefined && { api_key }),
  };
}
