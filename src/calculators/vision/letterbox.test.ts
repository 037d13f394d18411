import { describe, expect, it } from 'vitest';
import type { Image } from '../../media/image.ts';
import { fit, Letterboxer } from './letterbox.ts';

function rgb(width: number, height: number, pixel: (x: number, y: number) => [number, number, number]): Image {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(pixel(x, y), (y * width + x) * 3);
  return { width, height, channels: 3, format: 'SRGB', data };
}

describe('fit', () => {
  it.each([
    [320, 240, { scaleX: 0.5, scaleY: 0.5, left: 0, top: 20 }],
    [240, 320, { scaleX: 0.5, scaleY: 0.5, left: 20, top: 0 }],
    [160, 160, { scaleX: 1, scaleY: 1, left: 0, top: 0 }],
    [1600, 1, { scaleX: 0.1, scaleY: 1, left: 0, top: 79 }],
  ])('centres %i×%i in 160×160', (width, height, expected) => {
    expect(fit(width, height, 160, 160)).toEqual({ width, height, ...expected });
  });
});

describe('Letterboxer', () => {
  it('copies an image of the right size plane by plane', () => {
    const { values } = new Letterboxer(2, 2).apply(rgb(2, 2, (x, y) => [x * 255, y * 255, 51]));
    const expected = [0, 1, 0, 1, 0, 0, 1, 1, 0.2, 0.2, 0.2, 0.2];
    values.forEach((value, at) => expect(value).toBeCloseTo(expected[at] ?? NaN, 6));
  });

  it('averages when it halves and puts grey beside the image', () => {
    const { values } = new Letterboxer(2, 2).apply(rgb(4, 2, (x) => [x < 2 ? 100 : 200, 0, 255]));
    const plane = (channel: number) =>
      [...values.subarray(channel * 4, channel * 4 + 4)].map((v) => Math.round(v * 255));
    expect(plane(0)).toEqual([100, 200, 114, 114]);
    expect(plane(2)).toEqual([255, 255, 114, 114]);
  });

  it('interpolates between pixel centres when it enlarges', () => {
    const { values } = new Letterboxer(4, 4).apply(rgb(2, 2, (x) => [x * 255, 0, 0]));
    [0, 0.25, 0.75, 1].forEach((expected, at) => expect(values[at]).toBeCloseTo(expected, 6));
  });

  it('takes grey, alpha, 16-bit and float images', () => {
    const one = { width: 1, height: 1 };
    const apply = (image: Image) =>
      [...new Letterboxer(1, 1).apply(image).values].map((v) => Math.round(v * 100) / 100);
    expect(apply({ ...one, channels: 1, format: 'GRAY8', data: new Uint8Array([51]) })).toEqual([0.2, 0.2, 0.2]);
    expect(apply({ ...one, channels: 4, format: 'SRGBA', data: new Uint8Array([51, 102, 153, 9]) })).toEqual([
      0.2, 0.4, 0.6,
    ]);
    expect(apply({ ...one, channels: 1, format: 'GRAY16', data: new Uint16Array([65535]) })).toEqual([1, 1, 1]);
    expect(apply({ ...one, channels: 2, format: 'VEC32F2', data: new Float32Array([0.5, 9]) })).toEqual([
      0.5, 0.5, 0.5,
    ]);
  });

  it('follows a change of the image size', () => {
    const letterboxer = new Letterboxer(4, 4);
    const sizes = [[4, 2], [2, 4], [4, 2]] as const; // prettier-ignore
    const tops = sizes.map(([width, height]) => letterboxer.apply(rgb(width, height, () => [0, 0, 0])).letterbox.top);
    expect(tops).toEqual([1, 0, 1]);
  });
});
