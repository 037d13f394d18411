/*
 * What both servers are asked about the folder models/: MLServer itself, by `npm run compare:mlserver`, and ours. Messages of
 * gRPC are as proto-loader takes them.
 */

interface CaseBase {
  readonly name: string;
}

export interface HttpCase extends CaseBase {
  readonly kind: 'http';
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Compress the body and say so. */
  readonly gzip?: boolean;
}

/** A unary call, or one ModelStreamInfer: all requests, half-close, all responses. */
export interface RpcCase extends CaseBase {
  readonly kind: 'rpc' | 'stream';
  /** Path of the method. */
  readonly method: string;
  readonly messages: readonly object[];
  readonly metadata?: Readonly<Record<string, string>>;
}

export type Case = HttpCase | RpcCase;

const JSON_BODY = { 'content-type': 'application/json' };
const post = (name: string, path: string, body: string | object, more: Partial<HttpCase> = {}): Case => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { kind: 'http', name, method: 'POST', path, headers: JSON_BODY, body: text, ...more };
};
const get = (name: string, path: string): Case => ({ kind: 'http', name, method: 'GET', path });
const SERVICE = '/inference.GRPCInferenceService/';
const rpc = (name: string, method: string, message: object = {}, more: Partial<RpcCase> = {}): Case => ({
  kind: 'rpc',
  name,
  method: method.startsWith('/') ? method : SERVICE + method,
  messages: [message],
  ...more,
});
const stream = (name: string, messages: readonly object[], more: Partial<RpcCase> = {}): Case => ({
  kind: 'stream',
  name,
  method: `${SERVICE}ModelStreamInfer`,
  messages,
  ...more,
});

const text = (...data: string[]): object => ({
  id: 'one',
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [data.length], parameters: { content_type: 'str' }, data }],
});
const numbers = (datatype: string, data: unknown, shape: readonly number[]): object => ({
  id: 'n',
  inputs: [{ name: 'a', datatype, shape, data }],
});
/** What `InferenceRequest.model_dump()` makes of one: null for all that is not set. */
const WITH_NULLS = {
  id: null,
  parameters: { content_type: null, headers: null },
  inputs: [
    {
      name: 'text',
      shape: [1, 1],
      datatype: 'BYTES',
      parameters: { content_type: 'str', headers: null },
      data: ['What is'],
    },
  ],
  outputs: null,
};
const bytesInput = (...words: string[]): object => ({
  name: 'text',
  datatype: 'BYTES',
  shape: [words.length],
  contents: { bytes_contents: words.map((word) => Buffer.from(word)) },
});
const ask = (model: string, more: object): object => ({ model_name: model, ...more });
const rawText = (word: string): Buffer => Buffer.concat([Buffer.from([word.length, 0, 0, 0]), Buffer.from(word)]);
const rawWords = (word: string): object => ({
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [1] }],
  raw_input_contents: [rawText(word)],
});

const SERVER: readonly Case[] = [
  get('live', '/v2/health/live'),
  get('ready', '/v2/health/ready'),
  get('server metadata', '/v2'),
  get('model ready', '/v2/models/echo/ready'),
  get('model ready, version', '/v2/models/sums/versions/v1/ready'),
  get('model ready, unknown', '/v2/models/nobody/ready'),
  get('metadata', '/v2/models/echo'),
  get('metadata, no declared ones', '/v2/models/words'),
  get('metadata, unknown model', '/v2/models/nobody'),
  get('metadata, unknown version', '/v2/models/sums/versions/v9'),
  get('unknown path', '/v2/nothing'),
  get('wrong verb', '/v2/models/echo/infer'),
  post('index', '/v2/repository/index', {}),
  post('index, ready ones', '/v2/repository/index', { ready: true }),
  post('index without a body', '/v2/repository/index', ''),
  post('load, unknown model', '/v2/repository/models/nobody/load', ''),
  post('unload, unknown model', '/v2/repository/models/nobody/unload', ''),
];

const INFER: readonly Case[] = [
  post('infer', '/v2/models/echo/infer', numbers('INT32', [1, 2, 3, 4], [2, 2])),
  post(
    'infer, nested data',
    '/v2/models/sums/infer',
    numbers(
      'FP32',
      [
        [1, 2],
        [3, 4.5],
      ],
      [2, 2],
    ),
  ),
  post('generate is infer', '/v2/models/echo/generate', numbers('INT32', [1], [1])),
  post('infer, a version', '/v2/models/sums/versions/v1/infer', numbers('INT64', [1, 2], [2])),
  post('infer, the highest version', '/v2/models/sums/infer', numbers('INT64', [1, 2], [2])),
  post('infer, unknown version', '/v2/models/sums/versions/v9/infer', numbers('INT64', [1], [1])),
  post('infer, unknown model', '/v2/models/nobody/infer', numbers('INT64', [1], [1])),
  post('infer, no id', '/v2/models/echo/infer', { inputs: [] }),
  post('infer, nulls of pydantic', '/v2/models/echo/infer', WITH_NULLS),
  post('infer, text beyond ASCII', '/v2/models/echo/infer', text('ü', '日本', '"\\\n')),
  post('infer, null is NaN', '/v2/models/echo/infer', numbers('FP32', [1, null], [2])),
  post('infer, booleans', '/v2/models/echo/infer', numbers('BOOL', [true, false], [2])),
  post('infer, headers', '/v2/models/echo/infer', numbers('INT8', [1], [1]), {
    headers: { ...JSON_BODY, 'X-Say': 'hello' },
  }),
  post('infer, request parameters', '/v2/models/echo/infer', {
    parameters: { content_type: 'np', any: { deep: [1, null] } },
    ...numbers('INT8', [1], [1]),
  }),
  post('infer, every datatype', '/v2/models/typed/infer', text('x')),
  post('infer, requested outputs', '/v2/models/typed/infer', { ...text('x'), outputs: [{ name: 'BYTES' }] }),
  post('infer, compressed', '/v2/models/echo/infer', numbers('INT32', [1], [1]), { gzip: true }),
  post('infer, a long answer for one who takes gzip', '/v2/models/echo/infer', text('hello '.repeat(100)), {
    headers: { ...JSON_BODY, 'accept-encoding': 'gzip' },
  }),
  post('infer, a short answer for one who takes gzip', '/v2/models/echo/infer', text('hello'), {
    headers: { ...JSON_BODY, 'accept-encoding': 'gzip' },
  }),
];

const INFER_FAULTS: readonly Case[] = [
  ...[400, 404, 422, 429, 500, 503].map((status) =>
    post(`infer, MLServerError ${status}`, '/v2/models/faults/infer', text(`0 ${status}`)),
  ),
  post('infer, another exception', '/v2/models/faults/infer', text('0')),
  post('infer, a model that only streams', '/v2/models/words/infer', text('a b')),
  post('infer, no body', '/v2/models/echo/infer', ''),
  post('infer, no JSON', '/v2/models/echo/infer', '{"inputs": nothing}'),
  post('infer, a list', '/v2/models/echo/infer', '[]'),
  post('infer, no inputs', '/v2/models/echo/infer', '{}'),
  post('infer, inputs that are none', '/v2/models/echo/infer', '{"inputs":[1,{}]}'),
  post('infer, unknown datatype', '/v2/models/echo/infer', numbers('COMPLEX', [1], [1])),
  post('infer, a shape of text', '/v2/models/echo/infer', {
    inputs: [{ name: 1, shape: ['x', 1.5, null], datatype: 'INT8', data: [1] }],
  }),
  post('infer, parameters that are none', '/v2/models/echo/infer', {
    parameters: { content_type: 3, headers: [] },
    ...numbers('INT8', [1], [1]),
  }),
  post('infer, data that does not fit', '/v2/models/sums/infer', numbers('INT32', [1, 2, 3], [2])),
];

const EVENTS: readonly Case[] = [
  post('generate_stream', '/v2/models/words/generate_stream', text('What is the capital')),
  post('infer_stream, no id', '/v2/models/words/infer_stream', WITH_NULLS),
  post('stream of a model that only predicts', '/v2/models/echo/infer_stream', numbers('INT32', [1], [1])),
  post('stream without a response', '/v2/models/words/infer_stream', text('')),
  post('stream, unknown model', '/v2/models/nobody/infer_stream', text('a')),
  post('stream, unknown version', '/v2/models/sums/versions/v9/infer_stream', text('a')),
  post('stream, a fault before the first event', '/v2/models/faults/infer_stream', text('0 404')),
  post('stream, a fault after two events', '/v2/models/faults/infer_stream', text('2 404')),
  post('stream, no inputs', '/v2/models/words/infer_stream', '{}'),
];

const int32 = (values: readonly number[]): object => ({
  name: 'a',
  datatype: 'INT32',
  shape: [values.length],
  contents: { int_contents: values },
});

const RPC: readonly Case[] = [
  rpc('grpc live', 'ServerLive'),
  rpc('grpc ready', 'ServerReady'),
  rpc('grpc server metadata', 'ServerMetadata'),
  rpc('grpc model ready', 'ModelReady', { name: 'echo' }),
  rpc('grpc model ready, unknown', 'ModelReady', { name: 'nobody' }),
  rpc('grpc metadata', 'ModelMetadata', { name: 'echo' }),
  rpc('grpc metadata, unknown model', 'ModelMetadata', { name: 'nobody' }),
  rpc('grpc metadata, unknown version', 'ModelMetadata', { name: 'sums', version: 'v9' }),
  rpc('grpc index', 'RepositoryIndex'),
  rpc('grpc index of the older service', '/inference.model_repository.ModelRepositoryService/RepositoryIndex'),
  rpc('grpc load, unknown model', 'RepositoryModelLoad', { model_name: 'nobody' }),
  rpc('grpc infer, typed', 'ModelInfer', ask('echo', { id: 'one', inputs: [int32([1, -2])] })),
  rpc('grpc infer, no id', 'ModelInfer', ask('echo', { inputs: [int32([1])] })),
  rpc('grpc infer, raw', 'ModelInfer', ask('echo', rawWords('word'))),
  rpc('grpc infer, every datatype', 'ModelInfer', ask('typed', { id: 't', inputs: [bytesInput('x')] })),
  rpc('grpc infer, every datatype, raw', 'ModelInfer', ask('typed', { id: 't', ...rawWords('x') })),
  rpc('grpc infer, a version', 'ModelInfer', ask('sums', { model_version: 'v1', inputs: [int32([1, 2])] })),
  rpc(
    'grpc infer, another list than the datatype’s',
    'ModelInfer',
    ask('sums', { inputs: [{ name: 'a', datatype: 'FP32', shape: [2], contents: { int64_contents: [1, 2] } }] }),
  ),
  rpc(
    'grpc infer, raw contents for the input without contents',
    'ModelInfer',
    ask('echo', {
      inputs: [int32([7]), { name: 'text', datatype: 'BYTES', shape: [1] }],
      raw_input_contents: [rawText('w')],
    }),
  ),
  rpc(
    'grpc infer, parameters',
    'ModelInfer',
    ask('echo', { parameters: { k: { int64_param: 3 } }, inputs: [int32([1])] }),
  ),
  rpc('grpc infer, metadata', 'ModelInfer', ask('echo', { inputs: [int32([1])] }), { metadata: { 'x-say': 'hello' } }),
  rpc('grpc infer, unknown model', 'ModelInfer', ask('nobody', { inputs: [int32([1])] })),
  ...[400, 404, 422, 429, 500].map((status) =>
    rpc(`grpc infer, MLServerError ${status}`, 'ModelInfer', ask('faults', { inputs: [bytesInput(`0 ${status}`)] })),
  ),
  rpc('grpc infer, another exception', 'ModelInfer', ask('faults', { inputs: [bytesInput('0')] })),
  rpc(
    'grpc infer, unknown datatype',
    'ModelInfer',
    ask('echo', { inputs: [{ name: 'a', datatype: 'COMPLEX', shape: [1], contents: { int_contents: [1] } }] }),
  ),
  rpc(
    'grpc infer, data that does not fit',
    'ModelInfer',
    ask('sums', { inputs: [{ name: 'a', datatype: 'INT32', shape: [2], contents: { int_contents: [1, 2, 3] } }] }),
  ),
];

const STREAMS: readonly Case[] = [
  stream('grpc stream', [ask('words', { id: 'one', inputs: [bytesInput('What is the capital')] })]),
  stream('grpc stream, no id', [ask('words', { inputs: [bytesInput('What is')] })]),
  stream('grpc stream, raw', [ask('words', rawWords('a b'))]),
  stream('grpc stream, several requests', [
    ask('words', { id: 'first', inputs: [bytesInput('a b')] }),
    ask('echo', { id: 'second', inputs: [bytesInput('c')] }),
    ask('nobody', { model_version: 'v9', inputs: [bytesInput('d')] }),
  ]),
  stream('grpc stream of a model that only predicts', [ask('echo', { id: 'one', inputs: [int32([1])] })]),
  stream('grpc stream, unknown model', [ask('nobody', { model_version: 'v1.2.3', inputs: [bytesInput('a')] })]),
  stream('grpc stream, a fault before the first response', [ask('faults', { inputs: [bytesInput('0 422')] })]),
  stream('grpc stream, a fault after two responses', [ask('faults', { id: 'f', inputs: [bytesInput('2 404')] })]),
  stream('grpc stream, another exception', [ask('faults', { id: 'f', inputs: [bytesInput('1')] })]),
  stream('grpc stream without a response', [ask('words', { inputs: [bytesInput('')] })]),
  stream('grpc stream without a request', []),
];

export const CASES: readonly Case[] = [...SERVER, ...INFER, ...INFER_FAULTS, ...EVENTS, ...RPC, ...STREAMS];
