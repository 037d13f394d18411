/** Routes of runtimes' own (MLServer's `custom_handler`) behind the whole server, in every language that has them. */
import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startSecured } from './security/secured-server.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const FIXTURES = join(ROOT, 'test/fixtures/mlserver/routes');
const V2 = JSON.stringify({ id: '7', inputs: [{ name: 'x', datatype: 'FP32', shape: [2], data: [1, 2] }] });

interface Asked {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

async function folderWith(models: Record<string, object>): Promise<ScratchFolder> {
  const folder = await ScratchFolder.create();
  await cp(FIXTURES, folder.path, { recursive: true });
  for (const [name, settings] of Object.entries(models)) {
    await folder.put(`${name}/model-settings.json`, { name, ...settings });
  }
  return folder;
}

describe('a server whose runtimes have routes of their own', () => {
  let folder: ScratchFolder;
  let server: TestServer;
  beforeAll(async () => {
    const real = dirname(dirname(await pythonPath('mlserver')));
    folder = await folderWith({
      ts: { implementation: '../routed-model.js' },
      // Without FastAPI, and with our stand-in for `mlserver`.
      py: { implementation: 'routed_model.RoutedModel' },
      fast: { implementation: 'fastapi_model.FastapiModel', parameters: { environment_path: real } },
      twin: { implementation: 'routed_model.RoutedModel', parameters: { environment_path: real } },
    });
    server = await startServer({ folder: folder.path, env: { MILLRACE_PYTHON: await pythonPath() } });
  });
  afterAll(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });
  const ask = async (path: string, { method = 'POST', body, headers = {} }: Asked = {}) => {
    const answer = await fetch(`${server.restUrl}${path}`, { method, headers, ...(body !== undefined && { body }) });
    return { status: answer.status, headers: answer.headers, text: await answer.text() };
  };
  const askJson = async (path: string, asked?: Asked): Promise<unknown> => {
    const { status, text } = await ask(path, asked);
    return [status, JSON.parse(text)];
  };

  it('answers from TypeScript, with placeholders, query, body and headers', async () => {
    const answer = await ask('/ts/explain/a%20b?depth=2', { body: '{"a":1}', headers: { 'x-mine': 'yes' } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-model')).toBe('ts');
    expect(JSON.parse(answer.text)).toEqual({ what: 'a b', depth: '2', body: { a: 1 }, saw: 'yes' });
    const plain = await ask('/ts/text', { method: 'GET' });
    expect([plain.text, plain.headers.get('content-type')]).toEqual(['plain', 'text/plain; charset=utf-8']);
    expect(plain.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    const zipped = await ask('/ts/zipped');
    expect([zipped.headers.get('content-encoding'), zipped.text]).toEqual(['gzip', 'a text']);
  });

  it('leaves out headers and cookies that HTTP cannot carry', async () => {
    const answer = await ask(`/ts/hello?name=${encodeURIComponent('中')}`, { method: 'GET' });
    expect([answer.status, answer.text, answer.headers.getSetCookie()]).toEqual([200, 'hello', ['kept=1']]);
    expect(answer.headers.get('x-name')).toBeNull();
  });

  it('answers from Python without FastAPI: by the handlers’ annotations', async () => {
    expect(await askJson('/py/explain/why?depth=3', { body: V2 })).toEqual([
      200,
      { model: 'py', what: 'why', depth: 3, inputs: ['x'] },
    ]);
    expect(await askJson('/py/state?verbose=yes', { method: 'GET' })).toEqual([200, { ready: true, verbose: true }]);
    expect(await askJson('/py/explain/why?depth=x', { body: V2 })).toEqual([
      422,
      { detail: [{ type: 'value_error', loc: ['query', 'depth'], msg: 'Input should be a valid int' }] },
    ]);
    expect(await askJson('/py/explain/why')).toMatchObject([422, { detail: [{ loc: ['body'] }] }]);
  });

  it('answers from Python with MLServer’s package: whatever FastAPI makes of a signature', async () => {
    const raw = await ask('/fast/raw', {
      method: 'PUT',
      body: 'abc',
      headers: { 'x-mine': 'head', 'content-type': 'a/b' },
    });
    expect([raw.status, raw.text]).toEqual([201, 'head 3 a/b']);
    expect(raw.headers.getSetCookie().map((cookie) => cookie.split(';')[0])).toEqual(['a=1', 'b=2']);
    expect(await askJson('/fast/infer', { body: V2, headers: { 'content-type': 'application/json' } })).toMatchObject([
      200,
      { model_name: 'fast', id: '7', outputs: [{ name: 'x', shape: [2], datatype: 'FP32', data: [1, 2] }] },
    ]);
    expect(await askJson('/fast/search?q=long', { method: 'GET' })).toEqual([200, ['long']]);
    expect(await askJson('/fast/search?q=x', { method: 'GET' })).toMatchObject([
      422,
      { detail: [{ type: 'string_too_short', loc: ['query', 'q'] }] },
    ]);
    expect((await ask('/fast/generator/3')).text).toBe('012');
  });

  it.each(['ts', 'py'])('answers failures of %s as those of an inference', async (model) => {
    expect(await askJson(`/${model}/fail`)).toEqual([500, { error: 'broken on purpose' }]);
    expect(await askJson(`/${model}/refuse`)).toEqual([429, { error: 'not now' }]);
  });

  it.each(['ts', 'py', 'fast'])('sends pieces of %s as they come', async (model) => {
    const answer = await fetch(`${server.restUrl}/${model}/pieces`, { method: 'POST' });
    expect([answer.status, answer.headers.get('content-length')]).toEqual([model === 'ts' ? 202 : 200, null]);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const read = async (): Promise<string> => String(Buffer.from((await reader.read()).value ?? []));
    // The second is made once the first is here.
    expect(await read()).toBe('one ');
    await ask(`/${model}/go`);
    expect(await read()).toBe('two');
    expect((await reader.read()).done).toBe(true);
  });

  it.each(['ts', 'py', 'fast'])(
    'makes pieces of %s no faster than they are read, and none for who has left',
    async (model) => {
      const counts = async (): Promise<{ made: number; ended: number }> =>
        (await askJson(`/${model}/counts`, { method: 'GET' }).then((answer) => (answer as unknown[])[1])) as never;
      const { body } = await request(`${server.restUrl}/${model}/endless`, { method: 'POST' });
      // Nothing is read: what is made soon stops growing.
      let made = -1;
      for (let same = 0; same < 10; await delay(20)) {
        const now = (await counts()).made;
        same = now === made ? same + 1 : 0;
        made = now;
        // What the connection takes, and at most 64 that are under way.
        expect(made).toBeLessThan(256);
      }
      expect((await counts()).ended).toBe(0);
      // Whoever reads on gets more.
      const pieces = body[Symbol.asyncIterator]();
      while ((await counts()).made === made) await pieces.next();
      body.on('error', () => {}).destroy();
      while ((await counts()).ended === 0) await delay(20);
    },
  );

  it.each(['ts', 'py'])(
    'cuts the connection where %s fails after the first piece, and answers with a status before',
    async (model) => {
      expect(await askJson(`/${model}/breaks/0`)).toEqual([418, { error: 'broken in the middle' }]);
      const answer = await fetch(`${server.restUrl}/${model}/breaks/1`, { method: 'POST' });
      expect(answer.status).toBe(200);
      await expect(answer.text()).rejects.toThrow('terminated');
    },
  );

  it('runs a generator of Python that is not asynchronous in a thread', async () => {
    expect((await ask('/py/thread?count=3')).text).toBe('012');
  });

  it('describes them in openapi.json and on the page of their model, as long as it is loaded', async () => {
    type Paths = Record<string, Record<string, Record<string, unknown>>>;
    const paths = async (path = '/openapi.json'): Promise<Paths> =>
      ((await askJson(path, { method: 'GET' })) as [number, { paths: Paths }])[1].paths;
    const all = await paths();
    expect(all['/v2/models/{model}/infer']).toBeDefined();
    expect(all['/ts/explain/{what}']).toEqual({
      post: {
        summary: 'A route of the runtime ts',
        tags: ['ts'],
        parameters: [{ name: 'what', in: 'path', required: true, schema: { type: 'string' } }],
        responses: { 200: { description: 'What the runtime answers.' } },
      },
    });
    expect(all['/ts/breaks/{before}']?.['post']).toMatchObject({ parameters: [{ schema: { type: 'integer' } }] });
    expect(all['/ts/counts']?.['get']).toMatchObject({ summary: 'How many pieces', tags: ['ts'] });
    expect(all['/py/explain/{what}']?.['post']).toMatchObject({
      tags: ['py'],
      parameters: [
        { name: 'what', in: 'path', required: true, schema: { type: 'string' } },
        { name: 'depth', in: 'query', required: false, schema: { type: 'integer', default: 1 } },
      ],
      requestBody: { required: true, content: { 'application/json': { schema: { type: 'object' } } } },
    });
    expect(all['/fast/search']?.['get']).toMatchObject({
      tags: ['fast'],
      parameters: [{ name: 'q', in: 'query', required: true, schema: { type: 'string', minLength: 3 } }],
    });
    expect(all['/fast/generator/{count}']?.['post']).toMatchObject({
      parameters: [{ name: 'count', in: 'path', schema: { type: 'integer' } }],
      responses: { 200: { description: 'Pieces, as they come.' } },
    });
    // Schemas stand where they are used.
    const body = JSON.stringify(all['/fast/infer']);
    expect(body).toContain('"datatype"');
    expect(body).not.toContain('$ref');

    expect((await paths('/docs/json'))['/ts/counts']).toBeDefined();
    const ofModel = await paths('/v2/models/ts/docs/dataplane.json');
    expect(Object.keys(ofModel)).toContain('/ts/explain/{what}');
    expect(Object.keys(ofModel)).not.toContain('/py/state');

    await ask('/v2/repository/models/twin/unload');
    expect((await paths())['/py/state']?.['get']).toMatchObject({ tags: ['py'] });
    await ask('/v2/repository/models/py/unload');
    const left = await paths();
    expect([left['/py/state'], left['/ts/text'] === undefined]).toEqual([undefined, false]);
  });

  it('refuses an answer that is none, a body that is no JSON, and other methods', async () => {
    expect(await askJson('/ts/unsound')).toEqual([
      500,
      { error: 'answer of route POST /ts/unsound: string given, an object with json or body expected' },
    ]);
    expect(await askJson('/ts/explain/x', { body: '{' })).toMatchObject([
      400,
      { error: expect.stringContaining('the request body is no JSON') as string },
    ]);
    const other = await ask('/ts/fail', { method: 'GET' });
    expect([other.status, other.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await ask('/ts/nothing')).status).toBe(404);
  });

  it('counts them by their patterns, says in the log whose route another one has, and describes no routes otherwise', async () => {
    await ask('/ts/explain/counted');
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toContain('path="/ts/explain/{what}"');
    expect(server.logs()).toContain("route POST /py/fail is also that of 'twin': 'py' answers");
  });
});

it('does not serve a runtime whose route is in the way of the server’s own, and serves the rest', async () => {
  await using folder = await folderWith({});
  await folder.put(
    'taken.ts',
    `export default { predict: () => ({ outputs: [] }), routes: [{ path: '/v2/{all}', handle: () => ({}) }] };`,
  );
  await folder.put(
    'wrong.ts',
    `export default { predict: () => ({ outputs: [] }), routes: [{ path: 'explain', handle: () => ({}) }] };`,
  );
  for (const name of ['taken', 'wrong'])
    await folder.put(`${name}/model-settings.json`, { implementation: `../${name}.ts` });
  await folder.put('ts/model-settings.json', { implementation: '../routed-model.js' });
  await using server = await startServer({ folder: folder.path });
  const index = await fetch(`${server.restUrl}/v2/repository/index`, { method: 'POST', body: '{}' });
  const listed = (await index.json()) as { name: string; state: string; reason: string }[];
  expect(listed.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual([
    'taken UNAVAILABLE',
    'ts READY',
    'wrong UNAVAILABLE',
  ]);
  expect(listed.find(({ name }) => name === 'taken')?.reason).toMatch(
    /^runtime 'taken': its route POST \/v2\/\{all\} is in the way of the server's own \/v2\/\S+; another path expected$/,
  );
  expect(listed.find(({ name }) => name === 'wrong')?.reason).toContain('routes[0].path: path "explain"');
});

it('lets in who may infer with that servable, counts the call, and hides the token from the runtime', async () => {
  await using secured = await startSecured({
    tokens: { user: ['infer'], other: ['infer', '--servables', 'another'], manager: ['manage'] },
    writeFolder: async (folder) => {
      await cp(FIXTURES, folder.path, { recursive: true });
      await folder.put('ts/model-settings.json', { implementation: '../routed-model.js' });
      return folder.path;
    },
  });
  using dispatcher = closing(new Agent({ connect: { ca: secured.ca } }));
  const ask = async (token: string | undefined, path = '/ts/text') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${secured.tokens.get(token)}` };
    const { statusCode, body } = await request(`${secured.server.restUrl}${path}`, { headers, dispatcher });
    return [statusCode, await body.text()];
  };
  expect((await ask(undefined))[0]).toBe(401);
  expect(await ask('user')).toEqual([200, 'plain']);
  expect((await ask('other'))[0]).toBe(403);
  expect((await ask('manager'))[0]).toBe(403);
  expect(JSON.parse(String((await ask('root', '/ts/headers'))[1]))).not.toHaveProperty('authorization');
  // Nor does whoever may not use it hear of its routes.
  for (const [token, isTold] of [
    ['user', true],
    ['other', false],
  ] as const) {
    const described = await ask(token, '/openapi.json');
    expect([described[0], String(described[1]).includes('/ts/text')]).toEqual([200, isTold]);
  }
});

it.each(['ts', 'py'])(
  'ends a call of %s that gives nothing within its deadline, and one that goes on at the stop',
  async (model) => {
    const implementation = model === 'ts' ? '../routed-model.js' : 'routed_model.RoutedModel';
    await using folder = await folderWith({ [model]: { implementation, millrace: { call_deadline_ms: 500 } } });
    await folder.put('settings.json', { parallel_workers_timeout: 1 });
    await using server = await startServer({ folder: folder.path, env: { MILLRACE_PYTHON: await pythonPath() } });
    const call = (path: string) => fetch(`${server.restUrl}/${model}${path}`, { method: 'POST' });
    const late = await call('/hangs/0');
    expect([late.status, await late.text()]).toEqual([503, expect.stringContaining('500 ms')]);
    await expect((await call('/hangs/1')).text()).rejects.toThrow('terminated');
    // Pieces come one after another for ever.
    const endless = await call('/endless');
    const read = endless.body?.pipeTo(new WritableStream()).catch((error: unknown) => String(error));
    await server.stop();
    expect(await read).toContain('terminated');
  },
);

/** As `using` wants it. */
function closing(agent: Agent): Agent & Disposable {
  return Object.assign(agent, { [Symbol.dispose]: () => void agent.close() });
}
