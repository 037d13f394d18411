import { expect, test } from 'vitest';
import { decodeBoxes, familyOf, type Matrix } from './decode.ts';
import type { Picture } from '../../../media/frame.ts';
import { toRgb } from '../../../media/yuv.ts';
import { equalize, grey, stretchContrast, type Rgb } from './pixels.ts';
import { PlaneScaler, type Size } from './plane-scaler.ts';
import { Scaler, YuvScaler } from './scaler.ts';
import { Preprocessor, undo } from './preprocess.ts';

const matrix = (rows: number[][]): Matrix => ({
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
  values: Float32Array.from(rows.flat()),
});
const round = (value: number): number => Math.round(value * 1000) / 1000;
const plain = (boxes: ReturnType<typeof decodeBoxes>) =>
  boxes.map(({ x1, y1, x2, y2, score, classId }) => [x1, y1, x2, y2, round(score), classId]);

test('v5: the confidence is the objectness alone; the class the best score', () => {
  const output = matrix([
    [50, 40, 20, 10, 0.9, 0.1, 0.6],
    [50, 40, 20, 10, 0.3, 0.9, 0.9],
  ]);
  expect(plain(decodeBoxes('yolov5', [output], 0.4))).toEqual([[40, 35, 60, 45, 0.9, 1]]);
});

test('v8 to v12: transposed, the confidence is the best class score', () => {
  const output = matrix([
    [50, 10],
    [40, 10],
    [20, 4],
    [10, 4],
    [0.2, 0.1],
    [0.7, 0.39],
  ]);
  expect(plain(decodeBoxes('yolov8', [output], 0.4))).toEqual([[40, 35, 60, 45, 0.7, 1]]);
});

test('v10 and 26: corners; the score must be above the threshold, not at it', () => {
  const output = matrix([
    [1, 2, 3, 4, 0.5, 7],
    [1, 2, 3, 4, 0.6, 2],
  ]);
  expect(plain(decodeBoxes('yolov10', [output], 0.5))).toEqual([[1, 2, 3, 4, 0.6, 2]]);
});

test('NAS: boxes and scores, in either order', () => {
  const [boxes, scores] = [
    matrix([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]),
    matrix([
      [0.1, 0.2, 0.9],
      [0.1, 0.2, 0.3],
    ]),
  ];
  expect(plain(decodeBoxes('yolo-nas', [boxes, scores], 0.4))).toEqual([[1, 2, 3, 4, 0.9, 2]]);
  expect(plain(decodeBoxes('yolo-nas', [scores, boxes], 0.4))).toEqual([[1, 2, 3, 4, 0.9, 2]]);
});

test('the shapes of outputs tell the family, or what was expected', () => {
  const spec = (...shapes: number[][]) =>
    shapes.map((shape, i) => ({ name: `o${i}`, datatype: 'FP32' as const, shape }));
  expect(familyOf(spec([1, 7, 400]), 'm')).toBe('yolov8');
  expect(familyOf(spec([-1, 84, 8400]), 'm')).toBe('yolov8');
  expect(familyOf(spec([1, 25200, 85]), 'm')).toBe('yolov5');
  expect(familyOf(spec([1, 300, 6]), 'm')).toBe('yolov10');
  expect(familyOf(spec([1, 8400, 4], [1, 8400, 80]), 'm')).toBe('yolo-nas');
  expect(() => familyOf(spec([1, 1000]), 'm')).toThrow('o0 [1,1000] found');
});

const picture = (width: number, height: number, at: (x: number, y: number) => number): Rgb & { format: 'rgb24' } => {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.fill(at(i % width, Math.floor(i / width)), i * 3, i * 3 + 3);
  return { width, height, format: 'rgb24', data };
};

test('fit: truncated size, centred, the odd pixel at the right and the bottom, the edges in their colour', () => {
  const values = new Float32Array(3 * 8 * 8);
  const frame = picture(10, 5, () => 255);
  const placement = new Preprocessor({ resize: 'Fit (grey edges) in' }, 8, 8).apply(frame, values, 8, 8);
  const column = Array.from({ length: 8 }, (_, y) => round(values[y * 8] as number));
  expect(column).toEqual([114 / 255, 114 / 255, 1, 1, 1, 1, 114 / 255, 114 / 255].map(round));
  expect(placement).toMatchObject({ scaleX: 0.8, scaleY: 0.8, padX: 0, padY: 2 });
  const back = undo({ x1: 0, y1: 2, x2: 8, y2: 6, score: 1, classId: 0 }, placement, true);
  expect([back.x1, back.y1, back.x2, back.y2]).toEqual([0, 0, 10, 5]);
});

test('stretch scales each axis; a crop in percent moves what is found', () => {
  const values = new Float32Array(3 * 4 * 4);
  const staticCrop = { x_min: 50, y_min: 0, x_max: 100, y_max: 50 };
  const frame = picture(8, 8, (x) => (x < 4 ? 0 : 255));
  const placement = new Preprocessor({ resize: 'Stretch to', staticCrop }, 4, 4).apply(frame, values, 4, 4);
  expect([...values.subarray(0, 16)].every((value) => value === 1)).toBe(true);
  const back = undo({ x1: 1, y1: 1, x2: 9, y2: 9, score: 1, classId: 0 }, placement, true);
  expect([back.x1, back.y1, back.x2, back.y2]).toEqual([5, 1, 8, 4]);
});

test('bicubic as OpenCV: an edge overshoots and is cut to a byte', () => {
  const scaled = new Scaler({ width: 4, height: 1 }, { width: 8, height: 1 }, true).apply(
    picture(4, 1, (x) => (x < 2 ? 0 : 200)),
  );
  // By hand from the weights of OpenCV's INTER_CUBIC, A = -0.75: -0.105, 0.879, 0.262, -0.035 at a quarter.
  expect([...scaled.data].filter((_, i) => i % 3 === 0)).toEqual([0, 0, 0, 45, 155, 221, 207, 200]);
});

/** Of one channel, by the definition: four or two pixels around each place, each way, edges repeated. */
function scaledSlowly(data: Uint8Array, size: Size, target: Size, isCubic: boolean, halved: boolean): number[] {
  const weight = (distance: number): number => {
    const [d, a] = [Math.abs(distance), -0.75];
    if (!isCubic) return Math.max(0, 1 - d);
    if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
    return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
  };
  const stride = halved ? size.width / 2 : size.width;
  const within = (at: number, end: number): number => Math.min(Math.max(at, 0), end - 1) >> (halved ? 1 : 0);
  return Array.from({ length: target.width * target.height }, (_, i) => {
    const x = (((i % target.width) + 0.5) * size.width) / target.width - 0.5;
    const y = ((Math.floor(i / target.width) + 0.5) * size.height) / target.height - 0.5;
    let value = 0;
    for (let row = Math.floor(y) - 1; row < y + 2; row++) {
      for (let column = Math.floor(x) - 1; column < x + 2; column++) {
        const pixel = data[within(row, size.height) * stride + within(column, size.width)]!;
        value += pixel * weight(column - x) * weight(row - y);
      }
    }
    return value;
  });
}

test.each([
  ['down, cubic', 64, 64, true, false],
  ['down, linear', 40, 30, false, false],
  ['up, cubic', 200, 140, true, false],
  ['to about the same, linear', 119, 82, false, false],
  ['down by two, cubic', 60, 40, true, false],
  ['chroma down, cubic', 64, 64, true, true],
  ['chroma down, linear', 40, 30, false, true],
  ['chroma up, linear', 200, 140, false, true],
] as const)('a plane is scaled %s as by the definition', (_name, width, height, isCubic, halved) => {
  const [size, target] = [
    { width: 120, height: 80 },
    { width, height },
  ];
  const offset = 5;
  const data = Uint8Array.from({ length: 120 * 80 + offset }, (_, i) => (i * 7919 + (i >> 3) * 31) % 256);
  const stride = halved ? 60 : 120;
  const expected = scaledSlowly(data.subarray(offset), size, target, isCubic, halved);
  const scaler = new PlaneScaler(size, target, isCubic, 1, halved);
  for (let picture = 0; picture < 2; picture++) {
    scaler.begin(data, offset, stride);
    const rows = Array.from({ length: height }, (_, y) => [...scaler.row(y)]).flat();
    expect(Math.max(...rows.map((value, i) => Math.abs(value - expected[i]!)))).toBeLessThan(0.01);
  }
});

test('even areas keep their value exactly', () => {
  const scaler = new PlaneScaler({ width: 33, height: 21 }, { width: 10, height: 13 }, true, 1);
  scaler.begin(new Uint8Array(33 * 21).fill(255), 0, 33);
  for (let y = 0; y < 13; y++) expect(new Set(scaler.row(y))).toEqual(new Set([255]));
});

test('a picture of one pixel is scaled up', () => {
  const scaled = new Scaler({ width: 1, height: 1 }, { width: 3, height: 2 }, true).apply(picture(1, 1, () => 77));
  expect([...scaled.data]).toEqual(Array.from({ length: 18 }, () => 77));
});

test('grey, contrast stretching and histogram equalisation', () => {
  const colours: Rgb = { width: 1, height: 1, data: Uint8Array.from([200, 100, 50]) };
  expect([...grey(colours).data]).toEqual([124, 124, 124]);
  const ramp = picture(101, 1, (x) => 50 + x);
  const stretched = stretchContrast(ramp).data;
  expect([stretched[0], stretched[6], stretched[300]]).toEqual([0, 0, 255]);
  const equal = equalize(ramp).data;
  expect(equal[0]).toBeLessThan(5);
  expect(equal[300]).toBe(255);
});

/** Colours that change slowly, so that nothing is cut off at 0 or 255. */
const planes = (width: number, height: number): Picture => {
  const half = (width * height) / 4;
  const data = new Uint8Array(half * 6);
  for (let i = 0; i < half * 4; i++) data[i] = 126 + Math.round(30 * Math.sin((i % width) / 9 + i / width / 7));
  for (let i = 0; i < half; i++) {
    data[half * 4 + i] = 124 + Math.round(12 * Math.sin(i / 40));
    data[half * 5 + i] = 130 + Math.round(12 * Math.cos(i / 90));
  }
  return { width, height, format: 'yuv420p', data };
};

test.each([
  ['down, cubic', 64, 64, true],
  ['down, linear', 40, 30, false],
  ['up, cubic', 200, 140, true],
] as const)('planes scaled %s are what RGB would be', (_name, width, height, isCubic) => {
  const frame = planes(120, 80);
  const source = { width: 120, height: 80 };
  const fromPlanes = new YuvScaler(source, { width, height }, isCubic).apply(frame).data;
  const fromRgb = new Scaler(source, { width, height }, isCubic).apply(toRgb(frame)).data;
  expect(fromPlanes.length).toBe(width * height * 3);
  // Each way rounds to bytes once more than the other.
  expect(Math.max(...fromPlanes.map((value, i) => Math.abs(value - fromRgb[i]!)))).toBeLessThanOrEqual(1);
});

test.each([
  ['as they are', {}],
  ['in grey', { grayscale: true }],
  ['cropped', { staticCrop: { x_min: 25, y_min: 0, x_max: 75, y_max: 100 } }],
] as const)('a model is given the same of planes as of RGB: %s', (_name, more) => {
  const frame = planes(120, 80);
  const given = [frame, toRgb(frame)].map((each) => {
    const values = new Float32Array(3 * 64 * 64);
    const placement = new Preprocessor({ resize: 'Fit (grey edges) in', ...more }, 64, 64).apply(each, values, 64, 64);
    return { values, placement };
  });
  const [fromPlanes, fromRgb] = given as [(typeof given)[0], (typeof given)[0]];
  expect(fromPlanes.placement).toEqual(fromRgb.placement);
  const differences = fromPlanes.values.map((value, i) => Math.abs(value - fromRgb.values[i]!));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1.01 / 255);
});
