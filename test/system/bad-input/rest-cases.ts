import { gzipSync } from 'node:zlib';
import { MAX_BINARY, MAX_JSON } from './grpc-cases.ts';

export interface RestCase {
  readonly name: string;
  /** After /v2/models/. */
  readonly path: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly reason: string;
  /** Names the thing, what came and what was expected. */
  readonly text: RegExp;
}

type Body = Pick<RestCase, 'body' | 'headers'>;

const tensors = (...inputs: object[]): Body => ({ body: JSON.stringify({ inputs }) });
const tensor = (name: string, datatype: string, shape: unknown, data: unknown): Body =>
  tensors({ name, datatype, shape, data });
const good = tensor('input', 'FP32', [1], [1]);
const at = (timestamp: string): Body => ({
  body: `{"parameters":{"OVMS_MP_TIMESTAMP":${timestamp}},${String(good.body).slice(1)}`,
});
/** FP32 data as one JSON number, written as given. */
const literal = (number: string): Body => ({
  body: `{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[1],"data":[${number}]}]}`,
});

const HEADER = 'inference-header-content-length';
/** One FP32 input of the binary extension. */
function binary(size: number, data: readonly number[]): Body {
  const input = { name: 'INPUT', datatype: 'FP32', shape: [1], parameters: { binary_data_size: size } };
  const json = JSON.stringify({ inputs: [input] });
  const bytes = Buffer.from(Float32Array.from(data).buffer);
  return { body: Buffer.concat([Buffer.from(json), bytes]), headers: { [HEADER]: String(json.length) } };
}

const counter = 'counter/infer';
const fp32 = 'identity_fp32/infer';

/** The same faults by status and reason; each row is name, path, request, text. */
type Row = readonly [string, string, Body, RegExp];
const of = (status: number, reason: string, ...rows: Row[]): RestCase[] =>
  rows.map(([name, path, body, text]) => ({ name, path, ...body, status, reason, text }));

export const REST_CASES: readonly RestCase[] = [
  ...of(404, 'SERVABLE_NOT_FOUND', ['an unknown servable', 'countr/infer', good, /'countr' is not found/]),
  ...of(404, 'VERSION_NOT_FOUND', [
    'an unknown version',
    'add/versions/7/infer',
    tensor('A', 'FP32', [1, 4], [1, 2, 3, 4]),
    /'add' version 7 is not found/,
  ]),
  ...of(400, 'VERSION_NOT_FOUND', [
    'a version that is no number',
    'add/versions/x/infer',
    tensor('A', 'FP32', [1, 4], [1, 2, 3, 4]),
    /version string 'x' for model 'add': a number above 0 expected/,
  ]),
  ...of(
    400,
    'UNEXPECTED_INPUT',
    [
      'an unknown input of a graph',
      counter,
      tensor('inptu', 'FP32', [1], [1]),
      /inptu is unexpected; did you mean \\?"input/,
    ],
    [
      'an unknown input of a model',
      fp32,
      tensor('X', 'FP32', [1], [1]),
      /unexpected inference input 'X' for model 'identity_fp32'; /,
    ],
  ),
  ...of(400, 'UNEXPECTED_OUTPUT', [
    'an unknown output of a graph',
    counter,
    { body: `{"outputs":[{"name":"otput"}],${String(good.body).slice(1)}` },
    /output 'otput' for model 'counter'/,
  ]),
  ...of(
    400,
    'WRONG_DATATYPE',
    ['the wrong datatype for a graph', counter, tensor('input', 'INT32', [1], [1]), /Expected: FP32; Actual: INT32/],
    ['the wrong datatype for a model', fp32, tensor('INPUT', 'INT32', [1], [1]), /'INPUT' .*'INT32'.* expects 'FP32'/],
    [
      'an unknown datatype',
      fp32,
      tensor('INPUT', 'FLOAT32', [1], [1]),
      /"INPUT": .*"FLOAT32", one of .*FP32.* expected/,
    ],
    [
      'a number out of range',
      'identity_int8/infer',
      tensor('INPUT', 'INT8', [1], [300]),
      /300, .*-128 to 127 expected/,
    ],
    ['a fraction for an integer', 'identity_int8/infer', tensor('INPUT', 'INT8', [1], [1.5]), /1\.5, an integer/],
    ['a number beyond FP32', fp32, literal('1e39'), /"INPUT" \(FP32\): data\[0\] is 1e\+39, a number up to 3\.4/],
    ['a number beyond FP64', fp32, literal('1e400'), /"INPUT" \(FP32\): data\[0\] is 1e400, a number up to 1\.7/],
    ['a text for a number', fp32, tensor('INPUT', 'FP32', [1], ['x']), /"INPUT".*data\[0\] is a string, a number exp/],
    ['a number for a text', 'identity_bytes/infer', tensor('INPUT', 'BYTES', [1], [5]), /data\[0\] is 5, a string exp/],
  ),
  ...of(
    400,
    'WRONG_SHAPE',
    ['the wrong shape', counter, tensor('input', 'FP32', [2], [1, 2]), /Expected: \(1\); Actual: \(2\); .*input/],
    ['too many numbers', counter, tensor('input', 'FP32', [1], [1, 2]), /"input": 2 elements .*1 expected/],
  ),
  ...of(
    400,
    'MISSING_INPUT',
    ['no inputs', counter, tensors(), /0 given, 1 expected \(input\)/],
    ['an input without data', counter, tensors({ name: 'input', datatype: 'FP32', shape: [1] }), /'input'.*"data" or/],
  ),
  ...of(
    400,
    'WRONG_BYTE_SIZE',
    ['too many binary bytes for a tensor', fp32, binary(8, [1, 2]), /'INPUT'.* Expected 4, got 8/],
    ['binary bytes of no tensor', fp32, binary(4, [1, 2]), /4 bytes more than .*binary_data_size/],
  ),
  ...of(
    400,
    'INVALID_TIMESTAMP',
    ['a timestamp that is a string', counter, at('"5"'), /OVMS_MP_TIMESTAMP\. Should be int64/],
    ['a timestamp that is a fraction', counter, at('1.5'), /OVMS_MP_TIMESTAMP\. Should be int64/],
    ['a special timestamp', counter, at('9223372036854775807'), /Timestamp::Done\(\)/],
  ),
  ...of(
    400,
    'MALFORMED_REQUEST',
    ['an unclosed body', counter, { body: '{"inputs": [' }, /expected at byte 12, got the end/],
    ['a body with a wrong bracket', counter, { body: '{"inputs": [}' }, /a value expected at byte 12, got "}"/],
    ['a body that is no JSON', counter, { body: 'hello' }, /expected at byte 0, got "hello"/],
    ['an empty body', counter, { body: '' }, /an object expected at byte 0, got the end/],
    ['an array', counter, { body: '[]' }, /an array, an object expected/],
    ['a body without inputs', counter, { body: '{}' }, /"inputs" is missing/],
    ['inputs that are no array', counter, { body: '{"inputs": {}}' }, /"inputs" is an object, an array expected/],
    [
      'an input without shape',
      counter,
      tensors({ name: 'input', datatype: 'FP32', data: [1] }),
      /"input": "shape" is m/,
    ],
    ['a negative dimension', counter, tensor('input', 'FP32', [-1], [1]), /"input": "shape"\[0\] is .*-1, an integer/],
    [
      'a fraction as dimension',
      counter,
      tensor('input', 'FP32', [1.5], [1]),
      /"shape"\[0\] is the number 1\.5, an int/,
    ],
    ['deep nesting', counter, { body: `{"inputs":${'['.repeat(500)}${']'.repeat(500)}}` }, /nesting exceeds .*\(100\)/],
    [
      'a text that is no UTF-8',
      'identity_bytes/infer',
      {
        body: Buffer.from('{"inputs":[{"name":"INPUT","datatype":"BYTES","shape":[1],"data":["\xFF"]}]}', 'latin1'),
      },
      /"INPUT".*not valid UTF-8/,
    ],
    ['a header length that is no number', counter, { ...good, headers: { [HEADER]: 'x' } }, /is "x", an integer/],
    ['a header length beyond the body', counter, { body: '{}', headers: { [HEADER]: '99' } }, /\(0, 2\), got: 99/],
    ['a body that is not gzip', counter, { body: 'hello', headers: { 'content-encoding': 'gzip' } }, /as gzip: inc/],
  ),
  ...of(501, 'UNSUPPORTED_ENCODING', [
    'an unknown encoding',
    counter,
    { ...good, headers: { 'content-encoding': 'br' } },
    /"br" is not supported; gzip or deflate expected/,
  ]),
  ...of(
    413,
    'REQUEST_TOO_LARGE',
    ['JSON above the limit', counter, { body: '{}'.padEnd(MAX_JSON + 1) }, /maximum .*size of 2048 bytes/],
    [
      'JSON above the limit once it is decompressed',
      counter,
      { body: gzipSync(Buffer.alloc(100_000, ' ')), headers: { 'content-encoding': 'gzip' } },
      /maximum .*size of 2048 bytes/,
    ],
    [
      'binary data above the limit',
      counter,
      { body: '{}'.padEnd(MAX_BINARY + 1), headers: { [HEADER]: '2' } },
      /maximum .*size of 4096 bytes/,
    ],
  ),
];
