import { expect, test } from 'vitest';
import { runCalculator } from '../../graph/index.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { pyTensorConverter } from './py-tensor-converter.ts';

const tensor: Tensor = tensorOf('given', 'FP32', [1], Float32Array.of(3.5));

test('tensors pass at their timestamps, under the name that the options say', async () => {
  const plain = { inputs: { OVTENSOR: [[5, tensor]] }, outputs: ['OVMS_PY_TENSOR'] } as const;
  const { outputs } = await runCalculator(pyTensorConverter, plain);
  expect(outputs['OVMS_PY_TENSOR']).toMatchObject([{ timestamp: 5n, value: tensor }]);
  const options = { tag_to_output_tensor_names: { key: 'OVMS_PY_TENSOR', value: 'named' } };
  const renamed = await runCalculator(pyTensorConverter, { ...plain, options });
  expect(renamed.outputs['OVMS_PY_TENSOR']).toMatchObject([{ value: { ...tensor, name: 'named' } }]);
});

test('it takes one and gives one', async () => {
  const two = { inputs: { A: [[1, tensor]], B: [[1, tensor]] }, outputs: ['C'] } as const;
  await expect(runCalculator(pyTensorConverter, two)).rejects.toThrow(
    '2 inputs and 1 outputs given, one of each expected',
  );
});
