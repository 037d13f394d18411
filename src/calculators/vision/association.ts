import { z } from 'zod';
import {
  defineCalculator,
  optional,
  type CalculatorDefinition,
  type InputPort,
  type PacketType,
} from '../../graph/index.ts';
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

interface Identified {
  readonly id?: number;
}

function define<T extends Identified>(
  name: string,
  element: PacketType<T>,
  boxOf: (one: T) => Box,
): CalculatorDefinition {
  return defineCalculator({
    name,
    options,
    inputs: { '*': vectorOf(element), PREV: optional(vectorOf(element)) },
    outputs: { '': vectorOf(element) },
    timestampOffset: 0,
    contract({ inputs, fail }) {
      if (inputs.all.every(({ tag }) => tag === 'PREV')) fail('an input expected beside PREV');
    },
    open({ options: { minSimilarityThreshold: limit }, inputPorts }) {
      const isSame = (a: T, b: T) => overlap(boxOf(a), boxOf(b)) > limit;
      const joined = inputPorts.filter(({ tag }) => tag !== 'PREV') as InputPort<readonly T[]>[];
      return {
        process({ inputs, outputs }) {
          let kept: T[] = [];
          for (const one of joined.flatMap(({ packet }) => packet?.value ?? [])) {
            const replaced = kept.filter((other) => isSame(one, other));
            kept = kept.filter((other) => !replaced.includes(other));
            kept.push(withIdOf(replaced, one));
          }
          const before = inputs.PREV?.packet?.value ?? [];
          outputs[''].send(
            kept.map((one) =>
              withIdOf(
                before.filter((other) => isSame(one, other)),
                one,
              ),
            ),
          );
        },
      };
    },
  });
}

/** `one` with the id that the last of `others` has, of those that have one. */
function withIdOf<T extends Identified>(others: readonly T[], one: T): T {
  const id = others.findLast((other) => other.id !== undefined)?.id;
  return id === undefined ? one : { ...one, id };
}

function overlap(a: Box, b: Box): number {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (!(across > 0 && down > 0)) return 0;
  return (across * down) / (a.width * a.height + b.width * b.height - across * down);
}

/**
 * Joins vectors of rectangles; of two that are the same thing, the one of the later input stays, with the other's id. What is the
 * same as one in PREV, which has those of the image before, gets that one's id; PREV itself is not among the output.
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
 * Joins vectors of detections; of two that are the same thing, the one of the later input stays, with the other's id. What is the
 * same as one in PREV, which has those of the image before, gets that one's id; PREV itself is not among the output.
 *
 * node {
 *   calculator: "AssociationDetectionCalculator"
 *   input_stream: "fresh_detections"
 *   input_stream: "tracked_detections"
 *   input_stream: "PREV:detections_before"
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
