import { get, post, rpc, type Case } from './case.ts';
import { OBJECT_KEY } from './shared-object.ts';

/*
 * Triton's control extensions: repository, shared memory, trace, logging. In this order: what one exchange changes, later ones
 * may see; the last of each kind put it back.
 */

const load = (name: string, message: object = {}): Case =>
  rpc(name, 'RepositoryModelLoad', { model_name: 'identity', ...message });
const unload = (name: string, message: object = {}): Case =>
  rpc(name, 'RepositoryModelUnload', { model_name: 'identity', ...message });
const value = (kind: string, given: unknown): object => ({ [`${kind}_param`]: given });

const REPOSITORY: readonly Case[] = [
  rpc('index of a named repository', 'RepositoryIndex', { repository_name: 'r' }),
  load('load', {}),
  load('load, unknown model', { model_name: 'nobody' }),
  load('load, no name', { model_name: '' }),
  load('load, path as name', { model_name: '../identity' }),
  load('load, named repository', { repository_name: 'r' }),
  load('load, unknown parameter', { parameters: { foo: value('string', 'x') } }),
  load('load, configuration of the wrong type', { parameters: { config: value('int64', 3) } }),
  unload('unload, unknown model', { model_name: 'nobody' }),
  unload('unload, named repository', { repository_name: 'r' }),
  unload('unload, wrong type of unload_dependents', { parameters: { unload_dependents: value('string', 'x') } }),
  unload('unload', { parameters: { unload_dependents: value('bool', true) } }),
  rpc('infer on an unloaded model', 'ModelMetadata', { name: 'identity' }),
  rpc('model ready, unloaded', 'ModelReady', { name: 'identity' }),
  load('load after unload', {}),
  rpc('model ready, loaded again', 'ModelReady', { name: 'identity' }),
  post('index over http, not a boolean', '/v2/repository/index', '{"ready":1}'),
  post('index over http, malformed', '/v2/repository/index', '{'),
  post('load over http', '/v2/repository/models/identity/load'),
  post('load over http, unknown model', '/v2/repository/models/nobody/load'),
  post('load over http, named repository', '/v2/repository/r/models/identity/load'),
  post('unload over http, unknown model', '/v2/repository/models/nobody/unload', '{"parameters":{}}'),
];

const register = (name: string, region: object): Case => rpc(name, 'SystemSharedMemoryRegister', region);
const region = { name: 'r', key: OBJECT_KEY, offset: 0, byte_size: 64 };
const shared = (more: object = {}): object => ({
  shared_memory_region: value('string', 'r'),
  shared_memory_byte_size: value('int64', 8),
  ...more,
});
const offset = (bytes: number): object => ({ shared_memory_offset: value('int64', bytes) });
const infer = (name: string, input: object | undefined, output?: object, more: object = {}): Case =>
  rpc(name, 'ModelInfer', {
    model_name: 'identity',
    id: '7',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [2], ...(input && { parameters: input }) }],
    outputs: output === undefined ? [] : [{ name: 'OUTPUT0', parameters: output }],
    ...more,
  });
const status = '/v2/systemsharedmemory/status';
const jsonInput = (parameters: object): string =>
  `{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[2],"parameters":${JSON.stringify(parameters)}}]`;
const inRegion = { shared_memory_region: 'r', shared_memory_byte_size: 8 };

const SHARED_MEMORY: readonly Case[] = [
  rpc('shared memory status, none', 'SystemSharedMemoryStatus'),
  rpc('shared memory status, unknown', 'SystemSharedMemoryStatus', { name: 'r' }),
  register('shared memory register', region),
  register('shared memory register, twice', region),
  register('shared memory register, no such object', { ...region, name: 'q', key: '/nobody-has-this' }),
  register('shared memory register, path as key', { ...region, name: 'q', key: '../etc/passwd' }),
  register('shared memory register, empty key', { ...region, name: 'q', key: '' }),
  register('shared memory register, beyond the object', { ...region, name: 'q', byte_size: 65 }),
  rpc('shared memory status', 'SystemSharedMemoryStatus', { name: 'r' }),
  infer('shared memory infer, input', shared()),
  infer('shared memory infer, input and output', shared(), shared(offset(32))),
  infer('shared memory infer, what the last one wrote', shared(offset(32))),
  infer('shared memory infer, raw input, shared output', undefined, shared(offset(40)), {
    raw_input_contents: [Buffer.from('0000404000008040', 'hex')],
  }),
  infer('shared memory infer, what the raw one wrote', shared(offset(40))),
  infer('shared memory infer, raw bytes that belong to no input', shared(), undefined, {
    raw_input_contents: [Buffer.alloc(8)],
  }),
  infer('shared memory infer, unknown region', { ...shared(), shared_memory_region: value('string', 'nobody') }),
  infer('shared memory infer, no size', { shared_memory_region: value('string', 'r') }),
  infer('shared memory infer, size without a region', { shared_memory_byte_size: value('int64', 8) }),
  infer('shared memory infer, offset beyond the region', shared(offset(65))),
  infer('shared memory infer, end beyond the region', shared(offset(60))),
  infer('shared memory infer, negative offset', shared(offset(-1))),
  infer('shared memory infer, too large', shared({ shared_memory_byte_size: value('int64', 12) })),
  infer('shared memory infer, too small', shared({ shared_memory_byte_size: value('int64', 4) })),
  infer('shared memory infer, output too large for its place', shared(), {
    ...shared(),
    shared_memory_byte_size: value('int64', 4),
  }),
  infer('shared memory infer, output in an unknown region', shared(), {
    ...shared(),
    shared_memory_region: value('string', 'nobody'),
  }),
  rpc('shared memory infer, contents, too', 'ModelInfer', {
    model_name: 'identity',
    inputs: [
      {
        name: 'INPUT0',
        datatype: 'FP32',
        shape: [2],
        parameters: shared(),
        contents: { fp32_contents: [1, 2] },
      },
    ],
  }),
  get('shared memory status over http', status),
  get('shared memory status over http, one', '/v2/systemsharedmemory/region/r/status'),
  get('shared memory status over http, unknown', '/v2/systemsharedmemory/region/q/status'),
  post('shared memory register over http, no key', '/v2/systemsharedmemory/region/q/register', '{"byte_size":8}'),
  post('shared memory register over http, no size', '/v2/systemsharedmemory/region/q/register', '{"key":"/x"}'),
  post('shared memory infer over http, input', '/v2/models/identity/infer', `${jsonInput(inRegion)}}`),
  post(
    'shared memory infer over http, input and output',
    '/v2/models/identity/infer',
    `${jsonInput(inRegion)},"outputs":[{"name":"OUTPUT0","parameters":${JSON.stringify({ ...inRegion, shared_memory_offset: 48 })}}]}`,
  ),
  post(
    'shared memory infer over http, unknown region',
    '/v2/models/identity/infer',
    `${jsonInput({ ...inRegion, shared_memory_region: 'nobody' })}}`,
  ),
  post(
    'shared memory infer over http, no size',
    '/v2/models/identity/infer',
    `${jsonInput({ shared_memory_region: 'r' })}}`,
  ),
  rpc('shared memory unregister, unknown', 'SystemSharedMemoryUnregister', { name: 'q' }),
  rpc('shared memory unregister', 'SystemSharedMemoryUnregister', { name: 'r' }),
  infer('shared memory infer, unregistered', shared()),
  post('shared memory unregister all over http', '/v2/systemsharedmemory/unregister'),
  get('shared memory status over http, none', status),
  rpc('CUDA memory status', 'CudaSharedMemoryStatus'),
  rpc('CUDA memory status, unknown', 'CudaSharedMemoryStatus', { name: 'q' }),
  rpc('CUDA memory register', 'CudaSharedMemoryRegister', { name: 'q', raw_handle: Buffer.alloc(64), byte_size: 8 }),
  rpc('CUDA memory unregister', 'CudaSharedMemoryUnregister', { name: 'q' }),
  rpc('CUDA memory unregister all', 'CudaSharedMemoryUnregister'),
  get('CUDA memory status over http', '/v2/cudasharedmemory/status'),
  post('CUDA memory unregister all over http', '/v2/cudasharedmemory/unregister'),
];

const trace = (name: string, settings: Record<string, readonly string[]>, model = ''): Case =>
  rpc(name, 'TraceSetting', {
    model_name: model,
    settings: Object.fromEntries(Object.entries(settings).map(([key, texts]) => [key, { value: texts }])),
  });

const TRACE: readonly Case[] = [
  trace('trace settings', {}),
  trace('trace settings of a model', {}, 'identity'),
  trace('trace settings, unknown model', {}, 'nobody'),
  trace('trace rate', { trace_rate: ['7'] }),
  trace('trace rate, no number', { trace_rate: ['x'] }),
  trace('trace rate, two values', { trace_rate: ['1', '2'] }),
  trace('trace count below -1', { trace_count: ['-2'] }),
  trace('trace count', { trace_count: ['5'] }),
  trace('trace level without a file', { trace_level: ['TIMESTAMPS'] }),
  trace('trace level OFF and another', { trace_level: ['OFF', 'TIMESTAMPS'] }),
  trace('trace level OFF', { trace_level: ['OFF'] }),
  trace('trace file', { trace_file: ['/tmp/x'] }),
  trace('trace setting that is not known', { foo: ['x'] }),
  trace('trace rate of a model', { trace_rate: ['9'] }, 'identity'),
  trace('trace rate of a model taken back', { trace_rate: [] }, 'identity'),
  trace('trace settings taken back', { trace_rate: [], trace_count: [] }),
  get('trace settings over http', '/v2/trace/setting'),
  get('trace settings over http, unknown model', '/v2/models/nobody/trace/setting'),
  post('trace rate over http', '/v2/trace/setting', '{"trace_rate":"5"}'),
  post('trace rate over http, a number', '/v2/trace/setting', '{"trace_rate":5}'),
  post('trace rate taken back over http', '/v2/trace/setting', '{"trace_rate":null}'),
  post('trace file over http', '/v2/trace/setting', '{"trace_file":"/x"}'),
];

const log = (name: string, settings: object): Case => rpc(name, 'LogSettings', { settings });

const LOGGING: readonly Case[] = [
  log('log settings', {}),
  log('log setting', { log_info: value('bool', false) }),
  log('log setting of the wrong type', { log_info: value('uint32', 1) }),
  log('log level', { log_verbose_level: value('uint32', 2) }),
  log('log level of the wrong type', { log_verbose_level: value('bool', true) }),
  log('log format', { log_format: value('string', 'ISO8601') }),
  log('log format that is none', { log_format: value('string', 'x') }),
  log('log file', { log_file: value('string', '/tmp/x') }),
  log('log setting that is not known', { foo: value('bool', true) }),
  log('log settings put back', {
    log_info: value('bool', true),
    log_verbose_level: value('uint32', 0),
    log_format: value('string', 'default'),
  }),
  get('log settings over http', '/v2/logging'),
  post('log setting over http', '/v2/logging', '{"log_warning":false}'),
  post('log setting over http, wrong type', '/v2/logging', '{"log_info":"x"}'),
  post('log level over http, negative', '/v2/logging', '{"log_verbose_level":-1}'),
  post('log format over http that is none', '/v2/logging', '{"log_format":"x"}'),
  post('log file over http', '/v2/logging', '{"log_file":"x"}'),
  post('log setting put back over http', '/v2/logging', '{"log_warning":true}'),
];

export const CONTROL_CASES: readonly Case[] = [...REPOSITORY, ...SHARED_MEMORY, ...TRACE, ...LOGGING];
