import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { landmarkList, normalizedLandmarkList, type Landmark } from '../message-types.ts';
import { sparseTensorPacket, tensorsPacket } from '../packet-types.ts';

const attribute = enumOption({ X: 0, Y: 1, Z: 2, VISIBILITY: 3, PRESENCE: 4 });

const READ = {
  X: ({ x }: Landmark) => x,
  Y: ({ y }: Landmark) => y,
  Z: ({ z }: Landmark) => z,
  VISIBILITY: ({ visibility = 0 }: Landmark) => visibility,
  PRESENCE: ({ presence = 0 }: Landmark) => presence,
} as const;

/**
 * The numbers of points as FP32. TENSOR is [points, attributes], for an output of the graph; TENSORS is MediaPipe's vector with
 * one tensor [1, points, attributes], or [1, points · attributes].
 *
 * node {
 *   calculator: "LandmarksToTensorCalculator"
 *   input_stream: "NORM_LANDMARKS:pose_landmarks"
 *   output_stream: "TENSOR:pose"
 *   options { [mediapipe.LandmarksToTensorCalculatorOptions.ext] { attributes: [X, Y, Z, VISIBILITY, PRESENCE] } }
 * }
 */
export const landmarksToTensor = defineCalculator({
  name: 'LandmarksToTensorCalculator',
  options: z.object({
    attributes: z.array(attribute).min(1).describe('X, Y, Z, VISIBILITY and PRESENCE, in the order of the numbers.'),
    flatten: z.boolean().default(false).describe('TENSORS without a dimension for the attributes.'),
  }),
  inputs: { NORM_LANDMARKS: optional(normalizedLandmarkList), LANDMARKS: optional(landmarkList) },
  outputs: { TENSOR: optional(sparseTensorPacket('FP32')), TENSORS: optional(tensorsPacket) },
  timestampOffset: 0,
  contract({ inputs, outputs, options, fail }) {
    if (inputs.has('NORM_LANDMARKS') === inputs.has('LANDMARKS')) fail('NORM_LANDMARKS or LANDMARKS expected');
    const port = outputs.get('TENSOR');
    if (port !== undefined) port.type = sparseTensorPacket('FP32', [-1, options.attributes.length]);
  },
  open({ options: { attributes, flatten } }) {
    const readers = attributes.map((name) => READ[name]);
    return {
      process({ inputs, outputs }) {
        const points = (inputs.NORM_LANDMARKS ?? inputs.LANDMARKS)?.packet?.value;
        if (points === undefined) return;
        const values = Float32Array.from(points.flatMap((point) => readers.map((read) => read(point))));
        const shape = [points.length, readers.length];
        outputs.TENSOR?.send(tensorOf(outputs.TENSOR.name, 'FP32', shape, values));
        outputs.TENSORS?.send([tensorOf('TENSOR', 'FP32', flatten ? [1, values.length] : [1, ...shape], values)]);
      },
    };
  },
});
