import { defineCalculator } from '../../graph/index.ts';
import { floatVector, vectorOf } from '../core/packet-types.ts';
import { detection, type Detection } from '../message-types.ts';

const detections = vectorOf(detection);

/**
 * Takes detections from a cut-out region to the image it was cut from, by the MATRIX of ImageToTensor. A box becomes the
 * upright one around its corners.
 *
 * node {
 *   calculator: "DetectionProjectionCalculator"
 *   input_stream: "DETECTIONS:detections"
 *   input_stream: "PROJECTION_MATRIX:matrix"
 *   output_stream: "DETECTIONS:image_detections"
 * }
 */
export const detectionProjection = defineCalculator({
  name: 'DetectionProjectionCalculator',
  inputs: { DETECTIONS: detections, PROJECTION_MATRIX: floatVector },
  outputs: { DETECTIONS: detections },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const matrix = inputs.PROJECTION_MATRIX.packet?.value;
      const found = inputs.DETECTIONS.packet?.value;
      if (matrix !== undefined && found !== undefined)
        outputs.DETECTIONS.send(found.map((one) => project(one, matrix)));
    },
  }),
});

function project(one: Detection, m: ArrayLike<number>): Detection {
  const at = (x: number, y: number) => ({ x: m[0]! * x + m[1]! * y + m[3]!, y: m[4]! * x + m[5]! * y + m[7]! });
  const { xMin, yMin, width, height } = one;
  const corners = [at(xMin, yMin), at(xMin + width, yMin), at(xMin + width, yMin + height), at(xMin, yMin + height)];
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return {
    ...one,
    xMin: left,
    yMin: top,
    width: Math.max(...xs) - left,
    height: Math.max(...ys) - top,
    ...(one.keyPoints === undefined ? {} : { keyPoints: one.keyPoints.map(({ x, y }) => at(x, y)) }),
  };
}

/**
 * Takes detections from a letterboxed image to the image itself: the bars at its sides (shares of the whole: left, above,
 * right, below) no longer count.
 *
 * node {
 *   calculator: "DetectionLetterboxRemovalCalculator"
 *   input_stream: "DETECTIONS:detections"
 *   input_stream: "LETTERBOX_PADDING:padding"
 *   output_stream: "DETECTIONS:image_detections"
 * }
 */
export const detectionLetterboxRemoval = defineCalculator({
  name: 'DetectionLetterboxRemovalCalculator',
  inputs: { DETECTIONS: detections, LETTERBOX_PADDING: floatVector },
  outputs: { DETECTIONS: detections },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const found = inputs.DETECTIONS.packet?.value;
      const padding = inputs.LETTERBOX_PADDING.packet?.value;
      if (found === undefined || padding === undefined) return;
      outputs.DETECTIONS.send(found.map((one) => withoutBars(one, padding)));
    },
  }),
});

function withoutBars(one: Detection, padding: ArrayLike<number>): Detection {
  const [left, top] = [padding[0]!, padding[1]!];
  const [across, down] = [1 - left - padding[2]!, 1 - top - padding[3]!];
  return {
    ...one,
    xMin: (one.xMin - left) / across,
    yMin: (one.yMin - top) / down,
    width: one.width / across,
    height: one.height / down,
    ...(one.keyPoints === undefined
      ? {}
      : { keyPoints: one.keyPoints.map(({ x, y }) => ({ x: (x - left) / across, y: (y - top) / down })) }),
  };
}
