import { gunzipSync, gzipSync } from 'node:zlib';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDataPlane } from '../../../../test/support/fake-data-plane.ts';
import { MillraceError } from '../../../base/errors.ts';
import { silentLogger } from '../../../base/logger.ts';
import { createPrometheusMeter, type PrometheusMeter } from '../../../observability/meter.ts';
import { encodeBytes } from '../../../tensor/bytes.ts';
import { JsonParameter } from '../../../tensor/parameters.ts';
import { buildRestApp } from '../app.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TEXT = { name: 'prompt', datatype: 'BYTES', shape: [1] } as const;
const V2 = { inputs: [{ ...TEXT, data: ['hi'] }] };

let dataPlane: FakeDataPlane;
let app: FastifyInstance;
let meter: PrometheusMeter;

beforeEach(async () => {
  dataPlane = new FakeDataPlane();
  meter = createPrometheusMeter();
  const parameters = { content_type: 'str' };
  dataPlane.add({ name: 'text', inputs: [{ ...TEXT, parameters }], parameters: { extra: { a: [1] } } });
  dataPlane.add({ name: 'many', inputs: [TEXT], decoupled: true });
  dataPlane.add({ name: 'onnx', inputs: [TEXT], kind: 'model' });
  const cors = {
    allowOrigins: ['http://a.example'],
    allowOriginRegex: 'http://.*\\.b\\.example',
    allowCredentials: true,
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['x-user'],
    exposeHeaders: [],
    maxAgeS: 60,
  };
  app = await buildRestApp(
    { dialect: 'mlserver', serverName: 'srv', serverVersion: '9', extensions: ['mine'], rootPath: 'a/b/', cors },
    { dataPlane, logger: silentLogger, meter, metrics: () => meter.render() },
  );
});

afterEach(() => app.close());

interface Asked {
  readonly headers?: Record<string, string>;
  readonly method?: 'POST' | 'GET' | 'PUT' | 'OPTIONS';
}

function post(url: string, body: unknown, { headers = {} }: Asked = {}): Promise<LightMyRequestResponse> {
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return app.inject({ method: 'POST', url, payload, headers });
}

const get = (url: string, { headers = {}, method = 'GET' }: Asked = {}): Promise<LightMyRequestResponse> =>
  app.inject({ method, url, headers });

const boom = (details = {}): MillraceError => new MillraceError('RUNTIME_FAILED', 'boom', { details });

describe.each(['infer', 'generate'])('%s', (verb) => {
  it('answers in MLServer’s order, with a new UUID, CloudEvents, the runtime’s headers', async () => {
    dataPlane.onInfer = async (request) => ({
      servable: 'text',
      version: '',
      id: 'not mine',
      headers: { 'X-Took': '3', 'Content-Length': '1', 'bad name': 'x' },
      outputs: [
        { ...TEXT, data: encodeBytes([`${request.headers?.['x-user']} ${request.headers?.['content-type']}`]) },
      ],
    });
    const headers = { 'x-user': 'ann', 'content-type': 'application/json' };
    const reply = await post(`/v2/models/text/${verb}`, V2, { headers });
    const { id } = reply.json<{ id: string }>();
    expect(id).toMatch(UUID);
    expect(reply.body).toBe(
      `{"model_name":"text","id":"${id}","parameters":{},"outputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["ann application/json"]}]}`,
    );
    expect(reply.headers).toMatchObject({
      'ce-specversion': '0.3',
      'ce-source': 'io.seldon.serving.deployment.srv',
      'ce-type': 'io.seldon.serving.inference.response',
      'ce-modelid': 'text',
      'ce-inferenceservicename': 'srv',
      'ce-endpoint': 'text',
      'ce-id': id,
      'ce-requestid': id,
      'x-took': '3',
    });
    expect(reply.headers['content-type']).toContain('application/json');
  });

  it('keeps the id of the request; JSON parameters go to runtimes only', async () => {
    const body = { id: 'mine', parameters: { list: [1] }, ...V2 };
    expect((await post(`/v2/models/text/versions/1/${verb}`, body)).json()).toMatchObject({
      id: 'mine',
      model_version: '1',
    });
    expect({ ...dataPlane.requests[0]?.parameters }).toEqual({ list: new JsonParameter('[1]') });
    const refused = await post(`/v2/models/onnx/${verb}`, body);
    expect(refused.statusCode).toBe(400);
    expect(refused.json<{ error: string }>().error).toContain("parameter 'list'");
    await post(`/v2/models/onnx/${verb}`, V2, { headers: { 'x-user': 'ann' } });
    expect(dataPlane.requests.at(-1)?.headers).toBeUndefined();
  });

  it.each<[string, MillraceError, number, string]>([
    ['one that it chose the status of', boom({ status: 429 }), 429, 'boom'],
    ['any other of a runtime', boom(), 500, 'boom'],
    ['not ready', new MillraceError('SERVABLE_NOT_READY', 'loading'), 400, 'Model text is not ready yet. loading'],
    ['unknown', new MillraceError('SERVABLE_NOT_FOUND', 'x'), 404, 'Model text not found'],
    ['a limit', new MillraceError('LIMIT_REACHED', 'too many'), 429, 'too many'],
  ])('answers a failure with its status and {"error"}: %s', async (_, error, status, text) => {
    dataPlane.onInfer = () => Promise.reject(error);
    const reply = await post(`/v2/models/text/${verb}`, V2);
    expect(reply.statusCode).toBe(status);
    expect(reply.body).toBe(JSON.stringify({ error: text }));
  });

  it('compresses from 500 bytes on, and takes gzip', async () => {
    const headers = { 'accept-encoding': 'gzip, deflate' };
    expect((await post(`/v2/models/text/${verb}`, V2, { headers })).headers['content-encoding']).toBeUndefined();
    const long = { inputs: [{ ...TEXT, data: ['hi '.repeat(200)] }] };
    const reply = await post(`/v2/models/text/${verb}`, gzipSync(JSON.stringify(long)), {
      headers: { ...headers, 'content-encoding': 'gzip' },
    });
    expect(reply.headers['content-encoding']).toBe('gzip');
    expect(JSON.parse(gunzipSync(reply.rawPayload).toString())).toMatchObject({ model_name: 'text' });
  });

  it.each<[string, string, object[]]>([
    ['no body', '', [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]],
    ['no inputs', '{}', [{ type: 'missing', loc: ['body', 'inputs'], msg: 'Field required', input: {} }]],
    ['not JSON', '{"a":1}x', [{ type: 'json_invalid', loc: ['body', 7], msg: 'JSON decode error', input: {} }]],
    [
      'several faults',
      '{"id":1,"inputs":[{"name":"a","shape":[1.5,"2","x",null],"datatype":"NOPE","parameters":[]}],"outputs":3}',
      [
        { type: 'string_type', loc: ['body', 'id'], input: 1 },
        { type: 'int_from_float', loc: ['body', 'inputs', 0, 'shape', 0], input: 1.5 },
        { type: 'int_parsing', loc: ['body', 'inputs', 0, 'shape', 2], input: 'x' },
        { type: 'int_type', loc: ['body', 'inputs', 0, 'shape', 3], input: null },
        { type: 'enum', loc: ['body', 'inputs', 0, 'datatype'], input: 'NOPE' },
        { type: 'model_attributes_type', loc: ['body', 'inputs', 0, 'parameters'], input: [] },
        { type: 'missing', loc: ['body', 'inputs', 0, 'data'], msg: 'Field required' },
        { type: 'list_type', loc: ['body', 'outputs'], input: 3 },
      ],
    ],
  ])('tells faults of the schema as pydantic does: %s', async (_, body, detail) => {
    const reply = await post(`/v2/models/text/infer`, body);
    expect(reply.statusCode).toBe(422);
    expect(reply.json()).toMatchObject({ detail });
    expect(reply.json<{ detail: object[] }>().detail).toHaveLength(detail.length);
  });

  it('refuses data that does not fit, which is no fault of the schema, with 400', async () => {
    const reply = await post(`/v2/models/text/${verb}`, { inputs: [{ ...TEXT, data: ['a', 'b'] }] });
    expect(reply.statusCode).toBe(400);
    expect(reply.json<{ error: string }>().error).toContain('2 elements in "data", 1 expected');
  });
});

describe('generate', () => {
  it('takes Triton’s flat form, too, and answers in kind; a servable that streams may answer once', async () => {
    expect((await post('/v2/models/text/generate', { prompt: 'hi' })).json()).toMatchObject({ prompt: 'hi' });
    expect((await post('/v2/models/many/generate', V2)).json()).toMatchObject({ model_name: 'many' });
    dataPlane.onSession = (session) => {
      session.echo();
      session.echo();
    };
    expect((await post('/v2/models/many/generate', V2)).statusCode).toBe(400);
  });
});

describe.each(['infer_stream', 'generate_stream'])('%s', (verb) => {
  const url = `/v2/models/many/${verb}`;

  it('sends each response as an event of one line, all with one id', async () => {
    dataPlane.onSession = (session) => {
      session.sink.onResponse(
        { servable: 'many', version: '', id: 'x', headers: { 'x-a': '1' }, outputs: [] },
        undefined,
      );
      session.echo();
      session.sink.onEnd(undefined);
    };
    const reply = await post(url, { id: 'r', ...V2 }, { headers: { 'x-user': 'ann' } });
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'x-a': '1' });
    expect(reply.body).toBe(
      'data: {"model_name":"many","id":"r","outputs":[]}\n\n' +
        'data: {"model_name":"many","model_version":"1","id":"r","outputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["hi"]}]}\n\n',
    );
    expect(dataPlane.sessions[0]?.pushed[0]?.headers).toMatchObject({ 'x-user': 'ann' });
  });

  it('answers a failure before the first event with its status, a later one with an event', async () => {
    dataPlane.onSession = (session) => session.sink.onEnd(boom({ status: 418 }));
    const before = await post(url, V2);
    expect([before.statusCode, before.body]).toEqual([418, '{"error":"boom"}']);
    dataPlane.onSession = (session) => {
      session.echo();
      session.sink.onEnd(boom());
    };
    const after = await post(url, V2);
    expect(after.statusCode).toBe(200);
    expect(after.body.endsWith('\n\ndata: {"error":"boom"}\n\n')).toBe(true);
    const unknown = await post(`/v2/models/nope/${verb}`, V2);
    expect([unknown.statusCode, unknown.body]).toEqual([404, '{"error":"Model nope not found"}']);
    expect((await post(url, '{}')).statusCode).toBe(422);
  });

  it('compresses events for clients that take it, failures among them', async () => {
    dataPlane.onSession = (session) => {
      session.echo();
      session.sink.onEnd(boom());
    };
    const reply = await post(url, { id: 'r', ...V2 }, { headers: { 'accept-encoding': 'deflate, br, gzip;q=0.5' } });
    expect(reply.headers['content-encoding']).toBe('gzip');
    const text = gunzipSync(reply.rawPayload).toString();
    expect(text).toMatch(/^data: \{"model_name":"many".*\}\n\ndata: \{"error":"boom"\}\n\n$/);
    dataPlane.onSession = (session) => session.sink.onEnd(undefined);
    const empty = await post(url, V2, { headers: { 'accept-encoding': 'gzip' } });
    expect(gunzipSync(empty.rawPayload).toString()).toBe('');
    const plain = await post(url, V2, { headers: { 'accept-encoding': 'deflate, gzip;q=0' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
  });
});

describe('the rest of MLServer’s paths', () => {
  it('metadata has parameters; readiness is 400 where there is none', async () => {
    expect((await get('/v2')).json()).toMatchObject({ name: 'srv', version: '9' });
    expect((await get('/v2')).json<{ extensions: string[] }>().extensions).toContain('mine');
    expect((await get('/v2/models/text')).json()).toEqual({
      name: 'text',
      versions: ['1'],
      platform: 'fake',
      inputs: [{ ...TEXT, parameters: { content_type: 'str' } }],
      outputs: [],
      parameters: { extra: { a: [1] } },
    });
    dataPlane.states.set('text', { state: 'loading', reason: 'soon' });
    dataPlane.ready = false;
    for (const [path, status] of [
      ['/v2/health/live', 200],
      ['/v2/health/ready', 400],
      ['/v2/models/text/ready', 400],
      ['/v2/models/many/ready', 200],
      ['/v2/models/nope/ready', 404],
      ['/v2/models/many/', 200],
      ['/a/b/v2/models/many/ready/?x=1', 200],
      ['/a/bv2', 404],
    ] as const) {
      expect([path, (await get(path)).statusCode]).toEqual([path, status]);
    }
  });

  it('the repository’s index wants a body; models are loaded and unloaded', async () => {
    const missing = await post('/v2/repository/index', '');
    expect([missing.statusCode, missing.json()]).toMatchObject([422, { detail: [{ type: 'missing' }] }]);
    expect((await post('/v2/repository/index', { ready: 3 })).statusCode).toBe(422);
    dataPlane.states.set('text', { state: 'loading', reason: 'soon' });
    const index = (await post('/v2/repository/index', { ready: true })).json<{ name: string }[]>();
    expect(index.map(({ name }) => name)).toEqual(['many', 'onnx']);
    for (const verb of ['load', 'unload']) {
      const done = await post(`/v2/repository/models/text/${verb}`, '');
      expect([done.statusCode, done.body]).toEqual([200, '']);
      expect((await post(`/v2/repository/models/nope/${verb}`, '')).json()).toEqual({ error: 'Model nope not found' });
    }
    dataPlane.load = () => Promise.reject(new MillraceError('MODEL_INVALID', 'no such file'));
    const failed = await post('/v2/repository/models/text/load', '');
    expect([failed.statusCode, failed.json()]).toEqual([500, { error: 'no such file' }]);
  });

  it('unknown paths and wrong verbs have {"detail"}', async () => {
    const unknown = await get('/v2/nope');
    expect([unknown.statusCode, Object.keys(unknown.json<object>())]).toEqual([404, ['detail']]);
    const wrong = await get('/v2/models/text/infer');
    expect([wrong.statusCode, Object.keys(wrong.json<object>())]).toEqual([405, ['detail']]);
    expect(wrong.headers.allow).toBe('POST');
  });

  it('each model has a page and a document of its own, with a request that it takes', async () => {
    const page = await get('/v2/models/text/docs');
    expect(page.headers['content-type']).toContain('text/html');
    const [script = ''] = /\S+swagger-ui-bundle.js/.exec(page.body) ?? [];
    const at = new URL(script.replace('src="', ''), 'http://h/v2/models/text/docs').pathname;
    expect((await get(at)).statusCode).toBe(200);
    const [document = ''] = /[^']+dataplane.json/.exec(page.body) ?? [];
    const url = new URL(document, 'http://h/v2/models/text/docs').pathname;
    const { paths, servers } = (await get(url)).json<{ paths: Record<string, { post?: object }>; servers: object[] }>();
    expect(servers).toEqual([{ url: '/a/b' }]);
    expect(Object.keys(paths)).toContain('/v2/models/text/infer_stream');
    expect(Object.keys(paths).every((path) => path.startsWith('/v2/models/text') && !path.includes('{'))).toBe(true);
    expect(JSON.stringify(paths['/v2/models/text/infer']?.post)).toContain(
      '"example":{"inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["text"]}]}',
    );
    const versioned = (await get('/v2/models/text/versions/1/docs/dataplane.json')).json<{ paths: object }>();
    expect(Object.keys(versioned.paths)).toContain('/v2/models/text/versions/1/infer');
    expect((await get('/v2/models/nope/docs')).statusCode).toBe(404);
    expect((await get('/v2/docs')).body).toContain('swagger-ui');
    expect((await get('/v2/docs/dataplane.json')).json()).toHaveProperty('paths');
  });

  it('browsers are told what cors_settings say', async () => {
    const ask = (origin: string) =>
      get('/v2/models/text/infer', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    expect((await ask('http://a.example')).headers).toMatchObject({
      'access-control-allow-origin': 'http://a.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'x-user',
      'access-control-max-age': '60',
    });
    expect((await ask('http://x.b.example')).headers['access-control-allow-origin']).toBe('http://x.b.example');
    expect((await ask('http://c.example')).headers['access-control-allow-origin']).toBeUndefined();
  });

  it('requests are counted by MLServer’s names', async () => {
    await post('/v2/models/text/infer', V2);
    await post('/v2/models/many/versions/1/infer_stream', V2);
    await post('/v2/models/nope/infer', V2);
    await get('/v2/health/live');
    const { body } = await get('/metrics');
    for (const line of [
      'rest_server_requests_total{app_name="mlserver",method="POST",path="/v2/models/{model_name}/infer",status_code="200"} 1',
      'rest_server_requests_total{app_name="mlserver",method="POST",path="/v2/models/{model_name}/infer",status_code="404"} 1',
      'rest_server_requests_total{app_name="mlserver",method="POST",path="/v2/models/{model_name}/versions/{model_version}/infer_stream",status_code="200"} 1',
      'rest_server_request_duration_seconds_count{app_name="mlserver",method="POST",path="/v2/models/{model_name}/infer",status_code="200"} 1',
      'rest_server_requests_in_progress{app_name="mlserver",method="POST"} 0',
    ]) {
      expect(body).toContain(line);
    }
    expect(body).not.toMatch(/rest_server.*(health|metrics)/);
  });
});
