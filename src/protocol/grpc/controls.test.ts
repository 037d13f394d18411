import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeDataPlane } from '../../../test/support/fake-data-plane.ts';
import { silentLogger, type LogSettings } from '../../base/logger.ts';
import { LogSettingsService } from '../../serving/log-settings.ts';
import { TraceSettings } from '../../serving/trace-settings.ts';
import { SharedMemoryRegions } from '../../shared-memory/regions.ts';
import { joinParts } from '../wire/infer-codec.ts';
import { listenGrpc, type GrpcListener } from './listen-grpc.ts';
import { Messages, TRITON_PROTOS } from './messages.ts';
import { BytesClient } from './testing.ts';

const messages = new Messages(TRITON_PROTOS);
const object = `/dev/shm/millrace-test-${randomUUID()}`;
const key = object.slice('/dev/shm'.length);
let plane: FakeDataPlane;
let sharedMemory: SharedMemoryRegions;
let listener: GrpcListener;
let client: BytesClient;

beforeEach(async () => {
  writeFileSync(object, Buffer.alloc(64));
  plane = new FakeDataPlane();
  plane.add({ name: 'm' });
  sharedMemory = new SharedMemoryRegions({ isEnabled: true });
  let settings: LogSettings = { info: true, warning: true, error: true, verboseLevel: 0 };
  const log = {
    get settings() {
      return settings;
    },
    set: (next: LogSettings) => void (settings = next),
  };
  const controls = { sharedMemory, log: new LogSettingsService(log), trace: new TraceSettings((name) => name === 'm') };
  listener = await listenGrpc({ host: '127.0.0.1', port: 0, controls }, plane, silentLogger);
  client = new BytesClient(listener.port);
});

afterEach(async () => {
  client.client.close();
  await listener[Symbol.asyncDispose]();
  sharedMemory[Symbol.dispose]();
  rmSync(object, { force: true });
});

async function call(name: string, request: object = {}): Promise<Record<string, unknown>> {
  const encode = messages.encoder(`inference.${name}Request`);
  const path = `/inference.GRPCInferenceService/${name}`;
  const { reply, error } = await client.unary(path, joinParts(encode(request)).subarray(5));
  if (error !== undefined) throw error;
  return messages.decoder<Record<string, unknown>>(`inference.${name}Response`)(reply as Buffer);
}

const refused = (name: string, request: object): Promise<{ code: number; details: string }> =>
  call(name, request).then(
    () => Promise.reject(new Error(`${name} was answered`)),
    (error: { code: number; details: string }) => error,
  );

test('models are unloaded, loaded again, and what is not there need not be unloaded', async () => {
  await call('RepositoryModelUnload', {
    model_name: 'm',
    parameters: { unload_dependents: { bool_param: true } },
  });
  expect(plane.states.get('m')?.state).toBe('unloaded');
  await call('RepositoryModelLoad', { model_name: 'm' });
  expect(plane.states.has('m')).toBe(false);
  await call('RepositoryModelUnload', { model_name: 'nobody' });
});

test.each([
  ['RepositoryModelLoad', { model_name: 'x' }, 13, "failed to load 'x', failed to poll from model repository"],
  ['RepositoryModelLoad', { model_name: 'm', repository_name: 'r' }, 12, "'repository_name' specification is not"],
  ['RepositoryModelUnload', { model_name: 'm', repository_name: 'r' }, 12, "'repository_name' specification is not"],
  ['RepositoryIndex', { repository_name: 'r' }, 12, "'repository_name' specification is not"],
  [
    'RepositoryModelLoad',
    { model_name: 'm', parameters: { config: { int64_param: 1 } } },
    3,
    "invalid value type for load parameter 'config'",
  ],
  [
    'RepositoryModelLoad',
    { model_name: 'm', parameters: { 'file:1/model.onnx': { bytes_param: Buffer.from('x') } } },
    3,
    "load parameter 'file:1/model.onnx' needs load parameter 'config' beside it",
  ],
  [
    'RepositoryModelLoad',
    {
      model_name: 'm',
      parameters: { config: { string_param: '{}' }, 'file:1/model.onnx': { string_param: 'eA==' } },
    },
    3,
    "invalid value type for load parameter 'file:1/model.onnx', expected bytes_param",
  ],
  [
    'RepositoryModelLoad',
    { model_name: 'm', parameters: { foo: { string_param: '' } } },
    3,
    "unrecognized load parameter 'foo'.",
  ],
  [
    'RepositoryModelUnload',
    { model_name: 'm', parameters: { unload_dependents: { string_param: 'yes' } } },
    3,
    "invalid value type for 'unload_dependents' parameter, expected bool_param.",
  ],
])('%s %j is refused', async (name, request, code, text) => {
  const error = await refused(name, request);
  expect(error).toMatchObject({ code });
  expect(error.details).toContain(text);
});

test('system shared memory is registered, listed and unregistered', async () => {
  const region = { name: 'r', key, offset: 8, byte_size: 16 };
  await call('SystemSharedMemoryRegister', region);
  expect(await call('SystemSharedMemoryStatus')).toEqual({ regions: { r: region } });
  expect(await call('SystemSharedMemoryStatus', { name: 'r' })).toEqual({ regions: { r: region } });
  expect(await refused('SystemSharedMemoryStatus', { name: 'q' })).toMatchObject({ code: 5 });
  expect(await refused('SystemSharedMemoryRegister', region)).toMatchObject({ code: 6 });
  expect(await refused('SystemSharedMemoryRegister', { ...region, name: 'q', key: '/none' })).toMatchObject({
    code: 13,
  });
  expect(await refused('SystemSharedMemoryRegister', { ...region, name: 'q', offset: 60 })).toMatchObject({ code: 3 });
  await call('SystemSharedMemoryUnregister', { name: 'q' });
  await call('SystemSharedMemoryUnregister', { name: 'r' });
  expect(await call('SystemSharedMemoryStatus')).toEqual({ regions: {} });
});

test('CUDA shared memory: none to list or unregister, and registering is refused with what to do instead', async () => {
  expect(await call('CudaSharedMemoryStatus')).toEqual({ regions: {} });
  await call('CudaSharedMemoryUnregister');
  await call('CudaSharedMemoryUnregister', { name: 'x' });
  expect(await refused('CudaSharedMemoryStatus', { name: 'x' })).toMatchObject({
    code: 5,
    details: "Unable to find cuda shared memory region: 'x'",
  });
  const error = await refused('CudaSharedMemoryRegister', { name: 'x', raw_handle: Buffer.alloc(64), byte_size: 8 });
  expect(error.code).toBe(12);
  expect(error.details).toContain('register system shared memory');
});

test('log settings are read and changed; a setting without a value stays', async () => {
  const changed = await call('LogSettings', {
    settings: {
      log_info: { bool_param: false },
      log_verbose_level: { uint32_param: 2 },
      log_warning: {},
      foo: { bool_param: true },
    },
  });
  const settings = (await call('LogSettings'))['settings'];
  expect(changed['settings']).toEqual(settings);
  expect(settings).toMatchObject({
    log_file: { string_param: '' },
    log_info: { bool_param: false },
    log_warning: { bool_param: true },
    log_verbose_level: { uint32_param: 2 },
    log_format: { string_param: 'default' },
  });
  expect(await refused('LogSettings', { settings: { log_info: { uint32_param: 1 } } })).toMatchObject({
    code: 3,
    details: "expect boolean for 'log_info'",
  });
  expect(await refused('LogSettings', { settings: { log_file: { string_param: 'x' } } })).toMatchObject({ code: 12 });
});

test('trace settings are read, changed and taken back, of all models and of one', async () => {
  const value = async (request: object): Promise<unknown> => {
    const { settings } = (await call('TraceSetting', request)) as { settings: Record<string, { value: string[] }> };
    return settings['trace_rate']?.value;
  };
  expect(await value({})).toEqual(['1000']);
  expect(await value({ settings: { trace_rate: { value: ['7'] } } })).toEqual(['7']);
  expect(await value({ model_name: 'm', settings: { trace_rate: { value: ['9'] } } })).toEqual(['9']);
  expect(await value({})).toEqual(['7']);
  expect(await value({ model_name: 'm', settings: { trace_rate: { value: [] } } })).toEqual(['7']);
  expect(await value({ settings: { trace_rate: {} } })).toEqual(['1000']);
  expect(await refused('TraceSetting', { model_name: 'x' })).toMatchObject({
    code: 3,
    details: 'Request for unknown model : x',
  });
});
