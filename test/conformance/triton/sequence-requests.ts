import { post, rpc, type Case, type CaseRequest } from './case.ts';

/*
 * Sequences on both servers' counter: INPUT0 FP32 [-1, 1] → OUTPUT0, the sum of a sequence's inputs; its correlation id is a
 * UINT64. In this order: what one exchange begins, later ones go on with.
 */

/** Longer than the idle time of a sequence in either server. */
const IDLE_MS = 5500;
/** Triton counts just after it has answered. */
const COUNTED_MS = 300;
const INFER = '/v2/models/counter/infer';

type Id = number | string | undefined;
/** S: start, E: end. */
type Flags = '' | 'S' | 'E' | 'SE';

const request = (id: Id, value: number, flags: Flags = '', more: Partial<CaseRequest> = {}): CaseRequest => ({
  model: 'counter',
  parameters: {
    ...(id === undefined ? {} : { sequence_id: id }),
    ...(flags.includes('S') ? { sequence_start: true } : {}),
    ...(flags.includes('E') ? { sequence_end: true } : {}),
  },
  inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1], values: [value] }],
  ...more,
});
type Form = 'grpc-raw' | 'grpc-typed' | 'http-json' | 'http-binary';
const send = (name: string, what: CaseRequest, form: Form = 'grpc-raw', more: object = {}): Case => ({
  kind: 'infer',
  name: `sequence, ${name}`,
  request: what,
  forms: [form],
  ...more,
});
const both = (name: string, what: CaseRequest): Case => ({
  kind: 'infer',
  name: `sequence, ${name}`,
  request: what,
  forms: ['grpc-raw', 'http-json'],
});
/** With parameters in the form given, which no client may choose. */
const withParameters = (name: string, parameters: object): Case =>
  rpc(`sequence, ${name}`, 'ModelInfer', {
    model_name: 'counter',
    parameters,
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 1] }],
    raw_input_contents: [Buffer.from(Float32Array.of(1).buffer)],
  });
const http = (name: string, parameters: string): Case =>
  post(
    `sequence over http, ${name}`,
    INFER,
    `{"parameters":${parameters},"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,1],"data":[1]}]}`,
  );
const counts = (name: string, model: string): Case =>
  rpc(name, 'ModelStatistics', { name: model }, { compare: 'counts', afterMs: COUNTED_MS });
const TWO = { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [2, 1], values: [1, 2] }] };
const WRONG_SHAPE = { inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, 2], values: [1, 2] }] };
const WRONG_TYPE = { inputs: [{ name: 'INPUT0', datatype: 'INT32', shape: [1, 1], values: [1] }] };

const LIVES: readonly Case[] = [
  counts('sequence, statistics before', 'counter'),
  both('no id', request(undefined, 1)),
  both('no id but a start', request(undefined, 1, 'S')),
  both('id 0', request(0, 1, 'S')),
  both('empty id', request('', 1, 'S')),
  both('no start', request(7, 1)),
  both('end without a start', request(7, 1, 'E')),
  send('start', request(7, 1, 'S', { id: 'first' })),
  send('goes on', request(7, 2, '', { id: 'second' })),
  send('goes on over http', request(7, 3), 'http-json'),
  send('goes on over http, binary', request(7, 4), 'http-binary'),
  send('goes on, typed', request(7, 5), 'grpc-typed'),
  send('end', request(7, 6, 'E')),
  send('after its end', request(7, 1)),
  send('end after its end', request(7, 1, 'E')),
  both('of one request', request(7, 1, 'SE')),
  send('start of one that lives', request(8, 1, 'S')),
  send('start of one that lives, again', request(8, 5, 'S')),
  send('goes on after its second start', request(8, 1, 'E')),
  send('two by turns, first', request(9, 1, 'S')),
  send('two by turns, second', request(10, 100, 'S'), 'http-json'),
  send('two by turns, first goes on', request(9, 2), 'http-json'),
  send('two by turns, second goes on', request(10, 200)),
  send('two by turns, first ends', request(9, 3, 'E')),
  send('two by turns, second ends', request(10, 300, 'E')),
  counts('sequence, statistics after', 'counter'),
];

const FAULTS: readonly Case[] = [
  both('text as id of a model that has numbers', request('seven', 1, 'S')),
  both('digits in a text as id', request('7', 1, 'S')),
  both('text that is too long', request('x'.repeat(129), 1, 'S')),
  send('batch of two', request(11, 0, 'S', TWO)),
  send('goes on after a start that was refused', request(11, 1)),
  send('start before faults', request(12, 1, 'S')),
  send('wrong shape', request(12, 0, '', WRONG_SHAPE)),
  send('wrong datatype', request(12, 0, '', WRONG_TYPE)),
  send('unknown output', request(12, 1, '', { outputs: ['OTHER'] })),
  send('no input', request(12, 0, '', { inputs: [] })),
  send('batch of two in the middle', request(12, 0, '', TWO)),
  send('goes on after faults', request(12, 2)),
  send('its end is wrong', request(12, 0, 'E', WRONG_SHAPE)),
  send('goes on after an end that was refused', request(12, 3, 'E')),
  send('control tensor of a client', {
    ...request(13, 1, 'S'),
    inputs: [
      { name: 'INPUT0', datatype: 'FP32', shape: [1, 1], values: [1] },
      { name: 'START', datatype: 'INT32', shape: [1, 1], values: [1] },
    ],
  }),
  withParameters('id of a wrong type, boolean', {
    sequence_id: { bool_param: true },
    sequence_start: { bool_param: true },
  }),
  withParameters('id of a wrong type, double', {
    sequence_id: { double_param: 1.5 },
    sequence_start: { bool_param: true },
  }),
  withParameters('id as uint64', { sequence_id: { uint64_param: 14 }, sequence_start: { bool_param: true } }),
  withParameters('negative id', { sequence_id: { int64_param: -1 }, sequence_start: { bool_param: true } }),
  withParameters('start of a wrong type, number', {
    sequence_id: { int64_param: 15 },
    sequence_start: { int64_param: 1 },
  }),
  withParameters('start of a wrong type, text', {
    sequence_id: { int64_param: 15 },
    sequence_start: { string_param: 'true' },
  }),
  withParameters('end of a wrong type', {
    sequence_id: { int64_param: 15 },
    sequence_start: { bool_param: true },
    sequence_end: { int64_param: 1 },
  }),
  withParameters('start said to be false', { sequence_id: { int64_param: 16 }, sequence_start: { bool_param: false } }),
  withParameters('priority and timeout beside it', {
    sequence_id: { int64_param: 17 },
    sequence_start: { bool_param: true },
    sequence_end: { bool_param: true },
    priority: { uint64_param: 1 },
    timeout: { int64_param: 10_000_000 },
  }),
  http('negative id', '{"sequence_id":-1,"sequence_start":true}'),
  http('fraction as id', '{"sequence_id":1.5,"sequence_start":true}'),
  http('boolean as id', '{"sequence_id":true,"sequence_start":true}'),
  http('null as id', '{"sequence_id":null,"sequence_start":true}'),
  http('id beyond 64 bits', '{"sequence_id":18446744073709551616,"sequence_start":true}'),
  http('greatest id', '{"sequence_id":18446744073709551615,"sequence_start":true,"sequence_end":true}'),
  http('text for a flag', '{"sequence_id":18,"sequence_start":"true"}'),
  http('number for a flag', '{"sequence_id":18,"sequence_start":1}'),
  post(
    'sequence over http, generate',
    '/v2/models/counter/generate',
    '{"INPUT0":1,"sequence_id":19,"sequence_start":true}',
  ),
  send('parameters of one on a plain model', {
    model: 'identity',
    parameters: { sequence_id: 20, sequence_start: true, sequence_end: false },
    inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1], values: [4] }],
  }),
  send('start of one that goes silent', request(21, 1, 'S')),
  send('silent for too long', request(21, 1), 'grpc-raw', { afterMs: IDLE_MS }),
  send('starts again after its silence', request(21, 3, 'SE')),
];

const stream = (name: string, requests: readonly CaseRequest[], more: object = {}): Case => ({
  kind: 'stream',
  name: `sequence in a stream, ${name}`,
  requests,
  ...more,
});
const FINAL = { triton_enable_empty_final_response: true };
const asksForFinal = (what: CaseRequest): CaseRequest => ({ ...what, parameters: { ...what.parameters, ...FINAL } });

const STREAMS: readonly Case[] = [
  stream('whole', [
    request(30, 1, 'S', { id: 'a' }),
    request(30, 2, '', { id: 'b' }),
    request(30, 3, 'E', { id: 'c' }),
  ]),
  stream('of one request', [request(31, 1, 'SE', { id: 'a' }), request(31, 2, 'SE', { id: 'b' })]),
  stream(
    'two by turns',
    [
      request(32, 1, 'S', { id: 'a1' }),
      request(33, 10, 'S', { id: 'b1' }),
      request(32, 2, '', { id: 'a2' }),
      request(33, 20, '', { id: 'b2' }),
      request(32, 3, 'E', { id: 'a3' }),
      request(33, 30, 'E', { id: 'b3' }),
    ],
    { interleaved: true },
  ),
  stream('no start', [request(34, 1, '', { id: 'a' }), request(34, 2, 'SE', { id: 'b' })]),
  stream('no id', [request(undefined, 1, 'S', { id: 'a' })]),
  stream('text as id', [request('seven', 1, 'S', { id: 'a' })]),
  stream(
    'a fault in the middle',
    [
      request(35, 1, 'S', { id: 'a' }),
      request(35, 0, '', { id: 'b', ...WRONG_SHAPE }),
      request(35, 2, 'E', { id: 'c' }),
    ],
    { interleaved: true },
  ),
  stream('left open', [request(36, 1, 'S', { id: 'a' })]),
  stream('goes on in another stream', [request(36, 2, 'E', { id: 'b' })]),
  stream('after its end', [request(37, 1, 'SE', { id: 'a' }), request(37, 2, '', { id: 'b' })], { interleaved: true }),
  stream(
    'with a plain model between',
    [
      request(38, 1, 'S', { id: 'a' }),
      { model: 'identity', id: 'b', inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1], values: [4] }] },
      request(38, 2, 'E', { id: 'c' }),
    ],
    { interleaved: true },
  ),
  stream('with the final response asked for', [
    asksForFinal(request(39, 1, 'S', { id: 'a' })),
    asksForFinal(request(39, 2, 'E', { id: 'b' })),
  ]),
];

const TOLD: readonly Case[] = [
  rpc('sequence, metadata of its model', 'ModelMetadata', { name: 'counter' }),
  rpc('sequence, configuration of its model', 'ModelConfig', { name: 'counter' }, { compare: 'shape' }),
];

export const SEQUENCE_CASES: readonly Case[] = [...TOLD, ...LIVES, ...FAULTS, ...STREAMS];
