/** Pixels against OpenCV's; the values are made by `test/fixtures/make/vision.py`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Cropper, fitRegion, type Region } from './crop.ts';
import { drawLine, drawText, fillCircle, textWidth, type Canvas } from './drawing.ts';
import type { Image } from './image.ts';
import { resize, type Interpolation } from './resize.ts';
import { bytes, pattern, type Size } from './test-kit.ts';
import { place, turn } from './turn.ts';

interface Values {
  readonly crops: readonly {
    readonly size: Size;
    readonly rect: readonly [x: number, y: number, width: number, height: number, rotation: number];
    readonly out: readonly [number, number];
    readonly keep: boolean;
    readonly zero: boolean;
    readonly padding: readonly number[];
    readonly pixels: string;
  }[];
  readonly resizes: readonly {
    readonly size: Size;
    readonly out: readonly [number, number];
    readonly how: Interpolation;
    readonly pixels: string;
  }[];
  readonly drawing: string;
}

const values = JSON.parse(readFileSync(new URL('../../test/fixtures/vision.json', import.meta.url), 'utf8')) as Values;
const LEVELS = Uint8Array.from({ length: 256 }, (_, brightness) => brightness);

function crop(image: Image, region: Region, width: number, height: number, border: 'zero' | 'replicate'): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  new Cropper(width, height, border).crop(image, region, LEVELS, out);
  return out;
}

describe('Cropper', () => {
  it.each(values.crops)(
    'cuts $rect out of $size as OpenCV, bit for bit',
    ({ size, rect, out, keep, zero, padding, pixels }) => {
      const [width, height] = size;
      const [x, y, w, h, rotation] = rect;
      const given = { x: x * width, y: y * height, width: w * width, height: h * height, rotation };
      const { region, padX, padY } = keep ? fitRegion(given, ...out) : { region: given, padX: 0, padY: 0 };
      [padX, padY, padX, padY].forEach((pad, at) => expect(pad).toBeCloseTo(padding[at] ?? NaN, 12));
      expect(crop(pattern(size), region, ...out, zero ? 'zero' : 'replicate')).toEqual(bytes(pixels));
    },
  );

  const whole = (size: number): Region => ({ x: size / 2, y: size / 2, width: size, height: size, rotation: 0 });

  it('cuts several regions out of several images, grey ones and those too large to keep among them', () => {
    const sizes: readonly Size[] = [[40, 30, 3], [40, 30, 1], [7, 90, 4], [3000, 2400, 3]]; // prettier-ignore
    const images = sizes.map(pattern);
    const upper = { x: 3, y: 2, width: 6, height: 4, rotation: 0 };
    const lower = { x: 4, y: 26, width: 6, height: 4, rotation: 0 };
    for (const region of [upper, lower, upper, { ...upper, y: 14 }]) {
      for (const image of images) {
        const { width, channels, data } = image;
        const at = (x: number, y: number): number[] => {
          const from = (y * width + x) * channels;
          return channels < 3 ? [data[from]!, data[from]!, data[from]!] : [...data.subarray(from, from + 3)];
        };
        const columns = [0, 1, 2, 3, 4, 5].map((column) => region.x - 3 + column);
        const rows = [0, 1, 2, 3].map((row) => region.y - 2 + row);
        const right = rows.flatMap((y) => columns.flatMap((x) => at(x, y)));
        expect([...crop(image, region, 6, 4, 'zero')]).toEqual(right);
      }
    }
  });

  it('puts brightness into a range of floats', () => {
    const image: Image = { width: 2, height: 1, channels: 1, format: 'GRAY8', data: Uint8Array.of(0, 255) };
    const levels = Float32Array.from({ length: 256 }, (_, at) => at / 127.5 - 1);
    const out = new Float32Array(6);
    new Cropper(2, 1, 'zero').crop(image, { x: 1, y: 0.5, width: 2, height: 1, rotation: 0 }, levels, out);
    expect([...out]).toEqual([-1, -1, -1, 1, 1, 1]);
  });

  it('keeps the depth of 16-bit and float images', () => {
    const deep: Image = { width: 1, height: 1, channels: 1, format: 'GRAY16', data: Uint16Array.of(32768) };
    const float: Image = { width: 1, height: 1, channels: 4, format: 'VEC32F4', data: Float32Array.of(0, 0.25, 2, 1) };
    const levels = Float32Array.from({ length: 256 }, (_, at) => at / 255);
    const out = new Float32Array(3);
    new Cropper(1, 1, 'replicate').crop(deep, whole(1), levels, out);
    expect(out[0]).toBeCloseTo(32768 / 65535, 6);
    new Cropper(1, 1, 'replicate').crop(float, whole(1), levels, out);
    [0, 0.25, 1].forEach((value, at) => expect(out[at]).toBeCloseTo(value, 6));
  });

  it('gives black for regions out of all reach', () => {
    const image = pattern([4, 4, 3]);
    for (const region of [
      { ...whole(4), x: 1e12 },
      { ...whole(4), width: NaN },
      { ...whole(4), height: Infinity },
    ]) {
      expect(crop(image, region, 2, 2, 'replicate')).toEqual(new Uint8Array(12));
    }
  });
});

describe('resize', () => {
  it.each(values.resizes)('$how of $size to $out is within 1 of OpenCV', ({ size, out, how, pixels }) => {
    const { data, width, height } = resize(pattern(size), ...out, how);
    expect([width, height]).toEqual(out);
    const right = bytes(pixels);
    expect(data.length).toBe(right.length);
    data.forEach((value, at) => expect(Math.abs(value - right[at]!)).toBeLessThanOrEqual(1));
  });

  it('takes the nearest pixels', () => {
    const image: Image = { width: 2, height: 1, channels: 1, format: 'GRAY8', data: Uint8Array.of(1, 9) };
    expect([...resize(image, 4, 2, 'nearest').data]).toEqual([1, 1, 9, 9, 1, 1, 9, 9]);
  });
});

describe('turn and place', () => {
  /** 1 2 3 above 4 5 6. */
  const image: Image = { width: 3, height: 2, channels: 1, format: 'GRAY8', data: Uint8Array.of(1, 2, 3, 4, 5, 6) };

  it.each([
    [0, [1, 2, 3, 4, 5, 6]],
    [1, [3, 6, 2, 5, 1, 4]],
    [2, [6, 5, 4, 3, 2, 1]],
    [3, [4, 1, 5, 2, 6, 3]],
  ] as const)('%i quarters against the clock', (turns, expected) => {
    expect([...turn(image, turns, false, false).data]).toEqual(expected);
  });

  it('mirrors after turning', () => {
    expect([...turn(image, 0, true, false).data]).toEqual([3, 2, 1, 6, 5, 4]);
    expect([...turn(image, 0, false, true).data]).toEqual([4, 5, 6, 1, 2, 3]);
    expect([...turn(image, 1, true, false).data]).toEqual([6, 3, 5, 2, 4, 1]);
  });

  it('surrounds with a colour or the edge, and cuts off', () => {
    const small: Image = { ...image, width: 2, height: 1, data: Uint8Array.of(1, 2) };
    expect([...place(small, 4, 2, 1, 0, [9]).data]).toEqual([9, 1, 2, 9, 9, 9, 9, 9]);
    expect([...place(small, 4, 2, 1, 0, 'edge').data]).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect([...place(image, 1, 2, -1, 0, 'edge').data]).toEqual([2, 5]);
  });
});

describe('drawing', () => {
  const blank = (width: number, height: number, value = 0): Canvas => ({
    width,
    height,
    channels: 3,
    data: new Uint8Array(width * height * 3).fill(value),
  });

  it('circles and lines look as those of OpenCV', () => {
    const canvas = blank(160, 120, 40);
    fillCircle(canvas, 30, 30, 1, [255, 0, 0]);
    fillCircle(canvas, 60, 30, 3, [0, 255, 0]);
    fillCircle(canvas, 100, 40, 12, [10, 20, 250]);
    fillCircle(canvas, -2, 60, 6, [200, 200, 0]);
    drawLine(canvas, 10, 80, 150, 90, 1, [255, 255, 255]);
    drawLine(canvas, 10, 100, 90, 115, 3, [0, 200, 200]);
    drawLine(canvas, 140, 10, 120, 110, 6, [200, 0, 200]);
    drawLine(canvas, 150, 100, 190, 140, 4, [90, 200, 90]);
    const right = bytes(values.drawing);
    let [different, drawn] = [0, 0];
    for (let at = 0; at < right.length; at += 3) {
      if (right[at] !== 40 || right[at + 1] !== 40) drawn++;
      if (canvas.data[at] !== right[at] || canvas.data[at + 1] !== right[at + 1]) different++;
    }
    // Circles are equal; the edges of lines may differ by a pixel here and there.
    expect(different / drawn).toBeLessThan(0.08);
  });

  it('leaves alone what is far outside or not a number', () => {
    const canvas = blank(8, 8);
    fillCircle(canvas, 1e9, 4, 3, [255, 255, 255]);
    fillCircle(canvas, NaN, 4, 3, [255, 255, 255]);
    drawLine(canvas, -1e9, -1e9, -5, -9, 3, [255, 255, 255]);
    drawLine(canvas, NaN, 0, 4, 4, 1, [255, 255, 255]);
    expect(canvas.data.every((value) => value === 0)).toBe(true);
    drawLine(canvas, -1e7, 4, 1e7, 4, 1, [255, 255, 255]);
    expect([...canvas.data.subarray(4 * 24, 5 * 24)].every((value) => value === 255)).toBe(true);
  });

  it('fills a canvas with a circle that is far larger', () => {
    const canvas = blank(8, 8);
    fillCircle(canvas, 4, 4, 1e6, [1, 2, 3]);
    expect(canvas.data.every((value, at) => value === 1 + (at % 3))).toBe(true);
  });

  it('writes text on its base line', () => {
    const canvas = blank(20, 10);
    drawText(canvas, 'I', 2, 8, 1, [255, 255, 255]);
    const row = (y: number) =>
      Array.from({ length: 8 }, (_, x) => (canvas.data[(y * 20 + x) * 3] === 255 ? '#' : '.')).join('');
    expect([0, 1, 2, 7, 8].map(row)).toEqual(['........', '...###..', '....#...', '...###..', '........']);
    expect(textWidth('ab', 2)).toBe(24);
  });
});
