import { expect, it } from 'vitest';
import { runCalculator } from '../../graph/index.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { counter } from './counter.ts';

const number = (value: number) => tensorOf('input', 'FP32', [1], new Float32Array([value]));

it('CounterCalculator gives the running sum at the times of its inputs', async () => {
  const { outputs } = await runCalculator(counter, {
    inputs: { '': [[0, number(1)], [5, number(2.5)], [6, number(-4)]] }, // prettier-ignore
    outputs: [''],
  });
  const packets = outputs[''] ?? [];
  expect(packets.map(({ timestamp }) => timestamp)).toEqual([0n, 5n, 6n]);
  expect(packets.map(({ value }) => typedData(value as Tensor)[0])).toEqual([1, 3.5, -0.5]);
});

it('CounterCalculator refuses other shapes', async () => {
  const pair = tensorOf('input', 'FP32', [2], new Float32Array(2));
  await expect(runCalculator(counter, { inputs: { '': [[0, pair]] }, outputs: [''] })).rejects.toThrow(
    /Tensor FP32 \[1\]/,
  );
});
