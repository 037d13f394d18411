import { expect, it } from 'vitest';
import { encodeBytes } from '../tensor/bytes.ts';
import { pictureOf } from './pictures.ts';

const uint8 = (...shape: number[]) =>
  ({ name: 'output', datatype: 'UINT8', shape, data: new Uint8Array(shape.reduce((a, b) => a * b, 1)) }) as const;

it.each([
  [[2, 3, 3], 'rgb24'],
  [[1, 2, 3, 3], 'rgb24'],
  [[2, 3, 1], 'gray'],
  [[2, 3, 4], 'rgba'],
])('UINT8 [%s] is a picture', (shape, format) => {
  expect(pictureOf(uint8(...shape), 'rgb')).toMatchObject({ height: 2, width: 3, format });
});

it('takes the order of channels that was agreed', () => {
  expect(pictureOf(uint8(2, 3, 3), 'bgr').format).toBe('bgr24');
});

it('a JPEG comes as BYTES', () => {
  const jpeg = Buffer.from('ffd8ffc0001108012c0190030122000211', 'hex');
  const tensor = { name: 'output', datatype: 'BYTES', shape: [1], data: encodeBytes([jpeg]) } as const;
  expect(pictureOf(tensor, 'rgb')).toMatchObject({ width: 400, height: 300, format: 'jpeg', data: jpeg });
  expect(() => pictureOf({ ...tensor, data: encodeBytes(['text']) }, 'rgb')).toThrow(
    '1 BYTES elements, one JPEG expected',
  );
});

it.each([[[2, 3]], [[2, 3, 2]], [[2, 2, 3, 3]], [[0, 3, 3]]])('UINT8 [%s] is none', (shape) => {
  expect(() => pictureOf(uint8(...shape), 'rgb')).toThrow(`UINT8 [${shape.join(',')}] is no picture`);
});
