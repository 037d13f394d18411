import { describe, expect, it } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { fromImage, toImage } from './image.ts';

function tensor(datatype: Datatype, shape: number[], bytes: number): Tensor {
  return { name: 'image', datatype, shape, data: new Uint8Array(bytes + 1).subarray(1) };
}

describe('toImage', () => {
  it.each<[Datatype, number, number, string | undefined, Datatype | undefined]>([
    ['UINT8', 1, 1, 'GRAY8', 'UINT8'],
    ['UINT8', 3, 1, 'SRGB', 'UINT8'],
    ['INT8', 4, 1, 'SRGBA', 'UINT8'],
    ['UINT16', 1, 2, 'GRAY16', 'UINT16'],
    ['FP16', 3, 2, 'SRGB48', 'UINT16'],
    ['INT16', 4, 2, 'SRGBA64', 'UINT16'],
    ['FP32', 1, 4, 'VEC32F1', 'FP32'],
    ['FP32', 2, 4, 'VEC32F2', 'FP32'],
    ['FP32', 4, 4, 'VEC32F4', 'FP32'],
    ['UINT8', 2, 1, undefined, undefined],
    ['FP32', 3, 4, undefined, undefined],
    ['INT64', 3, 8, undefined, undefined],
  ])('%s with %i channels', (datatype, channels, size, format, back) => {
    const given = tensor(datatype, [2, 5, channels], 10 * channels * size);
    if (format === undefined) {
      expect(() => toImage(given)).toThrow(
        'Invalid KFS request datatype, conversion to Mediapipe ImageFrame format failed.',
      );
      return;
    }
    const image = toImage(given);
    expect(image).toMatchObject({ width: 5, height: 2, channels, format });
    expect(fromImage('out', image)).toMatchObject({ name: 'out', datatype: back, shape: [2, 5, channels] });
  });

  it.each<[number[], number, string]>([
    [[2, 5], 10, 'Invalid Mediapipe Image input shape size. Expected: 3; Actual: 2'],
    [[0, 5, 3], 0, 'Invalid Mediapipe Image input height. Expected greater than 0; Actual: 0; Expected layout - HWC.'],
    [
      [2, 5, -1],
      10,
      'Invalid Mediapipe Image input number of channels. Expected greater than 0; Actual: -1; Expected layout - HWC.',
    ],
    [[2, 5, 3], 29, 'Invalid Mediapipe Image input buffer size. Actual: 29; Expected: 30'],
  ])('refuses shape %j with %i bytes', (shape, bytes, message) => {
    const work = () => toImage(tensor('UINT8', shape, bytes));
    expect(work).toThrow(MillraceError);
    expect(work).toThrow(message);
  });
});
