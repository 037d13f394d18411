import { expect, test } from 'vitest';
import { oracle, type Plain } from '../../../test/support/protobuf-oracle.ts';
import { MillraceError } from '../../base/errors.ts';
import { encodeBytes } from '../../tensor/bytes.ts';
import { decodeInferRequest, type Dialect } from './infer-codec.ts';

const requestType = oracle('ModelInferRequest');

test('what protobufjs refuses we refuse as MALFORMED_REQUEST', () => {
  for (const hex of ['0a05', '0a', '2a021a05', 'ff', '00', '0c', '3affffffffffffffffff7f', '2202120a']) {
    expect(reasonOf(Buffer.from(hex, 'hex'))).toBe('MALFORMED_REQUEST');
  }
  expect(reasonOf(Buffer.from([10, 2, 0xc3, 0x28]))).toBe('MALFORMED_REQUEST');
});

function reasonOf(bytes: Buffer): string | undefined {
  try {
    decodeInferRequest(bytes);
    return undefined;
  } catch (error) {
    return error instanceof MillraceError ? error.reason : String(error);
  }
}

const fp32 = { name: 'in', datatype: 'FP32', shape: [2] };
const raw8 = Buffer.alloc(8);
const shared = (bytes: string): Plain => ({
  shared_memory_region: { string_param: 'r' },
  shared_memory_byte_size: { int64_param: bytes },
});
const size = "[request id: <id_unknown>] input byte size mismatch for input 'in' for model 'M'. Expected 8, got 4";
const FAULTS: readonly [string, Dialect, Plain, string, string][] = [
  ['byte size', 'triton', { inputs: [fp32], raw_input_contents: [Buffer.alloc(4)] }, 'WRONG_BYTE_SIZE', size],
  [
    'byte size with id',
    'triton',
    { id: '9', inputs: [fp32], raw_input_contents: [Buffer.alloc(4)] },
    'WRONG_BYTE_SIZE',
    size.replace('<id_unknown>', '9'),
  ],
  [
    'byte size',
    'ovms',
    { inputs: [{ ...fp32, shape: [1] }], raw_input_contents: [Buffer.alloc(0)] },
    'WRONG_BYTE_SIZE',
    'Invalid content size of tensor proto - Expected: 4 bytes; Actual: 0 bytes; input name: in',
  ],
  ['typed count', 'triton', { inputs: [{ ...fp32, contents: { fp32_contents: [1] } }] }, 'WRONG_BYTE_SIZE', size],
  [
    'typed count',
    'ovms',
    { inputs: [{ ...fp32, contents: { fp32_contents: [1, 2, 3] } }] },
    'WRONG_BYTE_SIZE',
    'Invalid number of values in tensor proto container - Expected: 2 values; Actual: 3 values; input name: in',
  ],
  [
    'mixed',
    'triton',
    { inputs: [{ ...fp32, contents: { fp32_contents: [1, 2] } }], raw_input_contents: [raw8] },
    'CONTENTS_MIXED',
    "contents field must not be specified when using raw_input_contents for 'in' for model 'M'",
  ],
  [
    'wrong list',
    'triton',
    { inputs: [{ ...fp32, contents: { int_contents: [1, 2] } }] },
    'WRONG_DATATYPE',
    "unexpected explicit tensor data for input tensor 'in' for model 'M' of type 'INT32', expected datatype 'FP32'",
  ],
  [
    'FP16 typed',
    'triton',
    { inputs: [{ ...fp32, datatype: 'FP16', contents: { fp32_contents: [1, 2] } }] },
    'WRONG_DATATYPE',
    "unexpected explicit tensor data for input tensor 'in' for model 'M' of type 'FP32', expected datatype 'FP16'",
  ],
  [
    'no data',
    'triton',
    { inputs: [fp32] },
    'MISSING_INPUT',
    "unable to find data for input tensor 'in' for model 'M' in request.",
  ],
  [
    'raw count',
    'triton',
    { inputs: [fp32, { ...fp32, name: 'b' }], raw_input_contents: [raw8] },
    'MISSING_INPUT',
    "unable to find data for input tensor 'b' for model 'M' in request.",
  ],
  [
    'raw count',
    'ovms',
    { inputs: [fp32], raw_input_contents: [raw8, raw8] },
    'MISSING_INPUT',
    'Size of raw_input_contents: 2 is different than number of inputs: 1',
  ],
  [
    'duplicate',
    'triton',
    { inputs: [fp32, fp32], raw_input_contents: [raw8, raw8] },
    'DUPLICATE_INPUT',
    "[request id: <id_unknown>] input 'in' already exists in request",
  ],
  [
    'datatype',
    'triton',
    { inputs: [{ ...fp32, datatype: 'FLOAT' }], raw_input_contents: [raw8] },
    'WRONG_DATATYPE',
    "'FLOAT'",
  ],
  [
    'negative dim',
    'triton',
    { inputs: [{ ...fp32, shape: [1, -1] }], raw_input_contents: [raw8] },
    'WRONG_SHAPE',
    "[request id: <id_unknown>] All input dimensions should be specified for input 'in' for model 'M', got [1,-1]",
  ],
  [
    'huge shape',
    'triton',
    { inputs: [{ ...fp32, shape: ['4294967296', '4294967296'] }], raw_input_contents: [raw8] },
    'WRONG_SHAPE',
    '4294967296',
  ],
  [
    'huge dim',
    'ovms',
    { inputs: [{ ...fp32, shape: ['9223372036854775807'] }], raw_input_contents: [raw8] },
    'WRONG_SHAPE',
    'Invalid content size of tensor proto',
  ],
  [
    'INT8 range',
    'triton',
    { inputs: [{ ...fp32, datatype: 'INT8', contents: { int_contents: [1, 128] } }] },
    'WRONG_DATATYPE',
    "value 128 at index 1 of input 'in' does not fit INT8",
  ],
  [
    'BYTES framing',
    'triton',
    { inputs: [{ ...fp32, datatype: 'BYTES' }], raw_input_contents: [Buffer.from([9, 0, 0, 0, 1])] },
    'MALFORMED_BYTES',
    'incomplete string data',
  ],
  [
    'BYTES count',
    'triton',
    { inputs: [{ ...fp32, datatype: 'BYTES' }], raw_input_contents: [encodeBytes(['a'])] },
    'MALFORMED_BYTES',
    'expected 2 string elements',
  ],
  ['unset parameter', 'triton', { parameters: { p: {} } }, 'INVALID_PARAMETER', "parameter 'p' has no value"],
  [
    'shared memory in the mlserver dialect',
    'mlserver',
    { inputs: [{ ...fp32, parameters: { shared_memory_region: { string_param: 'r' } } }] },
    'NOT_SUPPORTED',
    'input "in": parameter "shared_memory_region"',
  ],
  [
    'region without a size',
    'triton',
    { inputs: [{ ...fp32, parameters: { shared_memory_region: { string_param: 'r' } } }] },
    'INVALID_PARAMETER',
    "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor 'in'",
  ],
  [
    'size without a region',
    'triton',
    {
      inputs: [{ ...fp32, parameters: { shared_memory_byte_size: { int64_param: '8' } } }],
      raw_input_contents: [raw8],
    },
    'INVALID_PARAMETER',
    "'shared_memory_byte_size' can not be specified without 'shared_memory_region' parameter for tensor 'in'",
  ],
  [
    'region of an output without a size',
    'triton',
    { outputs: [{ name: 'y', parameters: { shared_memory_region: { string_param: 'r' } } }] },
    'INVALID_PARAMETER',
    "parameter for tensor 'y'",
  ],
  [
    'shared memory with contents',
    'triton',
    { inputs: [{ ...fp32, parameters: shared('8'), contents: { fp32_contents: [1, 2] } }] },
    'CONTENTS_MIXED',
    "unexpected 'content' provided when using shared memory for input tensor 'in'",
  ],
  [
    'shared memory of another size',
    'triton',
    { inputs: [{ ...fp32, parameters: shared('12') }] },
    'WRONG_BYTE_SIZE',
    "input byte size mismatch for input 'in' for model 'M'. Expected 8, got 12",
  ],
  [
    'negative size in shared memory',
    'triton',
    { inputs: [{ ...fp32, parameters: shared('-8') }] },
    'INVALID_PARAMETER',
    "parameter 'shared_memory_byte_size' of tensor 'in': an integer of 0 or more expected",
  ],
  [
    'classification of none',
    'triton',
    { outputs: [{ name: 'y', parameters: { classification: { int64_param: '0' } } }] },
    'INVALID_PARAMETER',
    "invalid value for 'classification' parameter, expected >= 0",
  ],
  [
    'classification of another type',
    'triton',
    { outputs: [{ name: 'y', parameters: { classification: { uint64_param: '2' } } }] },
    'INVALID_PARAMETER',
    "invalid value type for 'classification' parameter, expected int64_param",
  ],
  [
    'classification in shared memory',
    'triton',
    { outputs: [{ name: 'y', parameters: { ...shared('8'), classification: { int64_param: '1' } } }] },
    'INVALID_PARAMETER',
    "output can't set both 'shared_memory_region' and 'classification'",
  ],
  [
    'output given twice',
    'triton',
    { outputs: [{ name: 'y' }, { name: 'y' }] },
    'UNEXPECTED_OUTPUT',
    "output 'y' already exists in request",
  ],
];

test.each(FAULTS)('%s in the %s dialect', (_, dialect, message, reason, text) => {
  let thrown: unknown;
  try {
    decodeInferRequest(requestType.encode({ model_name: 'M', ...message }), dialect);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(MillraceError);
  expect((thrown as MillraceError).reason).toBe(reason);
  expect((thrown as MillraceError).message).toContain(text);
});

test('an enormous shape with typed contents allocates nothing of its size', () => {
  const bytes = requestType.encode({
    model_name: 'M',
    inputs: [{ name: 'in', datatype: 'INT64', shape: ['100000000000000'], contents: { int64_contents: ['1'] } }],
  });
  expect(reasonOf(bytes)).toBe('WRONG_BYTE_SIZE');
});

test('dims and parameters are bounded, however few bytes each has', () => {
  const withShape = (rank: number): Buffer =>
    requestType.encode({ inputs: [{ name: 'in', datatype: 'INT8', shape: new Array<number>(rank).fill(1) }] });
  expect(reasonOf(withShape(1024))).toBe('MISSING_INPUT');
  expect(reasonOf(withShape(1025))).toBe('REQUEST_TOO_LARGE');
  const unpacked = Buffer.concat([Buffer.from([42, 130, 16]), Buffer.alloc(2050, Buffer.from([24, 1]))]);
  expect(reasonOf(unpacked)).toBe('REQUEST_TOO_LARGE');

  const parameter = Buffer.from([34, 7, 10, 1, 112, 18, 2, 8, 1]);
  expect(() => decodeInferRequest(Buffer.alloc(131_072 * parameter.length, parameter))).not.toThrow();
  expect(reasonOf(Buffer.alloc(131_073 * parameter.length, parameter))).toBe('REQUEST_TOO_LARGE');
});
