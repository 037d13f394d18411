import { MillraceError } from '../../../base/errors.ts';
import type { DetectorFamily } from '../../../pipelines/common/detector-info.ts';
import type { TensorSpec } from '../../../tensor/tensor.ts';
import type { Box } from '../boxes.ts';

/** One output for one frame: rows × columns. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/** Families whose boxes the model itself has thinned out. */
export function isNmsFree(family: DetectorFamily): boolean {
  return family === 'yolov10' || family === 'yolo26';
}

/**
 * The boxes of a model's outputs for one frame, by their family's layout (sheet §5), in pixels of its input, of a confidence
 * of at least `least` (above it, where the model has thinned out itself).
 */
export function decodeBoxes(family: DetectorFamily, outputs: readonly Matrix[], least: number): Box[] {
  const [first = EMPTY, second = EMPTY] = outputs;
  switch (family) {
    case 'yolov5':
      return rowBoxes(first, least);
    case 'yolov8':
      return columnBoxes(first, least);
    case 'yolov10':
    case 'yolo26':
      return cornerBoxes(first, least);
    case 'yolo-nas':
      return first.columns === 4 ? twoOutputs(first, second, least) : twoOutputs(second, first, least);
  }
}

const EMPTY: Matrix = { rows: 0, columns: 0, values: new Float32Array(0) };

/** [N, 5 + classes]: centre, size, objectness, scores. The confidence is the objectness alone. */
function rowBoxes({ rows, columns, values }: Matrix, least: number): Box[] {
  const boxes: Box[] = [];
  for (let row = 0, at = 0; row < rows; row++, at += columns) {
    const score = values[at + 4]!;
    if (score < least) continue;
    boxes.push({
      ...centred(values[at]!, values[at + 1]!, values[at + 2]!, values[at + 3]!),
      score,
      classId: best(values, at + 5, at + columns),
    });
  }
  return boxes;
}

/** [4 + classes, N]: centre, size, scores. */
function columnBoxes({ rows, columns, values }: Matrix, least: number): Box[] {
  const scores = new Float32Array(columns).fill(-Infinity);
  const classes = new Int32Array(columns);
  for (let row = 4; row < rows; row++) {
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      if (values[at]! > scores[column]!) {
        scores[column] = values[at]!;
        classes[column] = row - 4;
      }
    }
  }
  const boxes: Box[] = [];
  for (let column = 0; column < columns; column++) {
    const score = scores[column]!;
    if (score < least) continue;
    const at = (row: number): number => values[row * columns + column]!;
    boxes.push({ ...centred(at(0), at(1), at(2), at(3)), score, classId: classes[column]! });
  }
  return boxes;
}

/** [N, 6]: corners, score, class. */
function cornerBoxes({ rows, columns, values }: Matrix, least: number): Box[] {
  const boxes: Box[] = [];
  for (let row = 0, at = 0; row < rows; row++, at += columns) {
    const score = values[at + 4]!;
    if (score <= least) continue;
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = values.subarray(at, at + 4);
    boxes.push({ x1, y1, x2, y2, score, classId: Math.round(values[at + 5]!) });
  }
  return boxes;
}

/** Corners [N, 4] and scores [N, classes]. */
function twoOutputs(corners: Matrix, scores: Matrix, least: number): Box[] {
  const boxes: Box[] = [];
  for (let row = 0; row < corners.rows; row++) {
    const at = row * scores.columns;
    const classId = best(scores.values, at, at + scores.columns);
    const score = scores.values[at + classId]!;
    if (score < least) continue;
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0] = corners.values.subarray(row * 4, row * 4 + 4);
    boxes.push({ x1, y1, x2, y2, score, classId });
  }
  return boxes;
}

function centred(x: number, y: number, width: number, height: number) {
  return { x1: x - width / 2, y1: y - height / 2, x2: x + width / 2, y2: y + height / 2 };
}

/** Index, from `from`, of the largest value. */
function best(values: Float32Array, from: number, end: number): number {
  let found = from;
  for (let at = from; at < end; at++) if (values[at]! > values[found]!) found = at;
  return found - from;
}

/**
 * The family that the shapes of a model's outputs tell of.
 * @throws MillraceError PIPELINE_INVALID where they tell of none
 */
export function familyOf(outputs: readonly TensorSpec[], model: string): DetectorFamily {
  const shapes = outputs.map(({ shape }) => shape);
  const [first = [], second] = shapes;
  if (second !== undefined && shapes.length === 2 && [first, second].some((shape) => shape[2] === 4)) return 'yolo-nas';
  const [, rows = -1, columns = -1] = first;
  if (shapes.length === 1 && first.length === 3) {
    if (columns === 6 && rows > 0 && rows <= 1000) return 'yolov10';
    if (rows >= 5 && (columns === -1 || columns > rows)) return 'yolov8';
    if (columns >= 6 && (rows === -1 || rows > columns)) return 'yolov5';
  }
  const given = outputs.map(({ name, shape }) => `${name} [${shape.join(',')}]`).join(', ');
  throw new MillraceError(
    'PIPELINE_INVALID',
    `model "${model}": outputs ${given} found, one of [1,4+classes,N] (YOLOv8), [1,N,5+classes] (YOLOv5), [1,300,6] (YOLOv10) or boxes and scores (YOLO-NAS) expected; put other models into a graph`,
    { details: { servable: model } },
  );
}
