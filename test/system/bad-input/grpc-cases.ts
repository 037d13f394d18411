/** Limits of the server that the cases are sent to, in bytes. */
export const MAX_MESSAGE = 4096;
export const MAX_JSON = 2048;
export const MAX_BINARY = 4096;

/** A ModelInferRequest as proto-loader takes it. */
export interface Message {
  readonly model_name: string;
  readonly [field: string]: unknown;
}

export interface GrpcCase {
  /** What is wrong. */
  readonly name: string;
  readonly message: Message;
  /** gRPC status. @default 3 (INVALID_ARGUMENT) */
  readonly code?: number;
  /** Names the thing, what came and what was expected. */
  readonly text: RegExp;
  /** Where it is no fault in a unary call. */
  readonly unary?: 'fine';
  /** What a stream does that begins with it. @default an error message, then it goes on */
  readonly stream?: 'ends' | 'fine';
}

export const request = (name: string, fields: object = {}): Message => ({ ...fields, model_name: name });
const raw = (...values: number[]): Buffer => Buffer.from(Float32Array.of(...values).buffer);
const input = (name: string, datatype: string, shape: readonly (number | string)[], contents?: object): object =>
  contents === undefined ? { name, datatype, shape } : { name, datatype, shape, contents };

/** One input and its raw contents. */
const one = (model: string, tensor: object, ...data: Buffer[]): Message =>
  request(model, { inputs: [tensor], raw_input_contents: data });
const counter = (tensor: object, ...data: Buffer[]): Message => one('counter', tensor, ...data);
const fp32 = (tensor: object, ...data: Buffer[]): Message => one('identity_fp32', tensor, ...data);
const bytes = (count: number, ...data: number[]): Message =>
  one('identity_bytes', input('INPUT', 'BYTES', [count]), Buffer.from(data));
const add = (a: object, b: object, ...data: Buffer[]): Message =>
  request('add', { inputs: [a, b], raw_input_contents: data });
const row = (name: string): object => input(name, 'FP32', [1, 4]);
const four = raw(1, 2, 3, 4);
const scalar = input('input', 'FP32', [1]);
const INPUT = input('INPUT', 'FP32', [1]);
const at = (timestamp: object): Message =>
  request('counter', { ...counter(scalar, raw(1)), parameters: { OVMS_MP_TIMESTAMP: timestamp } });

/** A request to each servable in which nothing is wrong. */
export const GOOD: Readonly<Record<string, Message>> = {
  counter: counter(scalar, raw(1)),
  add: add(row('A'), row('B'), four, four),
  identity_fp32: fp32(INPUT, raw(1)),
  identity_bytes: bytes(1, 1, 0, 0, 0, 65),
  identity_int8: one('identity_int8', input('INPUT', 'INT8', [1]), Buffer.of(1)),
};

const SPECIAL_TIMESTAMPS: readonly (readonly [string, string])[] = [
  ['-9223372036854775808', 'Unset'],
  ['-9223372036854775807', 'Unstarted'],
  ['-9223372036854775806', 'PreStream'],
  ['9223372036854775805', 'PostStream'],
  ['9223372036854775806', 'OneOverPostStream'],
  ['9223372036854775807', 'Done'],
];

export const GRPC_CASES: readonly GrpcCase[] = [
  { name: 'an unknown servable', message: request('countr'), code: 5, text: /'countr' is not found/, stream: 'ends' },
  { name: 'no servable', message: request(''), code: 5, text: /'' is not found/, stream: 'ends' },
  {
    name: 'an unknown version of a model',
    message: request('add', { ...GOOD['add'], model_version: '7' }),
    code: 5,
    text: /'add' version 7 is not found/,
    stream: 'ends',
  },
  {
    name: 'a version that is no number',
    message: request('add', { ...GOOD['add'], model_version: 'x' }),
    text: /version string 'x' for model 'add': a number above 0 expected/,
    stream: 'ends',
  },
  {
    name: 'an unknown version of a graph (which a stream does not look at)',
    message: request('counter', { ...GOOD['counter'], model_version: '7' }),
    code: 5,
    text: /'counter' version 7 is not found/,
    stream: 'fine',
  },

  { name: 'an unknown input of a graph', message: counter(input('inptu', 'FP32', [1]), raw(1)), text: /inptu is unex/ },
  { name: 'an unknown input of a model', message: fp32(input('X', 'FP32', [1]), raw(1)), text: /unexpected .*'X'/ },
  {
    name: 'a missing input',
    message: one('add', row('A'), four),
    text: /Got input\(s\) \['A'\], but missing .*\['B'\]/,
  },
  { name: 'an input given twice', message: add(row('A'), row('A'), four, four), text: /'A' already exists/ },
  {
    name: 'an unknown output of a model',
    message: request('identity_fp32', { ...GOOD['identity_fp32'], outputs: [{ name: 'OTPUT' }] }),
    text: /unexpected inference output 'OTPUT' for model 'identity_fp32'/,
  },
  {
    name: 'an unknown output of a graph (a stream gives them all)',
    message: request('counter', { ...GOOD['counter'], outputs: [{ name: 'otput' }] }),
    text: /unexpected inference output 'otput' for model 'counter'; did you mean "output"\?/,
    stream: 'fine',
  },

  {
    name: 'the wrong datatype for a graph',
    message: counter(input('input', 'INT32', [1]), raw(1)),
    text: /Expected: FP32; Actual: INT32; input name: input/,
  },
  {
    name: 'the wrong datatype for a model',
    message: fp32(input('INPUT', 'INT32', [1]), raw(1)),
    text: /'INPUT' data-type is 'INT32', but model 'identity_fp32' expects 'FP32'/,
  },
  {
    name: 'an unknown datatype for a graph',
    message: counter(input('input', 'FLOAT32', [1]), raw(1)),
    text: /Unknown datatype: FLOAT32; input name: input/,
  },
  {
    name: 'an unknown datatype for a model',
    message: fp32(input('INPUT', 'FLOAT32', [1]), raw(1)),
    text: /'INPUT' .*unknown data-type 'FLOAT32'/,
  },

  {
    name: 'the wrong shape for a graph',
    message: counter(input('input', 'FP32', [2]), raw(1, 2)),
    text: /Expected: \(1\); Actual: \(2\); input name: input/,
  },
  {
    name: 'the wrong shape for a model',
    message: add(input('A', 'FP32', [4]), row('B'), four, four),
    text: /'A' for model 'add'\. Expected \[1,4\], got \[4\]/,
  },
  { name: 'a negative dimension', message: counter(input('input', 'FP32', [-1]), raw(1)), text: /\(-1\).*name: input/ },
  {
    name: 'a negative dimension for a model',
    message: add(input('A', 'FP32', [-1, 4]), row('B'), four, four),
    text: /'A' for model 'add', got \[-1,4\]/,
  },
  {
    name: 'a shape of more bytes than there are numbers',
    message: counter(input('input', 'FP32', ['9223372036854775807', 8]), raw(1)),
    text: /too large buffer; input name: input/,
  },

  {
    name: 'too many bytes for a graph',
    message: counter(scalar, raw(1, 2)),
    text: /Expected: 4 bytes; Actual: 8 bytes; input name: input/,
  },
  {
    name: 'no bytes for a graph',
    message: counter(scalar, Buffer.alloc(0)),
    text: /Expected: 4 bytes; Actual: 0 bytes; input name: input/,
  },
  {
    name: 'too many bytes for a model',
    message: fp32(INPUT, raw(1, 2)),
    text: /mismatch for input 'INPUT'.* Expected 4, got 8/,
  },
  {
    name: 'too many typed values',
    message: counter(input('input', 'FP32', [1], { fp32_contents: [1, 2] })),
    text: /Expected: 1 values; Actual: 2 values; input name: input/,
  },
  {
    name: 'typed values of another datatype',
    message: fp32(input('INPUT', 'FP32', [1], { int_contents: [1] })),
    text: /'INPUT'.* 'INT32', expected datatype 'FP32'/,
  },
  {
    name: 'a typed value out of range',
    message: one('identity_int8', input('INPUT', 'INT8', [1], { int_contents: [300] })),
    text: /value 300 at index 0 of input 'INPUT' does not fit INT8/,
  },
  {
    name: 'typed and raw contents mixed, for a graph',
    message: counter(input('input', 'FP32', [1], { fp32_contents: [1] }), raw(1)),
    text: /both in .*contents and in .*raw_input_contents/,
  },
  {
    name: 'typed and raw contents mixed, for a model',
    message: fp32(input('INPUT', 'FP32', [1], { fp32_contents: [1] }), raw(1)),
    text: /contents .*raw_input_contents for 'INPUT'/,
  },
  {
    name: 'more raw contents than inputs, for a graph',
    message: counter(scalar, raw(1), raw(2)),
    text: /raw_input_contents: 2 is different than number of inputs: 1/,
  },
  { name: 'fewer raw contents than inputs', message: add(row('A'), row('B'), four), text: /data for .*'B'.* 'add'/ },
  { name: 'no data for a graph', message: counter(scalar), text: /number of values.* input name: input/ },
  { name: 'no data for a model', message: fp32(INPUT), text: /unable to find data for input tensor 'INPUT'/ },

  {
    name: 'a BYTES length beyond the data',
    message: bytes(1, 9, 0, 0, 0, 65),
    text: /'INPUT', expecting string of length 9 but only 1 bytes/,
  },
  { name: 'half a BYTES length', message: bytes(1, 1, 0), text: /'INPUT', expecting 4 bytes but only 2 bytes/ },
  { name: 'too few BYTES elements', message: bytes(2, 1, 0, 0, 0, 65), text: /expected 2 string .*'INPUT', got 1/ },
  {
    name: 'too many BYTES elements',
    message: bytes(1, 1, 0, 0, 0, 65, 0, 0, 0, 0),
    text: /elements 2 for .*'INPUT', expecting 1/,
  },

  {
    name: 'a timestamp that is a string',
    message: at({ string_param: '5' }),
    text: /OVMS_MP_TIMESTAMP\. Should be int64/,
  },
  { name: 'a timestamp that is a boolean', message: at({ bool_param: true }), text: /OVMS_MP_TIMESTAMP.*int64/ },
  ...SPECIAL_TIMESTAMPS.map(([value, name]) => ({
    name: `the special timestamp ${name}`,
    message: at({ int64_param: value }),
    text: new RegExp(`Malformed packet timestamp - Timestamp::${name}\\(\\)`),
  })),
  {
    name: 'a parameter without a value',
    message: request('counter', { ...GOOD['counter'], parameters: { x: {} } }),
    text: /parameter 'x' has no value; .*int64.* expected/,
    stream: 'ends',
  },

  {
    name: 'a message above the limit',
    message: counter(input('input', 'FP32', [2000]), raw(...Array.from({ length: 2000 }, () => 1))),
    code: 8,
    text: /larger than max \(80\d\d vs 4096\)/,
    stream: 'ends',
  },
];
