import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, repeated } from '../../graph/index.ts';
import { normalizedLandmarkList, type Landmark } from '../message-types.ts';
import { tensorsPacket } from '../packet-types.ts';
import { floatsOf, sigmoid } from './tensor-values.ts';

const heatmapOptions = z.object({
  kernelSize: z.int().min(1).default(9).describe('Cells of the window around a point, across and down; odd.'),
  minConfidenceToRefine: z.number().default(0.5).describe('A point moves if some cell of its window has this value.'),
  refinePresence: z.boolean().default(false).describe('The presence becomes the best value of the window.'),
  refineVisibility: z.boolean().default(false).describe('The visibility becomes the best value of the window.'),
});

type HeatmapOptions = z.infer<typeof heatmapOptions>;

/**
 * Moves points to the centre of what a heat map, FP32 [1, rows, columns, points] of logits, shows around them.
 *
 * node {
 *   calculator: "RefineLandmarksFromHeatmapCalculator"
 *   input_stream: "NORM_LANDMARKS:landmarks"
 *   input_stream: "TENSORS:heatmap"
 *   output_stream: "NORM_LANDMARKS:refined_landmarks"
 *   options { [mediapipe.RefineLandmarksFromHeatmapCalculatorOptions.ext] { kernel_size: 7 } }
 * }
 */
export const refineLandmarksFromHeatmap = defineCalculator({
  name: 'RefineLandmarksFromHeatmapCalculator',
  options: heatmapOptions,
  inputs: { NORM_LANDMARKS: normalizedLandmarkList, TENSORS: tensorsPacket },
  outputs: { NORM_LANDMARKS: normalizedLandmarkList },
  timestampOffset: 0,
  check({ kernelSize }) {
    return kernelSize % 2 === 1 ? undefined : `kernel_size: ${kernelSize} given, an odd number expected`;
  },
  open({ options }) {
    return {
      process({ inputs, outputs }) {
        const points = inputs.NORM_LANDMARKS.packet?.value;
        const tensor = inputs.TENSORS.packet?.value[0];
        if (points === undefined || tensor === undefined) return;
        const [rows = 0, columns = 0, depth = 0] = tensor.shape.slice(-3);
        if (tensor.shape.length < 3 || depth !== points.length) {
          throw new MillraceError(
            'WRONG_SHAPE',
            `TENSORS[0]: shape [${tensor.shape.join(',')}] given, [1,rows,columns,${points.length}] expected`,
          );
        }
        const values = floatsOf(tensor, 'TENSORS[0]', rows * columns * depth);
        const map = { values, rows, columns, depth };
        outputs.NORM_LANDMARKS.send(points.map((point, at) => refine(point, at, map, options)));
      },
    };
  },
});

interface HeatMap {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  /** One plane for each point, the innermost dimension. */
  readonly depth: number;
}

function refine(
  point: Landmark,
  plane: number,
  { values, rows, columns, depth }: HeatMap,
  given: HeatmapOptions,
): Landmark {
  const [column, row] = [Math.trunc(point.x * columns), Math.trunc(point.y * rows)];
  if (!(column >= 0 && column < columns && row >= 0 && row < rows)) return point;
  const reach = (given.kernelSize - 1) / 2;
  let [sum, sumX, sumY, best] = [0, 0, 0, 0];
  for (let y = Math.max(0, row - reach); y <= Math.min(rows - 1, row + reach); y++) {
    for (let x = Math.max(0, column - reach); x <= Math.min(columns - 1, column + reach); x++) {
      const weight = sigmoid(values[(y * columns + x) * depth + plane]!);
      sum += weight;
      sumX += x * weight;
      sumY += y * weight;
      best = Math.max(best, weight);
    }
  }
  const moves = best >= given.minConfidenceToRefine && sum > 0;
  return {
    ...point,
    ...(moves ? { x: sumX / columns / sum, y: sumY / rows / sum } : {}),
    ...(given.refinePresence && point.presence !== undefined ? { presence: Math.min(point.presence, best) } : {}),
    ...(given.refineVisibility && point.visibility !== undefined
      ? { visibility: Math.min(point.visibility, best) }
      : {}),
  };
}

const refinement = z.object({
  indexesMapping: z.array(z.int().min(0)).default([]).describe('Point of the result for each point of the input.'),
  zRefinement: z
    .object({
      none: z.object({}).optional(),
      copy: z.object({}).optional(),
      assignAverage: z.object({ indexesForAverage: z.array(z.int().min(0)).min(1) }).optional(),
    })
    .default({ none: {} })
    .describe('z of these points: left as it is (none), their own (copy), or the mean of other points of the result.'),
});

/**
 * Puts together the points of a whole and of its parts: each input, in order, writes over the points that it is said to have.
 *
 * node {
 *   calculator: "LandmarksRefinementCalculator"
 *   input_stream: "LANDMARKS:0:mesh"
 *   input_stream: "LANDMARKS:1:lips"
 *   output_stream: "REFINED_LANDMARKS:landmarks"
 *   options { [mediapipe.LandmarksRefinementCalculatorOptions.ext] {
 *     refinement { indexes_mapping: [0, 1, 2, 3] z_refinement { copy {} } }
 *     refinement { indexes_mapping: [2, 3] z_refinement { none {} } }
 *   } }
 * }
 */
export const landmarksRefinement = defineCalculator({
  name: 'LandmarksRefinementCalculator',
  options: z.object({ refinement: z.array(refinement).default([]).describe('What each input gives, in order.') }),
  inputs: { LANDMARKS: repeated(normalizedLandmarkList) },
  outputs: { REFINED_LANDMARKS: normalizedLandmarkList },
  timestampOffset: 0,
  contract({ inputs, options, fail }) {
    if (inputs.count('LANDMARKS') !== options.refinement.length) {
      fail(`${options.refinement.length} refinements given, ${inputs.count('LANDMARKS')} expected, one per input`);
    }
  },
  open({ options: { refinement: parts } }) {
    return {
      process({ inputs, outputs }) {
        const lists = inputs.LANDMARKS.map(({ packet }) => packet?.value);
        if (lists.some((list) => list === undefined)) return;
        const result: Landmark[] = [];
        parts.forEach((part, at) => write(result, lists[at] ?? [], part, at));
        outputs.REFINED_LANDMARKS.send(result);
      },
    };
  },
});

function write(result: Landmark[], points: readonly Landmark[], part: z.infer<typeof refinement>, input: number): void {
  const { indexesMapping: indexes, zRefinement } = part;
  if (indexes.length !== points.length) {
    throw new Error(
      `LANDMARKS:${input}: ${points.length} points given, ${indexes.length} expected as of indexes_mapping`,
    );
  }
  const average = zRefinement.assignAverage?.indexesForAverage;
  const mean = average && average.reduce((sum, index) => sum + (result[index]?.z ?? 0), 0) / average.length;
  points.forEach((point, at) => {
    const index = indexes[at] ?? 0;
    const z = mean ?? (zRefinement.copy === undefined ? (result[index]?.z ?? 0) : point.z);
    result[index] = { x: point.x, y: point.y, z };
  });
}
