import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import {
  detection,
  imageSize,
  normalizedLandmarkList,
  normalizedRect,
  type ImageSize,
  type Landmark,
  type Rect,
} from '../message-types.ts';
import { makeRect, normalizeRadians, rotationBetween } from './geometry.ts';

/**
 * Makes points a detection: its box is around them, and they are its key points.
 *
 * node {
 *   calculator: "LandmarksToDetectionCalculator"
 *   input_stream: "NORM_LANDMARKS:landmarks"
 *   output_stream: "DETECTION:detection"
 *   options { [mediapipe.LandmarksToDetectionCalculatorOptions.ext] { selected_landmark_indices: [0, 5, 9] } }
 * }
 */
export const landmarksToDetection = defineCalculator({
  name: 'LandmarksToDetectionCalculator',
  options: z.object({
    selectedLandmarkIndices: z.array(z.int().min(0)).default([]).describe('The points that count; all by default.'),
  }),
  inputs: { NORM_LANDMARKS: normalizedLandmarkList },
  outputs: { DETECTION: detection },
  timestampOffset: 0,
  open({ options: { selectedLandmarkIndices: indices } }) {
    return {
      process({ inputs, outputs }) {
        const all = inputs.NORM_LANDMARKS.packet?.value;
        if (all === undefined) return;
        const points = indices.length === 0 ? all : indices.map((index) => pointAt(all, index));
        if (points.length === 0) throw new Error('NORM_LANDMARKS: no points given, at least one expected');
        const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
        const [xMin, yMin] = [Math.min(...xs), Math.min(...ys)];
        outputs.DETECTION.send({
          classes: [],
          xMin,
          yMin,
          width: Math.max(...xs) - xMin,
          height: Math.max(...ys) - yMin,
          keyPoints: points.map(({ x, y }) => ({ x, y })),
        });
      },
    };
  },
});

function pointAt(points: readonly Landmark[], index: number): Landmark {
  const point = points[index];
  if (point === undefined) throw new Error(`point ${index} asked for, there are ${points.length}`);
  return point;
}

/** Wrist and the lower joints of the fingers, among the 21 points of a hand. */
const PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18];

/**
 * The upright rectangle of a hand with 21 points: around wrist and lower finger joints, turned as from the wrist to the middle
 * of the knuckles.
 *
 * node {
 *   calculator: "HandLandmarksToRectCalculator"
 *   input_stream: "NORM_LANDMARKS:hand_landmarks"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "NORM_RECT:hand_rect"
 * }
 */
export const handLandmarksToRect = defineCalculator({
  name: 'HandLandmarksToRectCalculator',
  inputs: { NORM_LANDMARKS: normalizedLandmarkList, IMAGE_SIZE: imageSize },
  outputs: { NORM_RECT: normalizedRect },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const points = inputs.NORM_LANDMARKS.packet?.value;
      const size = inputs.IMAGE_SIZE.packet?.value;
      if (points !== undefined && size !== undefined) outputs.NORM_RECT.send(handRect(points, size));
    },
  }),
});

function handRect(all: readonly Landmark[], [width, height]: ImageSize): Rect {
  const points = PALM.map((index) => pointAt(all, index));
  const [wrist, index, middle, ring] = [pointAt(all, 0), pointAt(all, 5), pointAt(all, 9), pointAt(all, 13)];
  const knucklesX = ((index.x + ring.x) / 2 + middle.x) / 2;
  const knucklesY = ((index.y + ring.y) / 2 + middle.y) / 2;
  const rotation = rotationBetween(
    wrist.x * width,
    wrist.y * height,
    knucklesX * width,
    knucklesY * height,
    Math.PI / 2,
  );
  const middleOf = (values: readonly number[]) => (Math.max(...values) + Math.min(...values)) / 2;
  const centreX = middleOf(points.map(({ x }) => x));
  const centreY = middleOf(points.map(({ y }) => y));
  const back = normalizeRadians(-rotation);
  const turned = points.map(({ x, y }) => turnBy(back, (x - centreX) * width, (y - centreY) * height));
  const [xs, ys] = [turned.map(([x]) => x), turned.map(([, y]) => y)];
  const [shiftX, shiftY] = turnBy(rotation, middleOf(xs), middleOf(ys));
  return makeRect(
    shiftX / width + centreX,
    shiftY / height + centreY,
    (Math.max(...xs) - Math.min(...xs)) / width,
    (Math.max(...ys) - Math.min(...ys)) / height,
    rotation,
  );
}

function turnBy(angle: number, x: number, y: number): readonly [number, number] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [x * cos - y * sin, x * sin + y * cos];
}
