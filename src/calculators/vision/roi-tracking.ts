import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import {
  imageSize,
  normalizedLandmarkList,
  normalizedRect,
  type ImageSize,
  type Landmark,
  type Rect,
} from '../message-types.ts';

const options = z.object({
  rectRequirements: z
    .object({
      rotationDegrees: z.number().default(10).describe('How much the two may be turned against each other.'),
      translation: z.number().default(0.1).describe('How far apart, in widths and heights of the fresh one.'),
      scale: z.number().default(0.1).describe('How much larger or smaller, in widths and heights of the fresh one.'),
    })
    .optional()
    .describe('Of the previous rectangle against the fresh one.'),
  landmarksRequirements: z
    .object({
      recropRectMargin: z.number().default(0).describe('The fresh rectangle grows by this share, or shrinks.'),
    })
    .optional()
    .describe('The previous points must lie in the fresh rectangle.'),
});

type Options = z.infer<typeof options>;

/**
 * Chooses where to look: at the previous rectangle while it goes with the fresh one (RECROP_RECT), else at the fresh one.
 * Without a fresh rectangle, nothing.
 *
 * node {
 *   calculator: "RoiTrackingCalculator"
 *   input_stream: "PREV_LANDMARKS:previous_landmarks"
 *   input_stream: "PREV_LANDMARKS_RECT:previous_rect"
 *   input_stream: "RECROP_RECT:fresh_rect"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "TRACKING_RECT:rect"
 *   options { [mediapipe.RoiTrackingCalculatorOptions.ext] {
 *     rect_requirements { rotation_degrees: 40.0 translation: 0.2 scale: 0.4 }
 *     landmarks_requirements { recrop_rect_margin: -0.1 }
 *   } }
 * }
 */
export const roiTracking = defineCalculator({
  name: 'RoiTrackingCalculator',
  options,
  inputs: {
    PREV_LANDMARKS: normalizedLandmarkList,
    PREV_LANDMARKS_RECT: normalizedRect,
    RECROP_RECT: normalizedRect,
    IMAGE_SIZE: imageSize,
  },
  outputs: { TRACKING_RECT: normalizedRect },
  timestampOffset: 0,
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const fresh = inputs.RECROP_RECT.packet?.value;
        const size = inputs.IMAGE_SIZE.packet?.value;
        if (fresh === undefined || size === undefined) return;
        const rect = inputs.PREV_LANDMARKS_RECT.packet?.value;
        const points = inputs.PREV_LANDMARKS.packet?.value;
        const isKept = rect !== undefined && points !== undefined && goesWith(rect, points, fresh, size, given);
        outputs.TRACKING_RECT.send(isKept ? rect : fresh);
      },
    };
  },
});

function goesWith(
  rect: Rect,
  points: readonly Landmark[],
  fresh: Rect,
  [imageWidth, imageHeight]: ImageSize,
  { rectRequirements: of, landmarksRequirements: ofPoints }: Options,
): boolean {
  // All in pixels, in a frame that is turned as the fresh rectangle.
  const [cos, sin] = [Math.cos(-(fresh.rotation ?? 0)), Math.sin(-(fresh.rotation ?? 0))];
  const turned = (x: number, y: number): readonly [number, number] => [
    x * imageWidth * cos - y * imageHeight * sin,
    x * imageWidth * sin + y * imageHeight * cos,
  ];
  const [x, y] = turned(fresh.xCenter, fresh.yCenter);
  const [width, height] = [fresh.width * imageWidth, fresh.height * imageHeight];
  if (of !== undefined) {
    const [otherX, otherY] = turned(rect.xCenter, rect.yCenter);
    if (Math.abs(degreesBetween(rect.rotation ?? 0, fresh.rotation ?? 0)) > of.rotationDegrees) return false;
    if (Math.abs(otherX - x) > width * of.translation || Math.abs(otherY - y) > height * of.translation) return false;
    if (Math.abs(rect.width * imageWidth - width) > width * of.scale) return false;
    if (Math.abs(rect.height * imageHeight - height) > height * of.scale) return false;
  }
  if (ofPoints === undefined) return true;
  const halfWidth = (width * (1 + ofPoints.recropRectMargin)) / 2;
  const halfHeight = (height * (1 + ofPoints.recropRectMargin)) / 2;
  return points.every((point) => {
    const [pointX, pointY] = turned(point.x, point.y);
    return Math.abs(pointX - x) < halfWidth && Math.abs(pointY - y) < halfHeight;
  });
}

function degreesBetween(a: number, b: number): number {
  const difference = ((a - b) * 180) / Math.PI;
  return difference > 180 ? difference - 360 : difference < -180 ? difference + 360 : difference;
}
