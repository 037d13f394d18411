import { expect, test } from 'vitest';
import { decodeBytes } from '../tensor/bytes.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { classified, withoutClasses } from './classification.ts';
import type { ClassTraits } from './servable-spec.ts';

const request = (classes: number): InferenceRequest => ({
  servable: 'm',
  version: '',
  id: '',
  inputs: [],
  outputs: [{ name: 'y', classes }],
});

/** Texts and shape of what an output becomes. Its data is at an odd place, as those of responses may be. */
function classesOf(
  datatype: Datatype,
  values: ArrayBufferView,
  shape: readonly number[],
  most: number,
  traits?: ClassTraits,
) {
  const bytes = new Uint8Array(values.byteLength + 1);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 1);
  const output = { name: 'y', datatype, shape, data: bytes.subarray(1) };
  const [made] = classified(request(most), { servable: 'm', version: '1', id: '', outputs: [output] }, traits).outputs;
  if (made === undefined) throw new Error('no output');
  const count = made.shape.reduce((product, dim) => product * dim, 1);
  const texts = decodeBytes(made.data, count, 'y').map((text) => Buffer.from(text).toString());
  return { datatype: made.datatype, shape: made.shape, texts };
}

test.each([1, 2, 63, 65, 500, 1000])('the largest %i are those of a sort, equal ones in their order', (most) => {
  let seed = 7;
  const values = Float32Array.from({ length: 1000 }, () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % 97);
  const sorted = [...values.keys()].sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
  const { texts } = classesOf('FP32', values, [1000], most);
  expect(texts.map((text) => Number(text.split(':')[1]))).toEqual(sorted.slice(0, most));
});

const labels = { y: ['cat', 'dog', 'fish'] };

test('an output becomes its largest elements, each row of a batch by itself, with the labels that there are', () => {
  const batch = { hasBatch: true, labels };
  expect(classesOf('FP32', Float32Array.of(1, 3, 2, 0, 5, 5, 7, 7), [2, 4], 3, batch)).toEqual({
    datatype: 'BYTES',
    shape: [2, 3],
    texts: ['3.000000:1:dog', '2.000000:2:fish', '1.000000:0:cat', '7.000000:2:fish', '7.000000:3', '5.000000:0:cat'],
  });
  expect(classesOf('FP32', Float32Array.of(1.5, 3, NaN, -1e10), [4], 9)).toEqual({
    datatype: 'BYTES',
    shape: [4],
    texts: ['3.000000:1', '1.500000:0', '-10000000000.000000:3', 'nan:2'],
  });
  expect(classesOf('INT64', BigInt64Array.of(1n, -3n, 2n ** 60n), [1, 3], 2, batch).texts).toEqual([
    `${2n ** 60n}:2:fish`,
    '1:0:cat',
  ]);
  expect(classesOf('UINT8', Uint8Array.of(1, 9), [2], 1).texts).toEqual(['9:1']);
  expect(classesOf('FP32', new Float32Array(0), [0, 4], 2, batch)).toMatchObject({ shape: [0, 2], texts: [] });
});

test('many classes are those of few, and more', () => {
  const values = Float32Array.from({ length: 500 }, (_, at) => (at * 7919) % 251);
  const few = classesOf('FP32', values, [500], 64).texts;
  expect(classesOf('FP32', values, [500], 500).texts.slice(0, 64)).toEqual(few);
});

// As printf("%f") has them.
test.each([
  [2 ** -7, '0.007812'],
  [3 * 2 ** -7, '0.023438'],
  [1e-9, '0.000000'],
  [-0.1, '-0.100000'],
  [1e22, '10000000000000000000000.000000'],
  [Infinity, 'inf'],
  [-Infinity, '-inf'],
])('%d is printed as C does', (value, text) => {
  expect(classesOf('FP64', Float64Array.of(value), [1], 1).texts).toEqual([`${text}:0`]);
});

test('other datatypes are refused, and what the host is asked says nothing of classes', () => {
  expect(() => classesOf('BOOL', Uint8Array.of(1), [1], 1)).toThrow(
    "class result not available for output due to unsupported type 'BOOL'",
  );
  expect(withoutClasses(request(3)).outputs).toEqual([{ name: 'y' }]);
});
