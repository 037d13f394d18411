import { describe, expect, it } from 'vitest';
import { runCalculator, type OptionFields } from '../../graph/index.ts';
import { textData } from '../../tensor/bytes.ts';
import { typedData, type Tensor } from '../../tensor/tensor.ts';
import { constantTensor } from './constant-tensor.ts';

async function made(options: OptionFields): Promise<Tensor> {
  const { sidePackets } = await runCalculator(constantTensor, { outputSidePackets: ['TENSOR'], options });
  return sidePackets['TENSOR'] as Tensor;
}

describe('ConstantTensorCalculator', () => {
  it.each<[string, OptionFields, readonly unknown[]]>([
    ['zeros', { shape: [1, 3] }, [0, 0, 0]],
    ['one value everywhere', { shape: [2], value: 1.5 }, [1.5, 1.5]],
    ['each value', { datatype: 'INT64', shape: [2], value: [7, -2] }, [7n, -2n]],
    ['a scalar', { datatype: 'UINT8', value: 3 }, [3]],
    ['half-precision zeros', { datatype: 'FP16', shape: 2 }, [0, 0]],
  ])('makes %s', async (_, options, elements) => {
    expect([...typedData(await made(options))]).toEqual(elements);
  });

  it('makes text', async () => {
    expect(textData(await made({ datatype: 'BYTES', shape: 2, text: 'a' }))).toEqual(['a', 'a']);
  });

  it.each<[OptionFields, RegExp]>([
    [{ shape: 3, value: [1, 2] }, /2 elements given, shape \[3\] has 3/],
    [{ datatype: 'FP16', shape: 1, value: 1 }, /only zeros/],
    [{ datatype: 'BYTES', shape: 1, value: 1 }, /BYTES takes text/],
    [{ shape: 1, text: 'a' }, /FP32 takes value/],
    [{ datatype: 'FLOAT' }, /datatype/],
    [{ datatype: 'INT64', shape: 1, value: 1.5 }, /value: 1.5 given, a whole number expected for INT64/],
    [{ datatype: 'UINT8', shape: 1, value: 300 }, /value: 300 given, 0…255 expected for UINT8/],
    [{ datatype: 'UINT64', shape: 1, value: -1 }, /value: -1 given, 0…/],
    [{ datatype: 'BOOL', shape: 1, value: 2 }, /value: 2 given, 0…1 expected for BOOL/],
  ])('refuses %j', async (options, message) => {
    await expect(made(options)).rejects.toThrow(message);
  });
});
