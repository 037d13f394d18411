import { z } from 'zod';
import { defineCalculator, repeated, type CalculatorDefinition, type PacketType } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, normalizedRect, type Detection, type Rect } from '../message-types.ts';

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const options = z.object({
  minSimilarityThreshold: z
    .number()
    .default(1)
    .describe('Overlap (shared area over that of both) above which two are the same thing.'),
});

function define<T>(name: string, element: PacketType<T>, boxOf: (one: T) => Box): CalculatorDefinition {
  return defineCalculator({
    name,
    options,
    inputs: { '': repeated(vectorOf(element)) },
    outputs: { '': vectorOf(element) },
    timestampOffset: 0,
    open({ options: { minSimilarityThreshold: limit } }) {
      return {
        process({ inputs, outputs }) {
          let kept: T[] = [];
          for (const one of inputs[''].flatMap(({ packet }) => packet?.value ?? [])) {
            kept = kept.filter((other) => overlap(boxOf(one), boxOf(other)) <= limit);
            kept.push(one);
          }
          outputs[''].send(kept);
        },
      };
    },
  });
}

function overlap(a: Box, b: Box): number {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (!(across > 0 && down > 0)) return 0;
  return (across * down) / (a.width * a.height + b.width * b.height - across * down);
}

/**
 * Joins vectors of rectangles; of two that are the same thing, the one of the later input stays.
 *
 * node {
 *   calculator: "AssociationNormRectCalculator"
 *   input_stream: "rects_from_detections"
 *   input_stream: "rects_from_landmarks"
 *   output_stream: "rects"
 *   options { [mediapipe.AssociationCalculatorOptions.ext] { min_similarity_threshold: 0.5 } }
 * }
 */
export const associationNormRect = define<Rect>('AssociationNormRectCalculator', normalizedRect, (rect) => ({
  left: rect.xCenter - rect.width / 2,
  top: rect.yCenter - rect.height / 2,
  width: rect.width,
  height: rect.height,
}));

/**
 * Joins vectors of detections; of two that are the same thing, the one of the later input stays.
 *
 * node {
 *   calculator: "AssociationDetectionCalculator"
 *   input_stream: "fresh_detections"
 *   input_stream: "tracked_detections"
 *   output_stream: "detections"
 *   options { [mediapipe.AssociationCalculatorOptions.ext] { min_similarity_threshold: 0.1 } }
 * }
 */
export const associationDetection = define<Detection>('AssociationDetectionCalculator', detection, (one) => ({
  left: one.xMin,
  top: one.yMin,
  width: one.width,
  height: one.height,
}));
