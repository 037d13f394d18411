import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { vectorOf } from '../core/packet-types.ts';
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
 * one tensor [1, points, attributes], or [1, points · attributes]. Of a vector of lists, all of one length, TENSOR is [lists,
 * points, attributes].
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
  inputs: {
    NORM_LANDMARKS: optional(normalizedLandmarkList),
    LANDMARKS: optional(landmarkList),
    MULTI_NORM_LANDMARKS: optional(vectorOf(normalizedLandmarkList)),
  },
  outputs: { TENSOR: optional(sparseTensorPacket('FP32')), TENSORS: optional(tensorsPacket) },
  timestampOffset: 0,
  contract({ inputs, outputs, options, fail }) {
    if (inputs.all.length !== 1) fail('one of NORM_LANDMARKS, LANDMARKS and MULTI_NORM_LANDMARKS expected');
    const isMany = inputs.has('MULTI_NORM_LANDMARKS');
    if (isMany && outputs.has('TENSORS')) fail('MULTI_NORM_LANDMARKS become a TENSOR only');
    const port = outputs.get('TENSOR');
    const shape = [-1, options.attributes.length];
    if (port !== undefined) port.type = sparseTensorPacket('FP32', isMany ? [-1, ...shape] : shape);
  },
  open({ options: { attributes, flatten } }) {
    const readers = attributes.map((name) => READ[name]);
    return {
      process({ inputs, outputs }) {
        const lists = inputs.MULTI_NORM_LANDMARKS?.packet?.value;
        if (lists !== undefined) {
          const shape = [lists.length, lists[0]?.length ?? 0, readers.length];
          outputs.TENSOR?.send(tensorOf(outputs.TENSOR.name, 'FP32', shape, numbersOf(lists.flat(), readers)));
        }
        const points = (inputs.NORM_LANDMARKS ?? inputs.LANDMARKS)?.packet?.value;
        if (points === undefined) return;
        const values = numbersOf(points, readers);
        const shape = [points.length, readers.length];
        outputs.TENSOR?.send(tensorOf(outputs.TENSOR.name, 'FP32', shape, values));
        outputs.TENSORS?.send([tensorOf('TENSOR', 'FP32', flatten ? [1, values.length] : [1, ...shape], values)]);
      },
    };
  },
});

function numbersOf(points: readonly Landmark[], readers: readonly ((point: Landmark) => number)[]): Float32Array {
  const values = new Float32Array(points.length * readers.length);
  let at = 0;
  for (const point of points) for (const read of readers) values[at++] = read(point);
  return values;
}
