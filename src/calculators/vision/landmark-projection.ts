import { z } from 'zod';
import { defineCalculator, optional, repeated } from '../../graph/index.ts';
import { floatVector } from '../core/packet-types.ts';
import {
  landmarkList,
  normalizedLandmarkList,
  normalizedRect,
  placed,
  type Landmark,
  type Rect,
} from '../message-types.ts';

/**
 * Takes points from a cut-out region to the image it was cut from: by the region itself (NORM_RECT, square in pixels), or by
 * the MATRIX of ImageToTensor (PROJECTION_MATRIX). z is scaled as x. A second input NORM_LANDMARKS:1 goes to output 1, and
 * so on.
 *
 * node {
 *   calculator: "LandmarkProjectionCalculator"
 *   input_stream: "NORM_LANDMARKS:landmarks"
 *   input_stream: "NORM_RECT:roi"
 *   output_stream: "NORM_LANDMARKS:image_landmarks"
 * }
 */
export const landmarkProjection = defineCalculator({
  name: 'LandmarkProjectionCalculator',
  options: z.object({ ignoreRotation: z.boolean().default(false).describe('The region counts as upright.') }),
  inputs: {
    NORM_LANDMARKS: repeated(normalizedLandmarkList),
    NORM_RECT: optional(normalizedRect),
    PROJECTION_MATRIX: optional(floatVector),
  },
  outputs: { NORM_LANDMARKS: repeated(normalizedLandmarkList) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.has('NORM_RECT') === inputs.has('PROJECTION_MATRIX')) fail('NORM_RECT or PROJECTION_MATRIX expected');
    if (inputs.count('NORM_LANDMARKS') !== outputs.count('NORM_LANDMARKS')) fail('as many outputs as inputs expected');
  },
  open({ options: { ignoreRotation } }) {
    return {
      process({ inputs, outputs }) {
        const roi = inputs.NORM_RECT?.packet?.value;
        const matrix = inputs.PROJECTION_MATRIX?.packet?.value;
        const project =
          roi !== undefined
            ? byRect(ignoreRotation ? { ...roi, rotation: 0 } : roi)
            : matrix !== undefined
              ? byMatrix(matrix)
              : undefined;
        if (project === undefined) return;
        inputs.NORM_LANDMARKS.forEach(({ packet }, at) => {
          if (packet !== undefined) outputs.NORM_LANDMARKS[at]?.send(packet.value.map(project));
        });
      },
    };
  },
});

type Project = (point: Landmark) => Landmark;

function byRect({ xCenter, yCenter, width, height, rotation = 0 }: Rect): Project {
  const [cos, sin] = [Math.cos(rotation), Math.sin(rotation)];
  return (point) => {
    const x = point.x - 0.5;
    const y = point.y - 0.5;
    return placed(
      point,
      (cos * x - sin * y) * width + xCenter,
      (sin * x + cos * y) * height + yCenter,
      point.z * width,
    );
  };
}

function byMatrix(m: ArrayLike<number>): Project {
  const scale = Math.hypot(m[0]!, m[4]!);
  return (point) =>
    placed(
      point,
      m[0]! * point.x + m[1]! * point.y + m[3]!,
      m[4]! * point.x + m[5]! * point.y + m[7]!,
      point.z * scale,
    );
}

/**
 * Takes points in metres, seen from a cut-out region, to the upright directions of the image: turns them as the region is.
 *
 * node {
 *   calculator: "WorldLandmarkProjectionCalculator"
 *   input_stream: "LANDMARKS:world_landmarks"
 *   input_stream: "NORM_RECT:roi"
 *   output_stream: "LANDMARKS:upright_world_landmarks"
 * }
 */
export const worldLandmarkProjection = defineCalculator({
  name: 'WorldLandmarkProjectionCalculator',
  inputs: { LANDMARKS: landmarkList, NORM_RECT: optional(normalizedRect) },
  outputs: { LANDMARKS: landmarkList },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const points = inputs.LANDMARKS.packet?.value;
      const roi = inputs.NORM_RECT?.packet?.value;
      if (points === undefined || (inputs.NORM_RECT !== undefined && roi === undefined)) return;
      const [cos, sin] = [Math.cos(roi?.rotation ?? 0), Math.sin(roi?.rotation ?? 0)];
      outputs.LANDMARKS.send(
        points.map((point) => placed(point, cos * point.x - sin * point.y, sin * point.x + cos * point.y, point.z)),
      );
    },
  }),
});

/**
 * Takes points from a letterboxed image to the image itself: the bars at its sides (shares of the whole: left, above, right,
 * below) no longer count. A second input LANDMARKS:1 goes to output 1, and so on.
 *
 * node {
 *   calculator: "LandmarkLetterboxRemovalCalculator"
 *   input_stream: "LANDMARKS:landmarks"
 *   input_stream: "LETTERBOX_PADDING:padding"
 *   output_stream: "LANDMARKS:image_landmarks"
 * }
 */
export const landmarkLetterboxRemoval = defineCalculator({
  name: 'LandmarkLetterboxRemovalCalculator',
  inputs: { LANDMARKS: repeated(normalizedLandmarkList), LETTERBOX_PADDING: floatVector },
  outputs: { LANDMARKS: repeated(normalizedLandmarkList) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.count('LANDMARKS') !== outputs.count('LANDMARKS')) fail('as many outputs as inputs expected');
  },
  open: () => ({
    process({ inputs, outputs }) {
      const padding = inputs.LETTERBOX_PADDING.packet?.value;
      if (padding === undefined) return;
      const [left = 0, top = 0, right = 0, bottom = 0] = padding;
      const [across, down] = [1 - left - right, 1 - top - bottom];
      inputs.LANDMARKS.forEach(({ packet }, at) => {
        if (packet === undefined) return;
        const points = packet.value.map((point) =>
          placed(point, (point.x - left) / across, (point.y - top) / down, point.z / across),
        );
        outputs.LANDMARKS[at]?.send(points);
      });
    },
  }),
});
