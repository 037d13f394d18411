import { z } from 'zod';
import { defineCalculator, enumOption, optional, type CalculatorDefinition } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import {
  detection,
  imageSize,
  normalizedRect,
  rect,
  type Detection,
  type ImageSize,
  type Rect,
} from '../message-types.ts';
import { makeRect, radians, rotationBetween } from './geometry.ts';

const options = z.object({
  rotationVectorStartKeypointIndex: z.int().min(0).optional().describe('Key point from which the direction is taken.'),
  rotationVectorEndKeypointIndex: z.int().min(0).optional().describe('Key point to which the direction is taken.'),
  rotationVectorTargetAngle: z.number().optional().describe('Angle in radians that an upright thing has.'),
  rotationVectorTargetAngleDegrees: z.number().optional().describe('The same in degrees.'),
  outputZeroRectForEmptyDetections: z
    .boolean()
    .default(false)
    .describe('A rectangle of size 0, which ImageToTensor passes over, where there is no detection.'),
  conversionMode: enumOption({ DEFAULT: 0, USE_BOUNDING_BOX: 1, USE_KEYPOINTS: 2 })
    .default('DEFAULT')
    .describe('What the rectangle is around: the box (the default), or the key points.'),
});

type Options = z.infer<typeof options>;

/** A rectangle of a detection, in shares of the image. */
type ToRect = (one: Detection, size: ImageSize, given: Options, rotation: number) => Rect;

function pointOf({ keyPoints = [] }: Detection, index: number): { readonly x: number; readonly y: number } {
  const point = keyPoints[index];
  if (point === undefined) throw new Error(`key point ${index} asked for, the detection has ${keyPoints.length}`);
  return point;
}

function aroundDetection(one: Detection, _: ImageSize, { conversionMode }: Options, rotation: number): Rect {
  if (conversionMode !== 'USE_KEYPOINTS') {
    return makeRect(one.xMin + one.width / 2, one.yMin + one.height / 2, one.width, one.height, rotation);
  }
  const { keyPoints = [] } = one;
  if (keyPoints.length < 2) throw new Error(`${keyPoints.length} key points given, at least 2 expected`);
  const [xs, ys] = [keyPoints.map(({ x }) => x), keyPoints.map(({ y }) => y)];
  const [left, top, right, bottom] = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  return makeRect((left + right) / 2, (top + bottom) / 2, right - left, bottom - top, rotation);
}

/** Centred on the first key point, as large as the circle about it through the second. */
function aroundPoints(one: Detection, [width, height]: ImageSize, given: Options, rotation: number): Rect {
  const centre = pointOf(one, given.rotationVectorStartKeypointIndex ?? 0);
  const rim = pointOf(one, given.rotationVectorEndKeypointIndex ?? 1);
  const side = 2 * Math.hypot((rim.x - centre.x) * width, (rim.y - centre.y) * height);
  return makeRect(centre.x, centre.y, side / width, side / height, rotation);
}

/** Twice the middle of index and pinky finger, and once the wrist, tell where a hand is (sheet §16). */
function aroundHand(one: Detection, [width, height]: ImageSize, given: Options): Rect {
  const [wrist, pinky, index] = [pointOf(one, 0), pointOf(one, 1), pointOf(one, 2)];
  const x = (2 * index.x + pinky.x) * (width / 3);
  const y = (2 * index.y + pinky.y) * (height / 3);
  const [wristX, wristY] = [wrist.x * width, wrist.y * height];
  const side = 2 * Math.hypot(x - wristX, y - wristY);
  return makeRect(
    x / width,
    y / height,
    side / width,
    side / height,
    rotationBetween(wristX, wristY, x, y, targetOf(given)),
  );
}

function targetOf({ rotationVectorTargetAngle, rotationVectorTargetAngleDegrees }: Options): number {
  return rotationVectorTargetAngle ?? radians(rotationVectorTargetAngleDegrees ?? 0);
}

function rotationOf(one: Detection, [width, height]: ImageSize, given: Options): number {
  const { rotationVectorStartKeypointIndex: start, rotationVectorEndKeypointIndex: end } = given;
  if (start === undefined || end === undefined) return 0;
  const [a, b] = [pointOf(one, start), pointOf(one, end)];
  return rotationBetween(a.x * width, a.y * height, b.x * width, b.y * height, targetOf(given));
}

function define(name: string, toRect: ToRect, needsSize: (given: Options) => boolean): CalculatorDefinition {
  return defineCalculator({
    name,
    options,
    inputs: {
      DETECTION: optional(detection),
      DETECTIONS: optional(vectorOf(detection)),
      IMAGE_SIZE: optional(imageSize),
    },
    outputs: {
      RECT: optional(rect),
      RECTS: optional(vectorOf(rect)),
      NORM_RECT: optional(normalizedRect),
      NORM_RECTS: optional(vectorOf(normalizedRect)),
    },
    timestampOffset: 0,
    check({ rotationVectorTargetAngle: angle, rotationVectorTargetAngleDegrees: degrees }) {
      return angle !== undefined && degrees !== undefined
        ? 'the target angle is given in radians and in degrees'
        : undefined;
    },
    contract({ inputs, outputs, options: given, fail }) {
      if (inputs.count('DETECTION') + inputs.count('DETECTIONS') !== 1) fail('DETECTION or DETECTIONS expected');
      if (outputs.all.length === 0) fail('an output expected: RECT, RECTS, NORM_RECT or NORM_RECTS');
      const isInPixels = outputs.has('RECT') || outputs.has('RECTS');
      if ((needsSize(given) || isInPixels) && !inputs.has('IMAGE_SIZE')) fail('IMAGE_SIZE expected');
    },
    open({ options: given }) {
      return {
        process({ inputs, outputs }) {
          const one = inputs.DETECTION?.packet?.value;
          const found = inputs.DETECTIONS?.packet?.value ?? (one === undefined ? undefined : [one]);
          const size = inputs.IMAGE_SIZE?.packet?.value;
          if (found === undefined || (inputs.IMAGE_SIZE !== undefined && size === undefined)) return;
          const [width, height] = size ?? [1, 1];
          const rects = found.map((each) => ({
            ...toRect(each, [width, height], given, rotationOf(each, [width, height], given)),
            ...(each.id === undefined ? {} : { id: each.id }),
          }));
          const zero = given.outputZeroRectForEmptyDetections ? [makeRect(0, 0, 0, 0, 0)] : [];
          const shown = rects.length === 0 ? zero : rects;
          const inPixels = shown.map((each) => pixels(each, width, height));
          if (shown[0] !== undefined) outputs.NORM_RECT?.send(shown[0]);
          if (inPixels[0] !== undefined) outputs.RECT?.send(inPixels[0]);
          if (shown.length > 0) outputs.NORM_RECTS?.send(shown);
          if (shown.length > 0) outputs.RECTS?.send(inPixels);
        },
      };
    },
  });
}

function pixels({ xCenter, yCenter, width, height, rotation = 0, ...id }: Rect, across: number, down: number): Rect {
  const [x, y] = [Math.round(xCenter * across), Math.round(yCenter * down)];
  return {
    xCenter: x,
    yCenter: y,
    width: Math.round(width * across),
    height: Math.round(height * down),
    rotation,
    ...id,
  };
}

/**
 * The rectangle around each detection, turned as two of its key points say. NORM_RECT and RECT (in pixels) are of the first
 * detection.
 *
 * node {
 *   calculator: "DetectionsToRectsCalculator"
 *   input_stream: "DETECTIONS:detections"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "NORM_RECT:face_rect"
 *   options { [mediapipe.DetectionsToRectsCalculatorOptions.ext] {
 *     rotation_vector_start_keypoint_index: 0 rotation_vector_end_keypoint_index: 1 rotation_vector_target_angle_degrees: 0
 *   } }
 * }
 */
export const detectionsToRects = define(
  'DetectionsToRectsCalculator',
  aroundDetection,
  ({ rotationVectorStartKeypointIndex, rotationVectorEndKeypointIndex }) =>
    (rotationVectorStartKeypointIndex ?? rotationVectorEndKeypointIndex) !== undefined,
);

/**
 * The square centred on one key point of a detection whose inscribed circle goes through another, turned as the two say.
 *
 * node {
 *   calculator: "AlignmentPointsRectsCalculator"
 *   input_stream: "DETECTION:pose_detection"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "NORM_RECT:pose_rect"
 *   options { [mediapipe.DetectionsToRectsCalculatorOptions.ext] {
 *     rotation_vector_start_keypoint_index: 0 rotation_vector_end_keypoint_index: 1 rotation_vector_target_angle_degrees: 90
 *   } }
 * }
 */
export const alignmentPointsRects = define('AlignmentPointsRectsCalculator', aroundPoints, () => true);

/**
 * The square of a hand that is known by three key points of a pose: wrist, pinky and index finger.
 *
 * node {
 *   calculator: "HandDetectionsFromPoseToRectsCalculator"
 *   input_stream: "DETECTION:hand_points"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "NORM_RECT:hand_rect"
 *   options { [mediapipe.DetectionsToRectsCalculatorOptions.ext] { rotation_vector_target_angle_degrees: 90 } }
 * }
 */
export const handDetectionsFromPoseToRects = define('HandDetectionsFromPoseToRectsCalculator', aroundHand, () => true);
