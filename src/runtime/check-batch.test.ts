import { expect, test } from 'vitest';
import { checkBatch } from './check-batch.ts';

const tensor = (name: string, shape: readonly number[]) => ({
  name,
  datatype: 'FP32' as const,
  shape,
  data: new Uint8Array(),
});

test('a batch up to the largest is taken, and any without batches', () => {
  expect(() => checkBatch('m', 8, [tensor('A', [8, 4]), tensor('B', [8])])).not.toThrow();
  expect(() => checkBatch('m', 8, [])).not.toThrow();
  expect(() => checkBatch('m', 0, [tensor('A', [9]), tensor('B', [])])).not.toThrow();
});

test.each([
  [[tensor('A', [9, 4])], "[request id: 7] inference request batch-size must be <= 8 for 'm'"],
  [[tensor('A', [0, 4])], "[request id: 7] inference request batch-size must be >= 1 for 'm'"],
  [[tensor('A', [2]), tensor('B', [3])], "[request id: 7] input 'B' batch size does not match other inputs for 'm'"],
  [[tensor('A', [])], "[request id: 7] input 'A' has no shape but model requires batch dimension for 'm'"],
])('%j is refused', (tensors, message) => {
  expect(() => checkBatch('m', 8, tensors, '7')).toThrow(message);
});

test('without an id the prefix says so', () => {
  expect(() => checkBatch('m', 1, [tensor('A', [2])])).toThrow('[request id: <id_unknown>] ');
});
