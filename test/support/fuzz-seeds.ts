import { encodeBytes } from '../../src/tensor/bytes.ts';
import { oracle, type Plain } from './protobuf-oracle.ts';

const fp32 = (values: readonly number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

/** Good requests in every form, for models that echo INPUT as OUTPUT and a runtime with text in. */
const REQUESTS: readonly Plain[] = [
  {
    model_name: 'identity_fp32',
    id: '1',
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [3] }],
    raw_input_contents: [fp32([1, 2, 3])],
  },
  {
    model_name: 'identity_int64',
    model_version: '1',
    inputs: [
      { name: 'INPUT', datatype: 'INT64', shape: [2], contents: { int64_contents: ['1', '-9223372036854775808'] } },
    ],
    outputs: [{ name: 'OUTPUT', parameters: { binary_data: { bool_param: true } } }],
  },
  {
    model_name: 'bytes',
    inputs: [{ name: 'INPUT', datatype: 'BYTES', shape: [2] }],
    raw_input_contents: [encodeBytes(['ab', ''])],
    parameters: {
      s: { string_param: 'x' },
      i: { int64_param: '5' },
      d: { double_param: 0.5 },
      b: { bool_param: true },
    },
  },
  {
    model_name: 'bytes',
    inputs: [{ name: 'INPUT', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('text')] } }],
  },
  {
    model_name: 'identity_fp32',
    inputs: [
      {
        name: 'INPUT',
        datatype: 'FP32',
        shape: [2],
        parameters: {
          shared_memory_region: { string_param: 'r' },
          shared_memory_byte_size: { int64_param: '8' },
          shared_memory_offset: { int64_param: '0' },
        },
      },
    ],
    outputs: [{ name: 'OUTPUT' }],
  },
  {
    model_name: 'told',
    inputs: [{ name: 'TEXT', datatype: 'BYTES', shape: [1] }],
    raw_input_contents: [encodeBytes(['hello'])],
    parameters: {
      sequence_id: { uint64_param: '7' },
      sequence_start: { bool_param: true },
      priority: { uint64_param: '1' },
    },
  },
];

/** The same as messages. */
export function protobufSeeds(): Buffer[] {
  const type = oracle('ModelInferRequest');
  return REQUESTS.map((request) => type.encode(request));
}

/** Bodies of `infer`, in JSON. */
export const JSON_SEEDS: readonly string[] = [
  '{"id":"1","inputs":[{"name":"INPUT","datatype":"FP32","shape":[3],"data":[1.5,-2,1e10]}]}',
  '{"parameters":{"binary_data_output":true,"a":1,"b":"x"},"inputs":[{"name":"INPUT","shape":[2,1],"datatype":"FP32","data":[[1],[2]]}]}',
  '{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[1],"data":[0.5]}],"outputs":[{"name":"OUTPUT","parameters":{"binary_data":false}}]}',
  '{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[2],"parameters":{"shared_memory_region":"r","shared_memory_byte_size":8}}]}',
  '{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[0],"data":[]}]}',
];

/** Bodies of `generate`. */
export const GENERATE_SEEDS: readonly string[] = [
  '{"id":"1","TEXT":"hello","parameters":{"n":1,"s":"x"}}',
  '{"TEXT":["hello"],"MORE":[1.5,2],"flag":true,"n":3}',
];
