import type { Tensor } from '../../tensor/tensor.ts';
import { typedData } from '../../tensor/tensor.ts';
import type { Box } from './boxes.ts';

/** Numbers of a detection: x1, y1, x2, y2, score, class. */
const ROW = 6;
/** Outputs that are larger are told of by shape only. */
const MAX_ELEMENTS = 4096;

/**
 * Detections are FP32 [n, 6]: x1, y1, x2, y2 in pixels of the frame, score, class; the first output of that shape. Classes
 * are rounded to whole numbers, NaN and the infinities to 0.
 */
export function detectionsOf(outputs: readonly Tensor[]): { detections: Box[]; rest: Tensor[] } {
  const found = outputs.find(({ datatype, shape }) => datatype === 'FP32' && shape.length === 2 && shape[1] === ROW);
  const rest = outputs.filter((output) => output !== found);
  if (found === undefined) return { detections: [], rest };
  const values = typedData(found) as Float32Array;
  const detections = Array.from({ length: found.shape[0] ?? 0 }, (_, row) => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0, classId = 0] = values.subarray(row * ROW, (row + 1) * ROW);
    return { x1, y1, x2, y2, score, classId: Number.isFinite(classId) ? Math.round(classId) : 0 };
  });
  return { detections, rest };
}

/** Other outputs as JSON: datatype, shape and, unless they are large, data; undefined where there are none. */
export function otherOutputs(outputs: readonly Tensor[]): Readonly<Record<string, unknown>> | undefined {
  if (outputs.length === 0) return undefined;
  return Object.fromEntries(outputs.map((output) => [output.name, toJson(output)]));
}

function toJson({ datatype, shape, ...tensor }: Tensor): object {
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (count > MAX_ELEMENTS) return { datatype, shape };
  if (datatype === 'BYTES') return { datatype, shape, data: texts(tensor.data) };
  const values = typedData({ datatype, shape, ...tensor });
  return { datatype, shape, data: Array.from<number | bigint, number>(values, Number) };
}

function texts(data: Uint8Array): string[] {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const found: string[] = [];
  for (let at = 0; at + 4 <= buffer.length;) {
    const length = buffer.readUInt32LE(at);
    found.push(buffer.toString('utf8', at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}
