/** `millrace start` on folders, as a user of MLServer meets it: settings, discovery, versions, reloads, faults, the end. */
import { expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import type { ListedVersion } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Says its prompt back after a text of its own: word by word in a stream. */
const WORDS = `
import { decodeInput, defineRuntime, encodeOutput } from 'millrace';
const words = (request) => decodeInput(request.inputs[0], 'str')[0].split(' ');
const speech = ({ parameters }) => parameters.says ?? '';
export const Words = defineRuntime({
  predict: (request, context) => ({ outputs: [encodeOutput('output', speech(context) + words(request).join(' '))] }),
  async *predictStream(requests, context) {
    for await (const request of requests) {
      for (const word of words(request)) yield { outputs: [encodeOutput('output', speech(context) + word)] };
    }
  },
});
`;

const body = JSON.stringify({
  inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: ['to be'] }],
});

async function post(server: TestServer, path: string, content = body): Promise<Response> {
  return fetch(`${server.restUrl}${path}`, { method: 'POST', body: content });
}

/** What the model, or its version, answers; its status where that is not 200. */
async function says(server: TestServer, model: string): Promise<string | number> {
  const answer = await post(server, `/v2/models/${model}/infer`);
  if (answer.status !== 200) return answer.status;
  const { outputs } = (await answer.json()) as { outputs: { data: string[] }[] };
  return outputs[0]?.data[0] ?? '';
}

/** The repository index; MLServer asks for a body. */
async function listVersions(server: TestServer): Promise<Partial<ListedVersion>[]> {
  const answer = await post(server, '/v2/repository/index', '{}');
  return (await answer.json()) as Partial<ListedVersion>[];
}

const states = async (server: TestServer): Promise<string[]> =>
  (await listVersions(server)).map(({ name, version, state }) => `${name} ${version ?? ''} ${state}`).sort();

async function folderWith(models: Record<string, object | string>, settings: object = {}): Promise<ScratchFolder> {
  const folder = await ScratchFolder.create();
  await folder.put('settings.json', { parallel_workers: 1, ...settings });
  await folder.put('words.ts', WORDS);
  for (const [path, content] of Object.entries(models)) await folder.put(`${path}/model-settings.json`, content);
  return folder;
}

const model = (speech: string, more: object = {}): object => ({
  implementation: 'words.Words',
  parameters: { extra: { says: speech }, ...more },
});

it('serves a folder: unary, streams, metrics on both ports, the names and versions that its files give', async () => {
  await using folder = await folderWith({
    plain: model('p:'),
    'deep/er/m/v1': { ...model('1:', { version: 'v1' }), name: 'm' },
    'deep/er/m/v2': { ...model('2:', { version: 'v2' }), name: 'm' },
  });
  await using server = await startServer({ folder: folder.path });
  expect(await says(server, 'plain')).toBe('p:to be');
  expect(await says(server, 'm')).toBe('2:to be');
  expect(await says(server, 'm/versions/v1')).toBe('1:to be');
  expect(await says(server, 'm/versions/v3')).toBe(404);
  expect(await says(server, 'none')).toBe(404);
  const stream = await post(server, '/v2/models/m/versions/v1/infer_stream');
  expect(stream.headers.get('content-type')).toContain('text/event-stream');
  const events = (await stream.text()).trim().split('\n\n');
  expect(
    events.map((event) => (JSON.parse(event.replace(/^data: /, '')) as { outputs: unknown[] }).outputs),
  ).toMatchObject([[{ data: ['1:to'] }], [{ data: ['1:be'] }]]);
  for (const url of [server.metricsUrl, `${server.restUrl}/metrics`]) {
    const page = await fetch(url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('name="m"');
  }
  expect((await fetch(new URL('/v2', server.metricsUrl))).status).toBe(404);
  expect(await states(server)).toEqual(['m v1 READY', 'm v2 READY', 'plain  READY']);
});

it('lists what is broken with its reason, serves the rest, and takes up what is mended or new', async () => {
  await using folder = await folderWith({
    good: model('g:'),
    torn: '{"implementation": ',
    twin1: { ...model('1'), name: 'twin' },
    twin2: { ...model('2'), name: 'twin' },
    lost: { implementation: './lost.ts' },
  });
  await using server = await startServer({ folder: folder.path });
  expect(await says(server, 'good')).toBe('g:to be');
  expect(await states(server)).toEqual(['good  READY', 'lost  UNAVAILABLE', 'torn  UNAVAILABLE', 'twin  UNAVAILABLE']);
  const reasons = Object.fromEntries<string | undefined>(
    (await listVersions(server)).map(({ name = '', reason }) => [name, reason] as const),
  );
  expect(reasons['torn']).toContain('torn/model-settings.json:1:20: not valid JSON');
  expect(reasons['twin']).toContain(
    'twin1/model-settings.json and twin2/model-settings.json both have the name "twin"',
  );
  expect(reasons['lost']).toContain('implementation: "./lost.ts" given, and there is no file');
  await folder.put('torn/model-settings.json', model('t:'));
  await folder.put('new/er/model-settings.json', model('n:'));
  await folder.put('good/model-settings.json', model('h:'));
  await folder.remove('lost');
  await expect.poll(() => says(server, 'torn')).toBe('t:to be');
  await expect.poll(() => says(server, 'er')).toBe('n:to be');
  await expect.poll(() => says(server, 'good')).toBe('h:to be');
  await expect.poll(() => says(server, 'lost')).toBe(404);
});

it('takes settings.json before variables, and options of Millrace before both', async () => {
  const metrics = await freePort();
  await using folder = await folderWith({ m: model('') }, { server_name: 'file', metrics_port: metrics });
  await using server = await startServer({
    folder: folder.path,
    env: { MLSERVER_SERVER_NAME: 'variable', MLSERVER_SERVER_VERSION: '7', MLSERVER_METRICS_PORT: '1' },
    flags: ['--max_sessions', '3'],
  });
  expect(await (await fetch(`${server.restUrl}/v2`)).json()).toMatchObject({ name: 'file', version: '7' });
  expect((await fetch(`http://127.0.0.1:${metrics}/metrics`)).status).toBe(200);
  expect(server.logs()).toContain('only this machine can connect (127.0.0.1)');
});

it('loads nothing at the start where it should not, and what clients ask for; unloaded stays unloaded', async () => {
  await using folder = await folderWith({ a: model('a:'), b: model('b:') }, { load_models_at_startup: false });
  await using server = await startServer({ folder: folder.path });
  expect(await states(server)).toEqual(['a  UNAVAILABLE', 'b  UNAVAILABLE']);
  expect(server.logs()).toContain('no servables; not loaded until asked for: a, b');
  expect((await post(server, '/v2/repository/models/a/load', '{}')).status).toBe(200);
  expect(await says(server, 'a')).toBe('a:to be');
  expect((await post(server, '/v2/repository/models/none/load', '{}')).status).toBe(404);
  expect((await post(server, '/v2/repository/models/a/unload', '{}')).status).toBe(200);
  expect(await says(server, 'a')).toBe(404);
  await folder.put('b/model-settings.json', model('c:'));
  expect((await post(server, '/v2/repository/models/b/load', '{}')).status).toBe(200);
  expect(await says(server, 'b')).toBe('c:to be');
  expect(await states(server)).toEqual(['a  UNAVAILABLE', 'b  READY']);
});

it('ends at SIGTERM with a stream open, within the grace time, and leaves nothing behind', async () => {
  await using folder = await folderWith({ slow: { implementation: './slow.ts' } }, { parallel_workers_timeout: 1 });
  await folder.put(
    'slow/slow.ts',
    `import { defineRuntime } from 'millrace';
     export default defineRuntime({
       async *predictStream(requests, { signal }) {
         yield { outputs: [] };
         await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
       },
     });`,
  );
  const server = await startServer({ folder: folder.path });
  const stream = await post(server, '/v2/models/slow/generate_stream');
  const reader = stream.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  await server.stop();
  expect(server.logs()).toContain('"graceMs":1000');
});
