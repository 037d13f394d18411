import { expect, test } from 'vitest';
import { cutTensor, joinTensors, rowsOf } from './batch.ts';
import { encodeBytes, textData } from './bytes.ts';
import { tensorOf, typedData, type Tensor } from './tensor.ts';

const numbers = (rows: number, ...values: number[]): Tensor =>
  tensorOf('x', 'FP32', [rows, values.length / rows], Float32Array.from(values));
const texts = (...values: string[]): Tensor => ({
  name: 't',
  datatype: 'BYTES',
  shape: [values.length, 1],
  data: encodeBytes(values),
});

test('tensors are joined along their first dimension and cut into the same rows again', () => {
  const joined = joinTensors([numbers(2, 1, 2, 3, 4), numbers(1, 5, 6)]);
  expect([joined.shape, ...typedData(joined)]).toEqual([[3, 2], 1, 2, 3, 4, 5, 6]);
  const cut = cutTensor(joined, [2, 1]);
  expect(cut.map(({ shape }) => shape)).toEqual([
    [2, 2],
    [1, 2],
  ]);
  expect(cut.map((tensor) => [...typedData(tensor)])).toEqual([
    [1, 2, 3, 4],
    [5, 6],
  ]);
});

test('BYTES of any length, no row and a row of several elements too', () => {
  const joined = joinTensors([texts('a', 'ä longer one'), texts(), texts('')]);
  expect(joined.shape).toEqual([3, 1]);
  expect(cutTensor(joined, [2, 0, 1]).map(textData)).toEqual([['a', 'ä longer one'], [], ['']]);
  const pairs = { ...joined, shape: [2, 2], data: encodeBytes(['1', '22', '333', '4444']) };
  expect(cutTensor(pairs, [1, 1]).map(textData)).toEqual([
    ['1', '22'],
    ['333', '4444'],
  ]);
});

test('a request has rows where all its inputs have as many and hold what they say', () => {
  expect(rowsOf([numbers(2, 1, 2), texts('a', 'b')])).toBe(2);
  expect(rowsOf([numbers(2, 1, 2), texts('a')])).toBeUndefined();
  expect(rowsOf([{ ...numbers(2, 1, 2), shape: [3, 1] }])).toBeUndefined();
  expect(rowsOf([{ ...texts('a'), data: Buffer.from([9, 0, 0, 0]) }])).toBeUndefined();
  expect(rowsOf([tensorOf('x', 'FP32', [], Float32Array.of(1))])).toBeUndefined();
  expect(rowsOf([])).toBeUndefined();
});
