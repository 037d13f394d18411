import { expect, test } from 'vitest';
import { decodeBoxes, familyOf, type Matrix } from './decode.ts';
import { equalize, grey, Scaler, stretchContrast, type Rgb } from './pixels.ts';
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

const picture = (width: number, height: number, at: (x: number, y: number) => number): Rgb => {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.fill(at(i % width, Math.floor(i / width)), i * 3, i * 3 + 3);
  return { width, height, data };
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
