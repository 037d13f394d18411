import { z } from 'zod';
import { defineCalculator, optional, type CalculatorDefinition, type PacketType } from '../../graph/index.ts';
import { bool, int, vectorOf } from '../core/packet-types.ts';
import { detection, normalizedLandmarkList, normalizedRect } from '../message-types.ts';

function define<T>(name: string, element: PacketType<T>): CalculatorDefinition {
  return defineCalculator({
    name,
    options: z.object({
      minSize: z.int().min(0).default(0).describe('Elements; the side packet MIN_SIZE overrides it.'),
    }),
    inputs: { ITERABLE: vectorOf(element) },
    outputs: { '': bool },
    inputSidePackets: { MIN_SIZE: optional(int) },
    timestampOffset: 0,
    open({ options: { minSize }, sidePackets: { MIN_SIZE: least = minSize } }) {
      return {
        process({ inputs, outputs }) {
          const list = inputs.ITERABLE.packet?.value;
          if (list !== undefined) outputs[''].send(list.length >= Number(least));
        },
      };
    },
  });
}

/**
 * Whether a vector has at least so many rectangles.
 *
 * node {
 *   calculator: "NormalizedRectVectorHasMinSizeCalculator"
 *   input_stream: "ITERABLE:rects"
 *   output_stream: "are_enough"
 *   options { [mediapipe.CollectionHasMinSizeCalculatorOptions.ext] { min_size: 2 } }
 * }
 */
export const normalizedRectVectorHasMinSize = define('NormalizedRectVectorHasMinSizeCalculator', normalizedRect);

/**
 * Whether a vector has at least so many detections.
 *
 * node {
 *   calculator: "DetectionVectorHasMinSizeCalculator"
 *   input_stream: "ITERABLE:detections"
 *   output_stream: "are_enough"
 *   options { [mediapipe.CollectionHasMinSizeCalculatorOptions.ext] { min_size: 1 } }
 * }
 */
export const detectionVectorHasMinSize = define('DetectionVectorHasMinSizeCalculator', detection);

/**
 * Whether a vector has at least so many lists of points.
 *
 * node {
 *   calculator: "NormalizedLandmarkListVectorHasMinSizeCalculator"
 *   input_stream: "ITERABLE:hands"
 *   output_stream: "are_enough"
 *   options { [mediapipe.CollectionHasMinSizeCalculatorOptions.ext] { min_size: 2 } }
 * }
 */
export const normalizedLandmarkListVectorHasMinSize = define(
  'NormalizedLandmarkListVectorHasMinSizeCalculator',
  normalizedLandmarkList,
);
