import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDataPlane } from '../../../test/support/fake-data-plane.ts';
import { silentLogger } from '../../base/logger.ts';
import { TRITON_EXTENSIONS } from '../wire/extensions.ts';
import { buildRestApp } from './app.ts';

let dataPlane: FakeDataPlane;
let app: FastifyInstance;

beforeEach(async () => {
  dataPlane = new FakeDataPlane();
  dataPlane.add({
    name: 'm',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4], optional: true }],
    outputs: [{ name: 'y', datatype: 'BYTES', shape: [1] }],
  });
  dataPlane.add({ name: 'a b/ü', kind: 'graph', decoupled: true });
  const metrics = async (): Promise<{ contentType: string; body: string }> => ({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: '# HELP x\n',
  });
  app = await buildRestApp(
    { serverVersion: '1.2.3', maxJsonBytes: 2000 },
    { dataPlane, logger: silentLogger, metrics },
  );
});

afterEach(() => app.close());

const encoded = encodeURIComponent('a b/ü');

describe('health', () => {
  it('answers 200 and 503 with empty bodies', async () => {
    for (const path of ['/v2/health/live', '/v2/health/ready']) {
      expect(await app.inject(path)).toMatchObject({ statusCode: 200, body: '' });
    }
    dataPlane.live = dataPlane.ready = false;
    for (const path of ['/v2/health/live', '/v2/health/ready']) {
      expect(await app.inject(path)).toMatchObject({ statusCode: 503, body: '' });
    }
  });

  it('tells a servable that is not ready from one that is not there', async () => {
    expect(await app.inject('/v2/models/m/ready')).toMatchObject({ statusCode: 200, body: '' });
    expect(await app.inject('/v2/models/m/versions/1/ready')).toMatchObject({ statusCode: 200 });
    expect((await app.inject('/v2/models/m/versions/9/ready')).json()).toMatchObject({ reason: 'VERSION_NOT_FOUND' });
    expect((await app.inject('/v2/models/none/ready')).statusCode).toBe(404);
    dataPlane.states.set('m', { state: 'unavailable', reason: 'file missing' });
    const reply = await app.inject('/v2/models/m/ready');
    expect(reply.statusCode).toBe(503);
    expect(reply.json()).toEqual({
      error: "'m' is not at ready state: unavailable, file missing",
      reason: 'SERVABLE_NOT_READY',
    });
  });
});

describe('metadata', () => {
  it.each<[string, unknown]>([
    [
      '/v2',
      {
        name: 'millrace',
        version: '1.2.3',
        extensions: TRITON_EXTENSIONS,
      },
    ],
    ['/v2/models', { models: ['m', 'a b/ü'] }],
    [
      '/v2/models/m',
      {
        name: 'm',
        versions: ['1'],
        platform: 'fake',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
        outputs: [{ name: 'y', datatype: 'BYTES', shape: [1] }],
      },
    ],
    [`/v2/models/${encoded}`, { name: 'a b/ü', versions: ['1'], platform: 'fake', inputs: [], outputs: [] }],
    [
      '/v1/config',
      {
        m: {
          model_version_status: [
            { version: '1', state: 'AVAILABLE', status: { error_code: 'OK', error_message: 'OK' } },
          ],
        },
        'a b/ü': {
          model_version_status: [
            { version: '1', state: 'AVAILABLE', status: { error_code: 'OK', error_message: 'OK' } },
          ],
        },
      },
    ],
  ])('answers %s', async (url, expected) => {
    const reply = await app.inject(url);
    expect(reply.json()).toEqual(expected);
    expect(reply.statusCode).toBe(200);
    expect(reply.headers['content-type']).toContain('application/json');
  });

  it('gives the graph of a graph, and refuses it for other servables', async () => {
    const graph = {
      type: '',
      input_streams: [{ tag: 'IN', index: 0, name: 'a', type: 'any' }],
      output_streams: [],
      input_side_packets: [],
      nodes: [
        {
          name: 'n',
          calculator: 'C',
          input_streams: [{ tag: '', index: 0, name: 'a', back_edge: false }],
          output_streams: [],
          input_side_packets: [{ tag: 'S', index: 0, name: 's', type: 'int', optional: true }],
          output_side_packets: [],
          input_policy: 'DefaultInputStreamHandler',
          timestamp_offset: null,
          source_layer: 0,
          order: 0,
          options: { keep_every: 3, nested: { a: [1.5, 'x'] } },
        },
      ],
      streams: [{ name: 'a', type: 'any', producer: null, consumers: ['n'] }],
      max_queue_size: 100,
      report_deadlock: false,
    };
    dataPlane.add({ name: 'g', kind: 'graph', graph });
    expect((await app.inject('/v2/models/g/graph')).json()).toEqual(graph);
    expect((await app.inject('/v2/models/g/versions/1/graph')).json()).toEqual(graph);
    const refused = await app.inject('/v2/models/m/graph');
    expect(refused.statusCode).toBe(400);
    expect(refused.json()).toEqual({ error: "'m' is a runtime, a graph expected", reason: 'NOT_SUPPORTED' });
    expect((await app.inject('/v2/models/none/graph')).statusCode).toBe(404);
    const { paths } = (await app.inject('/openapi.json')).json<{ paths: object }>();
    expect(Object.keys(paths)).toContain('/v2/models/{model}/graph');
  });

  it("gives Triton's model configuration, what the metadata does not tell at its default", async () => {
    expect((await app.inject('/v2/models/m/versions/1/config')).json()).toMatchObject({
      name: 'm',
      platform: 'fake',
      backend: 'millrace',
      version_policy: { latest: { num_versions: 1 } },
      max_batch_size: 0,
      input: [{ name: 'x', data_type: 'TYPE_FP32', dims: [-1, 4], optional: true }],
      output: [{ name: 'y', data_type: 'TYPE_STRING', dims: [1] }],
      instance_group: [{ name: 'm_0', kind: 'KIND_CPU' }],
      model_transaction_policy: { decoupled: false },
    });
  });

  it('gives statistics of one and of all', async () => {
    const one = (await app.inject('/v2/models/m/stats')).json<{ model_stats: unknown[] }>();
    expect(one.model_stats).toMatchObject([
      {
        name: 'm',
        version: '1',
        last_inference: 17,
        inference_stats: { success: { count: 2, ns: 3000 }, cache_hit: { count: 0 } },
      },
    ]);
    expect((await app.inject('/v2/models/stats')).json<{ model_stats: unknown[] }>().model_stats).toHaveLength(2);
    expect((await app.inject('/v2/models/none/stats')).statusCode).toBe(404);
  });

  it('serves metrics with and without a slash', async () => {
    for (const url of ['/metrics', '/metrics/']) {
      const reply = await app.inject(url);
      expect(reply.body).toBe('# HELP x\n');
      expect(reply.headers['content-type']).toContain('version=0.0.4');
    }
  });
});

describe('repository and configuration', () => {
  it('lists servables with their state', async () => {
    dataPlane.states.set('m', { state: 'loading', reason: '' });
    const index = async (body?: string): Promise<unknown> =>
      (
        await app.inject({ method: 'POST', url: '/v2/repository/index', ...(body === undefined ? {} : { body }) })
      ).json();
    const all = [
      { name: 'm', version: '1', state: 'LOADING', reason: '' },
      { name: 'a b/ü', version: '1', state: 'READY', reason: '' },
    ];
    expect(await index()).toEqual(all);
    expect(await index('{}')).toEqual(all);
    expect(await index('{"ready":true}')).toEqual(all.slice(1));
    expect(await index('{"ready":1}')).toMatchObject({ reason: 'MALFORMED_REQUEST' });
    expect(await index('{"x":true}')).toMatchObject({ reason: 'MALFORMED_REQUEST' });
    expect(await index('['.repeat(1000))).toMatchObject({ reason: 'MALFORMED_REQUEST' });
  });

  it('answers a reload with 201 when something changed', async () => {
    expect((await app.inject({ method: 'POST', url: '/v1/config/reload' })).statusCode).toBe(200);
    dataPlane.reloaded = true;
    const reply = await app.inject({ method: 'POST', url: '/v1/config/reload' });
    expect(reply.statusCode).toBe(201);
    expect(reply.json()).toHaveProperty('m');
  });
});

describe('what is not there', () => {
  it.each([
    ['POST', '/v2/health/live', 'GET, HEAD'],
    ['GET', '/v2/models/m/infer', 'POST'],
    ['DELETE', '/v2/models/m', 'GET, HEAD'],
    ['PUT', '/v1/config/reload', 'POST'],
    ['OPTIONS', '/v2', 'GET, HEAD'],
  ] as const)('refuses %s %s with 405', async (method, url, allow) => {
    const reply = await app.inject({ method, url });
    expect(reply.statusCode).toBe(405);
    expect(reply.headers.allow).toBe(allow);
    expect(reply.json()).toEqual({
      error: `method ${method} is not allowed for ${url}; ${allow} expected`,
      reason: 'METHOD_NOT_ALLOWED',
    });
  });

  it.each([
    ['/v2/', '; did you mean "/v2"?'],
    ['/v2/model/m/infer', '; did you mean "/v2/models/m/infer"?'],
    ['/v2/models/m/infe', '; did you mean "/v2/models/m/infer"?'],
    ['/something/else/entirely?x=1', '; /docs shows all paths'],
    ['/', '; /docs shows all paths'],
    ['/v1/models/m:predict', '; the v1 API is not served, use /v2/models/m/infer'],
    ['/v1/models/m/versions/2:classify', '; the v1 API is not served, use /v2/models/m/versions/2/infer'],
    ['/v1/models/m', '; the v1 API is not served, use /v2/models/m/ready'],
    ['/v1/models/m/metadata', '; the v1 API is not served, use /v2/models/m'],
  ])('refuses %s with 404', async (url, hint) => {
    const reply = await app.inject({ method: 'POST', url, body: '{}' });
    expect(reply.statusCode).toBe(404);
    expect(reply.json()).toEqual({ error: `no such path: ${url.split('?', 1)[0]}${hint}`, reason: 'PATH_NOT_FOUND' });
  });

  it('refuses a path that is not percent-encoded right', async () => {
    const reply = await app.inject('/v2/models/%zz');
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toMatchObject({ reason: 'MALFORMED_REQUEST' });
  });

  it('sends no CORS headers', async () => {
    const reply = await app.inject({ url: '/v2', headers: { origin: 'http://a' } });
    expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('hides what went wrong inside, and logs it', async () => {
    const logged: unknown[] = [];
    const logger = { ...silentLogger, error: (fields: object) => void logged.push(fields) };
    const broken = await buildRestApp({}, { dataPlane, logger });
    dataPlane.reload = () => Promise.reject(new Error('secret path'));
    const reply = await broken.inject({ method: 'POST', url: '/v1/config/reload' });
    expect(reply.statusCode).toBe(500);
    expect(reply.body).not.toContain('secret');
    expect(logged).toMatchObject([{ err: new Error('secret path') }]);
    await broken.close();
  });
});

describe('CORS', () => {
  it('is there when configured', async () => {
    const open = await buildRestApp({ corsOrigins: ['http://a'] }, { dataPlane, logger: silentLogger });
    const headers = { origin: 'http://a', 'access-control-request-method': 'POST' };
    const preflight = await open.inject({ method: 'OPTIONS', url: '/v2/models/m/infer', headers });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('http://a');
    await open.close();
  });
});

describe('OpenAPI', () => {
  it('describes every route, and the page works from local files', async () => {
    const document = (await app.inject('/openapi.json')).json<{ openapi: string; paths: Record<string, object> }>();
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining([
        '/v2',
        '/v2/health/ready',
        '/v2/models/{model}/infer',
        '/v2/models/{model}/versions/{version}/generate_stream',
        '/v1/config/reload',
        '/metrics',
      ]),
    );
    expect(document.paths['/v2']).toEqual({ get: expect.anything() as unknown });
    const page = await app.inject('/docs/');
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    expect((await app.inject('/docs/static/swagger-ui-bundle.js')).statusCode).toBe(200);
  });
});
