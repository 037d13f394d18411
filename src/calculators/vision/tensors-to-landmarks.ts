import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import { bool, float, floatVector } from '../core/packet-types.ts';
import { landmarkList, normalizedLandmarkList, placed, type Landmark } from '../message-types.ts';
import { tensorsPacket } from '../packet-types.ts';
import { floatsOf, sigmoid } from './tensor-values.ts';

const activation = enumOption({ NONE: 0, SIGMOID: 1 }).default('NONE');

const options = z.object({
  numLandmarks: z.int().min(1).describe('Points in the tensor.'),
  inputImageWidth: z.int().min(1).optional().describe("Of the model's input, to make NORM_LANDMARKS."),
  inputImageHeight: z.int().min(1).optional().describe("Of the model's input, to make NORM_LANDMARKS."),
  flipVertically: z.boolean().default(false).describe('Turns the points upside down.'),
  flipHorizontally: z.boolean().default(false).describe('Mirrors the points.'),
  normalizeZ: z.number().default(1).describe('z of NORM_LANDMARKS is divided by the width and by this.'),
  visibilityActivation: activation.describe('SIGMOID where the fourth number is a logit.'),
  presenceActivation: activation.describe('SIGMOID where the fifth number is a logit.'),
});

type Options = z.infer<typeof options>;

/**
 * Reads points out of the first tensor: each x, y, and as far as there are numbers z, visibility and presence. LANDMARKS are
 * in the model's units, NORM_LANDMARKS in widths and heights of its input.
 *
 * node {
 *   calculator: "TensorsToLandmarksCalculator"
 *   input_stream: "TENSORS:tensors"
 *   output_stream: "NORM_LANDMARKS:landmarks"
 *   options { [mediapipe.TensorsToLandmarksCalculatorOptions.ext] {
 *     num_landmarks: 21 input_image_width: 224 input_image_height: 224 normalize_z: 0.4
 *   } }
 * }
 */
export const tensorsToLandmarks = defineCalculator({
  name: 'TensorsToLandmarksCalculator',
  options,
  inputs: { TENSORS: tensorsPacket, FLIP_HORIZONTALLY: optional(bool), FLIP_VERTICALLY: optional(bool) },
  outputs: { LANDMARKS: optional(landmarkList), NORM_LANDMARKS: optional(normalizedLandmarkList) },
  inputSidePackets: { FLIP_HORIZONTALLY: optional(bool), FLIP_VERTICALLY: optional(bool) },
  timestampOffset: 0,
  contract({ outputs, options: given, fail }) {
    const isFlipping = given.flipHorizontally || given.flipVertically;
    if (!outputs.has('NORM_LANDMARKS') && !isFlipping) return;
    if (given.inputImageWidth === undefined || given.inputImageHeight === undefined) {
      fail('input_image_width and input_image_height expected');
    }
  },
  open({ options: given, sidePackets }) {
    return {
      process({ inputs, outputs }) {
        const tensors = inputs.TENSORS.packet?.value;
        if (tensors === undefined) return;
        const flipX =
          inputs.FLIP_HORIZONTALLY?.packet?.value ?? sidePackets.FLIP_HORIZONTALLY ?? given.flipHorizontally;
        const flipY = inputs.FLIP_VERTICALLY?.packet?.value ?? sidePackets.FLIP_VERTICALLY ?? given.flipVertically;
        const points = read(floatsOf(tensors[0], 'TENSORS[0]', given.numLandmarks * 2), given, flipX, flipY);
        outputs.LANDMARKS?.send(points);
        outputs.NORM_LANDMARKS?.send(points.map((point) => normalized(point, given)));
      },
    };
  },
});

function read(values: Float32Array, given: Options, flipX: boolean, flipY: boolean): Landmark[] {
  const { inputImageWidth = 0, inputImageHeight = 0 } = given;
  const size = Math.floor(values.length / given.numLandmarks);
  const points: Landmark[] = [];
  for (let at = 0; points.length < given.numLandmarks; at += size) {
    const x = flipX ? inputImageWidth - values[at]! : values[at]!;
    const y = flipY ? inputImageHeight - values[at + 1]! : values[at + 1]!;
    const z = size > 2 ? values[at + 2]! : 0;
    if (size < 4) {
      points.push({ x, y, z });
      continue;
    }
    const visibility = activate(values[at + 3]!, given.visibilityActivation);
    if (size < 5) points.push({ x, y, z, visibility });
    else points.push({ x, y, z, visibility, presence: activate(values[at + 4]!, given.presenceActivation) });
  }
  return points;
}

const activate = (value: number, how: 'NONE' | 'SIGMOID') => (how === 'SIGMOID' ? sigmoid(value) : value);

function normalized(point: Landmark, { inputImageWidth = 1, inputImageHeight = 1, normalizeZ }: Options): Landmark {
  return placed(point, point.x / inputImageWidth, point.y / inputImageHeight, point.z / inputImageWidth / normalizeZ);
}

/**
 * The numbers of the first tensor: FLOAT is the first one, FLOATS are all.
 *
 * node {
 *   calculator: "TensorsToFloatsCalculator"
 *   input_stream: "TENSORS:flag_tensor"
 *   output_stream: "FLOAT:score"
 *   options { [mediapipe.TensorsToFloatsCalculatorOptions.ext] { activation: SIGMOID } }
 * }
 */
export const tensorsToFloats = defineCalculator({
  name: 'TensorsToFloatsCalculator',
  options: z.object({ activation: activation.describe('SIGMOID where the tensor holds logits.') }),
  inputs: { TENSORS: tensorsPacket },
  outputs: { FLOAT: optional(float), FLOATS: optional(floatVector) },
  timestampOffset: 0,
  open: ({ options: { activation: how } }) => ({
    process({ inputs, outputs }) {
      const tensors = inputs.TENSORS.packet?.value;
      if (tensors === undefined) return;
      const raw = floatsOf(tensors[0], 'TENSORS[0]', 1);
      const values = how === 'SIGMOID' ? Array.from(raw, sigmoid) : Array.from(raw);
      outputs.FLOAT?.send(values[0] ?? 0);
      outputs.FLOATS?.send(values);
    },
  }),
});
