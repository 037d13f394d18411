import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeDataPlane } from '../../../test/support/fake-data-plane.ts';
import { createLogger } from '../../observability/logger.ts';
import { LogSettingsService } from '../../serving/log-settings.ts';
import { TraceSettings } from '../../serving/trace-settings.ts';
import { SharedMemoryRegions } from '../../shared-memory/regions.ts';
import { buildRestApp } from './app.ts';

const object = `/dev/shm/millrace-test-${randomUUID()}`;
const key = object.slice('/dev/shm'.length);
const lines: string[] = [];
let plane: FakeDataPlane;
let sharedMemory: SharedMemoryRegions;
let app: FastifyInstance;
let logger: ReturnType<typeof createLogger>;

beforeEach(async () => {
  writeFileSync(object, Buffer.alloc(64));
  plane = new FakeDataPlane();
  plane.add({ name: 'm' });
  lines.length = 0;
  logger = createLogger('info', { write: (line) => lines.push(line) });
  sharedMemory = new SharedMemoryRegions({ isEnabled: true });
  const log = new LogSettingsService(logger.control);
  const controls = { sharedMemory, log, trace: new TraceSettings((name) => name === 'm') };
  app = await buildRestApp({}, { dataPlane: plane, logger, controls });
});

afterEach(async () => {
  await app.close();
  sharedMemory[Symbol.dispose]();
  rmSync(object, { force: true });
});

async function send(line: string, body?: string): Promise<{ status: number; body: unknown }> {
  const [method = '', url = ''] = line.split(' ');
  const reply = await app.inject({ method: method as 'GET', url, ...(body !== undefined && { payload: body }) });
  return { status: reply.statusCode, body: reply.body === '' ? '' : reply.json() };
}

test('models are unloaded and loaded, with and without a body', async () => {
  expect(await send('POST /v2/repository/models/m/unload', '{"parameters":{"unload_dependents":false}}')).toEqual({
    status: 200,
    body: '',
  });
  expect(plane.states.get('m')?.state).toBe('unloaded');
  expect(await send('POST /v2/repository/models/m/load')).toEqual({ status: 200, body: '' });
  expect(plane.states.has('m')).toBe(false);
  expect(await send('POST /v2/repository/models/nobody/unload')).toEqual({ status: 200, body: '' });
});

test.each<[string, string | undefined, number, string]>([
  ['POST /v2/repository/models/x/load', undefined, 500, "failed to load 'x', failed to poll from model repository"],
  ['POST /v2/repository/r/models/m/load', undefined, 501, "'repository_name' specification is not supported"],
  ['POST /v2/repository/r/models/m/unload', undefined, 501, "'repository_name' specification is not supported"],
  ['POST /v2/repository/models/m/load', '{bad', 400, ''],
  ['POST /v2/repository/models/m/load', '[]', 400, 'the request body is no load request: a JSON object expected'],
  ['POST /v2/repository/models/m/load', '{"parameters":3}', 400, 'parameters'],
  ['POST /v2/repository/models/m/load', '{"parameters":{"foo":1}}', 400, "unrecognized load parameter 'foo'."],
  ['POST /v2/repository/models/m/load', '{"parameters":{"config":3}}', 400, 'expected string_param'],
  ['POST /v2/repository/models/m/load', '{"parameters":{"file:1/a":"eA=="}}', 400, "needs load parameter 'config'"],
  ['POST /v2/repository/models/m/unload', '{"parameters":{"unload_dependents":1}}', 400, 'unload_dependents'],
  ['POST /v2/repository/index', '{"ready":1}', 400, 'ready'],
  ['POST /v2/systemsharedmemory/region/r/register', '', 400, ''],
  ['POST /v2/systemsharedmemory/region/r/register', '{"key":"/x"}', 400, 'byte_size'],
  ['POST /v2/systemsharedmemory/region/r/register', '{"byte_size":1}', 400, 'key'],
  [
    'POST /v2/systemsharedmemory/region/r/register',
    '{"key":"/nobody","byte_size":1}',
    500,
    'Unable to open shared memory',
  ],
  ['GET /v2/systemsharedmemory/region/r/status', undefined, 404, "Unable to find system shared memory region: 'r'"],
  ['POST /v2/cudasharedmemory/region/r/register', '{}', 501, 'it is not supported; register system shared memory'],
  ['GET /v2/cudasharedmemory/region/r/status', undefined, 404, "Unable to find cuda shared memory region: 'r'"],
  ['GET /v2/models/x/trace/setting', undefined, 400, 'Request for unknown model : x'],
  ['POST /v2/trace/setting', '{"trace_rate":5}', 400, 'a string, or null expected'],
  ['POST /v2/trace/setting', '{"trace_level":"OFF"}', 400, 'an array of strings, or null expected'],
  ['POST /v2/trace/setting', '{"trace_file":"/x"}', 501, 'trace file location can not be updated'],
  ['POST /v2/logging', '{"log_info":"x"}', 400, "expect boolean for 'log_info'"],
  ['POST /v2/logging', '{"log_verbose_level":-1}', 400, "expect int32 for 'log_verbose_level'"],
  ['POST /v2/logging', '{"log_verbose_level":1.5}', 400, "expect int32 for 'log_verbose_level'"],
  ['POST /v2/logging', '{"log_format":"x"}', 400, 'invalid argument for log_format, got: x'],
  ['POST /v2/logging', '{"log_file":"x"}', 501, 'log file location can not be updated'],
  ['POST /v2/logging', '{"log_info":{}}', 400, 'log_info'],
  ['POST /v2/logging', '', 400, ''],
])('%s %s is refused', async (line, body, status, text) => {
  const reply = await send(line, body);
  expect(reply.status, JSON.stringify(reply.body)).toBe(status);
  expect((reply.body as { error: string }).error).toContain(text);
});

test('system shared memory is registered, listed and unregistered', async () => {
  const region = { key, offset: 8, byte_size: 16 };
  const path = 'POST /v2/systemsharedmemory/region/a%20b';
  expect(await send(`${path}/register`, JSON.stringify(region))).toEqual({ status: 200, body: '' });
  expect((await send(`${path}/register`, JSON.stringify(region))).status).toBe(400);
  const listed = { status: 200, body: [{ name: 'a b', ...region }] };
  expect(await send('GET /v2/systemsharedmemory/status')).toEqual(listed);
  expect(await send('GET /v2/systemsharedmemory/region/a%20b/status')).toEqual(listed);
  expect(await send('POST /v2/systemsharedmemory/region/nobody/unregister')).toEqual({ status: 200, body: '' });
  expect(await send('POST /v2/systemsharedmemory/unregister')).toEqual({ status: 200, body: '' });
  expect(await send('GET /v2/systemsharedmemory/status')).toEqual({ status: 200, body: [] });
  expect(await send('GET /v2/cudasharedmemory/status')).toEqual({ status: 200, body: [] });
  expect(await send('POST /v2/cudasharedmemory/unregister')).toEqual({ status: 200, body: '' });
});

test('the log follows its settings at once, and so do loggers that were made before', async () => {
  const child = logger.child({ part: 'x' });
  child.debug({}, 'first');
  expect(await send('POST /v2/logging', '{"log_verbose_level":1,"log_info":false,"log_warning":null}')).toMatchObject({
    status: 200,
    body: { log_verbose_level: 1, log_info: false, log_warning: true, log_file: '', log_format: 'default' },
  });
  child.debug({}, 'second');
  child.info({}, 'third');
  child.warn({}, 'fourth');
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['second', 'fourth']);
  expect(await send('GET /v2/logging')).toMatchObject({ body: { log_verbose_level: 1, log_info: false } });
});

test('trace settings are read, changed and taken back', async () => {
  const rateOf = async (line: string, body?: string): Promise<unknown> =>
    ((await send(line, body)).body as { trace_rate: string }).trace_rate;
  expect(await send('GET /v2/trace/setting')).toEqual({
    status: 200,
    body: {
      trace_level: ['OFF'],
      trace_rate: '1000',
      trace_count: '-1',
      log_frequency: '0',
      trace_file: '',
      trace_mode: 'triton',
    },
  });
  expect(await rateOf('POST /v2/trace/setting', '{"trace_rate":"5"}')).toBe('5');
  expect(await rateOf('POST /v2/models/m/trace/setting', '{"trace_rate":"6"}')).toBe('6');
  expect(await rateOf('GET /v2/trace/setting')).toBe('5');
  expect(await rateOf('POST /v2/models/m/trace/setting', '{"trace_rate":null}')).toBe('5');
});
