import { get, post, rpc, type Case } from './case.ts';

/** More of statistics, repository, trace and log settings. What they change they put back. */

/** Triton counts just after it has answered. */
const COUNTED = { compare: 'counts', afterMs: 300 };
const value = (kind: string, given: unknown): object => ({ [`${kind}_param`]: given });
const INFER = '/v2/models/identity/infer';
const index = (name: string, body: string, path = '/v2/repository/index'): Case =>
  post(`repository index, ${name}`, path, body);

/** Before any other inference: it is counted from the start on. */
export const COUNTED_CASES: readonly Case[] = [
  rpc('statistics at the start', 'ModelStatistics', { name: 'identity' }, COUNTED),
  post('counted, one', INFER, '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[2],"data":[1,2]}]}'),
  post('counted, another', INFER, '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[3],"data":[1,2,3]}]}'),
  rpc('statistics after two inferences', 'ModelStatistics', { name: 'identity' }, COUNTED),
  get('statistics after two inferences, over http', '/v2/models/identity/stats', { compare: 'counts' }),
  post('not counted, a fault', INFER, '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]}'),
  rpc('statistics after a fault', 'ModelStatistics', { name: 'identity' }, COUNTED),
];

const STATISTICS: readonly Case[] = [
  rpc('statistics of a version', 'ModelStatistics', { name: 'identity', version: '1' }, { compare: 'shape' }),
  rpc('statistics of an unknown version', 'ModelStatistics', { name: 'identity', version: '9' }),
  rpc('statistics of a version that is no number', 'ModelStatistics', { name: 'identity', version: 'x' }),
  get('statistics of an unknown version over http', '/v2/models/identity/versions/9/stats'),
  get('statistics of all over http', '/v2/models/stats', { compare: 'shape' }),
  rpc('unload, for its statistics', 'RepositoryModelUnload', { model_name: 'identity' }),
  rpc('statistics of an unloaded model', 'ModelStatistics', { name: 'identity' }, { afterMs: 500 }),
  get('statistics of an unloaded model over http', '/v2/models/identity/stats'),
  rpc('load, for its statistics', 'RepositoryModelLoad', { model_name: 'identity' }),
  rpc('statistics after a load', 'ModelStatistics', { name: 'identity' }, COUNTED),
];

const REPOSITORY: readonly Case[] = [
  index('ready ones', '{"ready":true}'),
  index('not only ready ones', '{"ready":false}', '/v2/repository/index'),
  index('of a named repository over http', '', '/v2/repository/r/index'),
  index('null', '{"ready":null}'),
  index('an array', '[]'),
  rpc('repository index, ready ones over gRPC', 'RepositoryIndex', { ready: true }),
  rpc('unload for the index', 'RepositoryModelUnload', { model_name: 'counter' }),
  rpc('repository index, one unloaded', 'RepositoryIndex', {}, { afterMs: 2500 }),
  rpc('repository index, ready ones, one unloaded', 'RepositoryIndex', { ready: true }),
  rpc('infer on an unloaded sequence model', 'ModelInfer', { model_name: 'counter' }),
  get('ready over http, unloaded', '/v2/models/counter/ready'),
  get('configuration over http, unloaded', '/v2/models/counter/config'),
  rpc('unload what is unloaded', 'RepositoryModelUnload', { model_name: 'counter' }),
  rpc('load for the index', 'RepositoryModelLoad', { model_name: 'counter' }),
  rpc('load, parameter that is no text', 'RepositoryModelLoad', {
    model_name: 'identity',
    parameters: { config: value('bool', true) },
  }),
  rpc('load, a file without a configuration', 'RepositoryModelLoad', {
    model_name: 'identity',
    parameters: { 'file:1/model.x': { bytes_param: Buffer.from('x') } },
  }),
  rpc('load, a configuration that is no JSON', 'RepositoryModelLoad', {
    model_name: 'identity',
    parameters: { config: value('string', '{') },
  }),
  rpc('ready after loads that failed', 'ModelReady', { name: 'identity' }),
  post('load over http, malformed', '/v2/repository/models/identity/load', '{'),
  post('load over http, parameters that are no object', '/v2/repository/models/identity/load', '{"parameters":1}'),
  post(
    'load over http, number for a configuration',
    '/v2/repository/models/identity/load',
    '{"parameters":{"config":1}}',
  ),
  post('load over http, unknown parameter', '/v2/repository/models/identity/load', '{"parameters":{"foo":"x"}}'),
  post(
    'unload over http, wrong type of unload_dependents',
    '/v2/repository/models/nobody/unload',
    '{"parameters":{"unload_dependents":1}}',
  ),
  get('load over http, wrong verb', '/v2/repository/models/identity/load'),
];

const trace = (name: string, settings: Record<string, readonly string[]>, model = ''): Case =>
  rpc(`trace, ${name}`, 'TraceSetting', {
    model_name: model,
    settings: Object.fromEntries(Object.entries(settings).map(([key, texts]) => [key, { value: texts }])),
  });
const httpTrace = (name: string, body: string, path = '/v2/trace/setting'): Case =>
  post(`trace over http, ${name}`, path, body);
const OF_IDENTITY = '/v2/models/identity/trace/setting';

const TRACE: readonly Case[] = [
  trace('log frequency', { log_frequency: ['3'] }),
  trace('rate 0', { trace_rate: ['0'] }),
  trace('count -1', { trace_count: ['-1'] }),
  trace('level that is none', { trace_level: ['LOUD'] }),
  trace('two levels', { trace_level: ['TIMESTAMPS', 'TENSORS'] }),
  trace('mode', { trace_mode: ['opentelemetry'] }),
  trace('two settings, one wrong', { trace_rate: ['8'], trace_count: ['x'] }),
  trace('after two settings, one wrong', {}),
  trace('log frequency, negative', { log_frequency: ['-1'] }),
  trace('rate, a fraction', { trace_rate: ['1.5'] }),
  trace('taken back', { log_frequency: [], trace_rate: [], trace_count: [], trace_level: [] }),
  httpTrace('of a model', '{"trace_rate":"6"}', OF_IDENTITY),
  get('trace over http, of a model, read', OF_IDENTITY),
  get('trace over http, of another model', '/v2/models/words/trace/setting'),
  httpTrace('of a model, taken back', '{"trace_rate":null}', OF_IDENTITY),
  httpTrace('level as a text', '{"trace_level":"OFF"}'),
  httpTrace('level as a list', '{"trace_level":["OFF"]}'),
  httpTrace('levels of a wrong type', '{"trace_level":[1]}'),
  httpTrace('malformed', '{'),
  httpTrace('no body', ''),
  httpTrace('not known', '{"foo":"x"}'),
  httpTrace('all taken back', '{"trace_rate":null,"trace_level":null,"trace_count":null,"log_frequency":null}'),
];

const log = (name: string, settings: object): Case => rpc(`log, ${name}`, 'LogSettings', { settings });
const httpLog = (name: string, body: string): Case => post(`log over http, ${name}`, '/v2/logging', body);

const LOGGING: readonly Case[] = [
  log('two settings', { log_warning: value('bool', false), log_error: value('bool', false) }),
  log('two settings, one wrong', { log_warning: value('bool', true), log_error: value('string', 'x') }),
  log('after two settings, one wrong', {}),
  log('nothing said', { log_info: {} }),
  log('put back', { log_warning: value('bool', true), log_error: value('bool', true), log_info: value('bool', true) }),
  httpLog('malformed', '{'),
  httpLog('no body', ''),
  httpLog('not known', '{"foo":true}'),
  httpLog('level', '{"log_verbose_level":1}'),
  httpLog('level as a fraction', '{"log_verbose_level":1.5}'),
  httpLog('format', '{"log_format":"ISO8601"}'),
  httpLog('put back', '{"log_verbose_level":0,"log_format":"default"}'),
];

export const SETTING_CASES: readonly Case[] = [...STATISTICS, ...REPOSITORY, ...TRACE, ...LOGGING];
