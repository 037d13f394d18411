import { expect, test } from 'vitest';
import { oracle } from '../../../test/support/protobuf-oracle.ts';
import { decodeInferRequest } from './infer-codec.ts';
import { decodeInferenceRequest } from './json-request.ts';

test('raw contents belong to the inputs that are not in shared memory, in order', () => {
  const request = decodeInferRequest(
    oracle('ModelInferRequest').encode({
      model_name: 'M',
      inputs: [
        { name: 'a', datatype: 'UINT8', shape: [1] },
        {
          name: 'b',
          datatype: 'FP32',
          shape: [2],
          parameters: {
            shared_memory_region: { string_param: 'r' },
            shared_memory_byte_size: { int64_param: '8' },
            shared_memory_offset: { int64_param: '16' },
            own: { bool_param: true },
          },
        },
        { name: 'c', datatype: 'UINT8', shape: [1] },
      ],
      raw_input_contents: [Buffer.from([1]), Buffer.from([3])],
    }),
  );
  expect(request.inputs.map(({ data }) => [...data])).toEqual([[1], [], [3]]);
  expect(request.inputs[1]).toMatchObject({
    shared: { region: 'r', offset: 16, byteSize: 8 },
    parameters: { own: true },
  });
  expect(request.inputs[1]?.parameters).not.toHaveProperty('shared_memory_region');
});

test('JSON: an input and an output in shared memory', () => {
  const parameters = { shared_memory_region: 'r', shared_memory_byte_size: 5 };
  const body = {
    inputs: [{ name: 'x', datatype: 'BYTES', shape: [1], parameters }],
    outputs: [{ name: 'y', parameters: { ...parameters, shared_memory_offset: 8, binary_data: true } }],
  };
  const { request } = decodeInferenceRequest(
    Buffer.from(JSON.stringify(body)),
    undefined,
    { servable: 'M', version: '' },
    () => [],
  );
  expect(request.inputs[0]).toMatchObject({ shared: { region: 'r', offset: 0, byteSize: 5 }, parameters: undefined });
  expect(request.outputs[0]).toEqual({
    name: 'y',
    shared: { region: 'r', offset: 8, byteSize: 5 },
    parameters: undefined,
  });
});
