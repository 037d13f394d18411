import { FORMS, get, post, rpc, type Case, type CaseRequest, type CaseTensor } from './case.ts';
import { CONTROL_CASES } from './control-requests.ts';
import { ENSEMBLE_CASES } from './ensemble-requests.ts';
import { REGION_CASES } from './region-requests.ts';
import { SEQUENCE_CASES } from './sequence-requests.ts';
import { COUNTED_CASES, SETTING_CASES } from './setting-requests.ts';

/*
 * What both servers are asked: Triton with its three models in Python, and ours with the repository models/, where identity and
 * counter are ONNX models and words a runtime.
 * identity: INPUT0 FP32 [-1] → OUTPUT0. words: decoupled, prompt BYTES [1] → one output BYTES [1] per word.
 */

const fp32 = (values: readonly number[], more: Partial<CaseTensor> = {}): CaseTensor => ({
  name: 'INPUT0',
  datatype: 'FP32',
  shape: [values.length],
  values,
  ...more,
});
const identity = (more: Partial<CaseRequest> = {}): CaseRequest => ({
  model: 'identity',
  inputs: [fp32([1, 2.5, -3])],
  ...more,
});
const prompt = (text: string, more: Partial<CaseTensor> = {}): CaseTensor => ({
  name: 'prompt',
  datatype: 'BYTES',
  shape: [1],
  values: [text],
  ...more,
});
const words = (text: string, more: Partial<CaseRequest> = {}): CaseRequest => ({
  model: 'words',
  inputs: [prompt(text)],
  ...more,
});
const infer = (name: string, request: CaseRequest, forms = FORMS as readonly (typeof FORMS)[number][]): Case => ({
  kind: 'infer',
  name,
  request,
  forms,
});
const raw = ['grpc-raw', 'http-binary'] as const;
const stream = (name: string, requests: readonly CaseRequest[], more: object = {}): Case => ({
  kind: 'stream',
  name,
  requests,
  ...more,
});
const SHAPE = { compare: 'shape' };
const INFER = '/v2/models/identity/infer';
/** A binary request: the JSON header, its length, and the bytes of the tensors in hexadecimal. */
const binary = (name: string, header: string, tail: string): Case =>
  post(name, INFER, header, { headers: { 'Inference-Header-Content-Length': String(header.length) }, tail });
const tensorJson = '{"name":"INPUT0","datatype":"FP32","shape":[2]';

const CONTROL: readonly Case[] = [
  rpc('live', 'ServerLive'),
  rpc('ready', 'ServerReady'),
  rpc('model ready', 'ModelReady', { name: 'identity' }),
  rpc('model ready, version 1', 'ModelReady', { name: 'identity', version: '1' }),
  rpc('model ready, unknown model', 'ModelReady', { name: 'nobody' }),
  rpc('model ready, unknown version', 'ModelReady', { name: 'identity', version: '9' }),
  rpc('server metadata', 'ServerMetadata', {}, SHAPE),
  rpc('model metadata', 'ModelMetadata', { name: 'words' }, SHAPE),
  rpc('model metadata, unknown model', 'ModelMetadata', { name: 'nobody' }),
  rpc('model config', 'ModelConfig', { name: 'words' }, SHAPE),
  rpc('model config, unknown model', 'ModelConfig', { name: 'nobody' }),
  rpc('statistics', 'ModelStatistics', { name: 'identity' }, SHAPE),
  rpc('statistics of all models', 'ModelStatistics', {}, SHAPE),
  rpc('statistics, unknown model', 'ModelStatistics', { name: 'nobody' }),
  rpc('repository index', 'RepositoryIndex', {}, SHAPE),
  get('live over http', '/v2/health/live', SHAPE),
  get('ready over http', '/v2/health/ready', SHAPE),
  get('model ready over http', '/v2/models/identity/ready', SHAPE),
  get('model ready over http, unknown model', '/v2/models/nobody/ready'),
  get('server metadata over http', '/v2', SHAPE),
  get('model metadata over http', '/v2/models/words', SHAPE),
  get('model metadata over http, version 1', '/v2/models/words/versions/1', SHAPE),
  get('model metadata over http, unknown model', '/v2/models/nobody'),
  get('model config over http', '/v2/models/words/config', SHAPE),
  get('statistics over http', '/v2/models/identity/stats', SHAPE),
  get('statistics over http, unknown model', '/v2/models/nobody/stats'),
  get('unknown path', '/v2/nothing'),
  post('wrong verb', '/v2/health/live', ''),
];

const GOOD: readonly Case[] = [
  infer('infer', identity({ id: 'a' })),
  infer('infer without an id', identity()),
  infer('infer, version 1', identity({ version: '1' })),
  infer('infer, one element', identity({ inputs: [fp32([0.1])] })),
  infer('infer, no element', identity({ inputs: [fp32([])] }), ['grpc-raw', 'http-json', 'http-binary']),
  infer('infer, the output by name', identity({ outputs: ['OUTPUT0'] })),
  infer('infer, parameters of the user', identity({ parameters: { note: 'x', flag: true, count: 3 } })),
  infer('infer, NaN and infinities', identity({ inputs: [fp32([NaN, Infinity, -Infinity])] }), raw),
  infer('infer, smallest and greatest numbers', identity({ inputs: [fp32([3.4028234663852886e38, 1e-45, -0])] })),
  rpc(
    'infer, gzip request over gRPC',
    'ModelInfer',
    {
      model_name: 'identity',
      inputs: [
        {
          name: 'INPUT0',
          datatype: 'FP32',
          shape: [64],
          contents: { fp32_contents: Array.from({ length: 64 }, () => 1) },
        },
      ],
    },
    { gzip: true },
  ),
  post('infer, gzip request', INFER, `{"inputs":[${tensorJson},"data":[1,2]}]}`, { gzip: true }),
  post('infer, gzip answer', INFER, `{"inputs":[${tensorJson},"data":[1,2]}]}`, {
    headers: { 'Accept-Encoding': 'gzip' },
  }),
  post('infer, no content type', INFER, `{"id":"q","inputs":[${tensorJson},"data":[1,2]}]}`),
  post('infer, nested data', INFER, `{"inputs":[${tensorJson},"data":[[1],[2]]}]}`),
  post('infer, whole numbers for FP32', INFER, `{"inputs":[${tensorJson},"data":[16777217,2]}]}`),
  binary(
    'infer, binary in, JSON out',
    `{"inputs":[${tensorJson},"parameters":{"binary_data_size":8}}]}`,
    '0000803f00000040',
  ),
  post(
    'infer, JSON in, binary out',
    INFER,
    `{"parameters":{"binary_data_output":true},"inputs":[${tensorJson},"data":[1,2]}]}`,
  ),
  post(
    'infer, binary_data false beats binary_data_output',
    INFER,
    `{"parameters":{"binary_data_output":true},"inputs":[${tensorJson},"data":[1,2]}],"outputs":[{"name":"OUTPUT0"}]}`,
  ),
  post('infer, the body is the raw tensor', INFER, '', {
    headers: { 'Inference-Header-Content-Length': '0' },
    tail: '0000803f00000040',
  }),
];

const BAD: readonly Case[] = [
  infer('unknown model', identity({ model: 'nobody' })),
  infer('unknown version', identity({ version: '9' })),
  infer('version is no number', identity({ version: 'abc' }), ['grpc-raw', 'http-json']),
  infer('wrong datatype', identity({ inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [2], values: [1, 2] }] })),
  infer('no such datatype', identity({ inputs: [fp32([1, 2], { datatype: 'FLOAT' })] })),
  infer('wrong rank', identity({ inputs: [fp32([1, 2], { shape: [1, 2] })] })),
  infer('negative dimension', identity({ inputs: [fp32([1, 2], { shape: [-1] })] }), ['grpc-raw', 'http-json']),
  infer('too few elements', identity({ inputs: [fp32([1, 2], { shape: [3] })] }), [
    'grpc-raw',
    'grpc-typed',
    'http-json',
  ]),
  infer('too many elements', identity({ inputs: [fp32([1, 2, 3, 4], { shape: [3] })] })),
  infer('bytes that are no whole element', identity({ inputs: [fp32([], { shape: [1], raw: '000000' })] }), raw),
  infer('unknown input', identity({ inputs: [fp32([1], { name: 'OTHER' })] })),
  infer('one input too many', identity({ inputs: [fp32([1]), fp32([1], { name: 'OTHER' })] })),
  infer('the same input twice', identity({ inputs: [fp32([1]), fp32([1])] })),
  infer('no input', identity({ inputs: [] }), ['grpc-raw', 'http-json']),
  infer('unknown output', identity({ outputs: ['OTHER'] })),
  infer('reserved parameter', identity({ parameters: { triton_other: 1 } }), ['grpc-raw', 'http-json']),
  infer('unary infer on a decoupled model', words('a b')),
  infer('unary infer on a decoupled model, one response', words('a')),
  rpc('neither raw nor typed data', 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1] }],
  }),
  rpc('raw and typed data', 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1], contents: { fp32_contents: [1] } }],
    raw_input_contents: [Buffer.alloc(4)],
  }),
  rpc('the wrong typed list', 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1], contents: { int_contents: [1] } }],
  }),
  rpc('more raw entries than inputs', 'ModelInfer', {
    model_name: 'identity',
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1] }],
    raw_input_contents: [Buffer.alloc(4), Buffer.alloc(4)],
  }),
  post('malformed JSON', INFER, '{"inputs":['),
  post('JSON that is no object', INFER, '[1]'),
  post('no body', INFER, ''),
  post('no inputs key', INFER, '{"id":"x"}'),
  post('input without a shape', INFER, '{"inputs":[{"name":"INPUT0","datatype":"FP32","data":[1]}]}'),
  post('text for a number', INFER, `{"inputs":[${tensorJson},"data":["1",2]}]}`),
  post('null for a number', INFER, `{"inputs":[${tensorJson},"data":[null,2]}]}`),
  post('number beyond FP32', INFER, `{"inputs":[${tensorJson},"data":[1e39,-1e39]}]}`),
  post('data is no array', INFER, '{"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1],"data":1}]}'),
  post('header length beyond the body', INFER, '{"inputs":[]}', {
    headers: { 'Inference-Header-Content-Length': '99' },
  }),
  binary('too few binary bytes', `{"inputs":[${tensorJson},"parameters":{"binary_data_size":8}}]}`, '0000803f'),
  binary(
    'too many binary bytes',
    `{"inputs":[${tensorJson},"parameters":{"binary_data_size":8}}]}`,
    '0000803f0000004000000000',
  ),
  post('unknown content encoding', INFER, `{"inputs":[${tensorJson},"data":[1,2]}]}`, {
    headers: { 'Content-Encoding': 'br' },
  }),
];

const GENERATE: readonly Case[] = [
  post('generate_stream', '/v2/models/words/generate_stream', '{"prompt":"one two three"}'),
  post('generate_stream with an id', '/v2/models/words/generate_stream', '{"id":"g","prompt":["one two"]}'),
  post('generate_stream, unknown model', '/v2/models/nobody/generate_stream', '{"prompt":"one"}'),
  post('generate_stream, no input', '/v2/models/words/generate_stream', '{}'),
  post('generate_stream, malformed JSON', '/v2/models/words/generate_stream', '{'),
  post('generate, one response', '/v2/models/words/generate', '{"prompt":"one"}'),
  post('generate, two responses', '/v2/models/words/generate', '{"prompt":"one two"}'),
  post('generate on a plain model', '/v2/models/identity/generate', '{"INPUT0":[1,2]}'),
  post('generate, a scalar', '/v2/models/identity/generate', '{"INPUT0":1.5,"id":"s"}'),
  post('generate, nested array', '/v2/models/identity/generate', '{"INPUT0":[[1],[2]]}'),
  post('generate, object parameter', '/v2/models/words/generate', '{"prompt":"one","other":{"a":1}}'),
  post('generate, unknown key', '/v2/models/words/generate', '{"prompt":"one","temperature":0.5}'),
];

const STREAMS: readonly Case[] = [
  stream('stream without a request', []),
  stream(
    'stream on a plain model',
    [1, 2, 3, 4].map((n) => identity({ id: `r${n}`, inputs: [fp32([n])] })),
  ),
  stream('stream without ids', [identity(), identity()]),
  stream('stream with equal ids', [identity({ id: 'x' }), identity({ id: 'x', inputs: [fp32([9])] })]),
  stream('stream on a decoupled model', [words('a b c', { id: 'w' })]),
  stream('stream with the final response asked for', [
    words('a b', { id: 'f', parameters: { triton_enable_empty_final_response: true } }),
  ]),
  stream('stream with the final response asked for, plain model', [
    identity({ id: 'f', parameters: { triton_enable_empty_final_response: true } }),
  ]),
  stream('stream, unknown model between two good requests', [
    identity({ id: '1' }),
    identity({ id: '2', model: 'nobody' }),
    identity({ id: '3' }),
  ]),
  stream('stream, unknown model first', [identity({ id: '1', model: 'nobody' }), identity({ id: '2' })]),
  stream('stream, unknown version', [identity({ id: '1', version: '9' }), identity({ id: '2' })]),
  stream('stream, wrong byte size', [
    identity({ id: '1', inputs: [fp32([1], { shape: [2] })] }),
    identity({ id: '2' }),
  ]),
  stream('stream, wrong rank', [identity({ id: '1', inputs: [fp32([1], { shape: [1, 1] })] }), identity({ id: '2' })]),
  stream('stream, unknown input', [
    identity({ id: '1', inputs: [fp32([1], { name: 'OTHER' })] }),
    identity({ id: '2' }),
  ]),
  stream('stream, wrong datatype for words', [
    words('', { id: '1', inputs: [{ name: 'prompt', datatype: 'INT32', shape: [1], values: [1] }] }),
    words('a', { id: '2' }),
  ]),
  stream('stream, BYTES length beyond the data', [
    words('', { id: '1', inputs: [prompt('', { raw: '0a00000061' })] }),
    words('a', { id: '2' }),
  ]),
  stream('stream, BYTES length cut off', [
    words('', { id: '1', inputs: [prompt('', { raw: '0a00' })] }),
    words('a', { id: '2' }),
  ]),
  stream('stream, two BYTES elements for one', [
    words('', { id: '1', inputs: [prompt('', { raw: '01000000610100000062' })] }),
    words('a', { id: '2' }),
  ]),
  stream('stream, no BYTES element for one', [
    words('', { id: '1', inputs: [prompt('', { raw: '' })] }),
    words('a', { id: '2' }),
  ]),
  stream('stream, two plain models mixed with an unknown output', [
    identity({ id: '1', outputs: ['OTHER'] }),
    identity({ id: '2', outputs: ['OUTPUT0'] }),
  ]),
  stream('stream, two prompts at once', [words('a b', { id: '1' }), words('c d', { id: '2' })], { interleaved: true }),
  stream('stream, gzip requests', [identity({ id: 'z' })], { gzip: true }),
];

export const CASES: readonly Case[] = [
  ...COUNTED_CASES,
  ...CONTROL,
  ...GOOD,
  ...BAD,
  ...GENERATE,
  ...STREAMS,
  ...CONTROL_CASES,
  ...SEQUENCE_CASES,
  ...REGION_CASES,
  ...SETTING_CASES,
  ...ENSEMBLE_CASES,
];
