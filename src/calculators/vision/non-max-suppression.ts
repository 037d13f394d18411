import { z } from 'zod';
import { defineCalculator, enumOption, optional, repeated } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, type Detection } from '../message-types.ts';
import { imagePacket } from '../packet-types.ts';

const options = z.object({
  numDetectionStreams: z.int().min(1).default(1).describe('Inputs; their detections are taken together.'),
  maxNumDetections: z.int().default(-1).describe('The best ones kept; all by default.'),
  minScoreThreshold: z.number().default(-1).describe('Lowest score of a detection.'),
  minSuppressionThreshold: z.number().default(1).describe('Overlap above which the worse of two boxes gives way.'),
  overlapType: enumOption({ UNSPECIFIED_OVERLAP_TYPE: 0, JACCARD: 1, MODIFIED_JACCARD: 2, INTERSECTION_OVER_UNION: 3 })
    .default('JACCARD')
    .describe('What the shared area is divided by: the box around both, the second box, or the area of both.'),
  returnEmptyDetections: z.boolean().default(false).describe('Sends an empty vector where nothing is left.'),
  algorithm: enumOption({ DEFAULT: 0, WEIGHTED: 1 })
    .default('DEFAULT')
    .describe('WEIGHTED: a box that stays is the mean of those that give way to it and itself, by their scores.'),
  multiclassNms: z.boolean().default(false).describe('Boxes of different classes do not suppress each other.'),
});

type Options = z.infer<typeof options>;

/**
 * Of detections that overlap keeps the one with the best score. Sends the rest, the best first; nothing where none is left,
 * unless told otherwise.
 *
 * node {
 *   calculator: "NonMaxSuppressionCalculator"
 *   input_stream: "detections"
 *   output_stream: "filtered_detections"
 *   options { [mediapipe.NonMaxSuppressionCalculatorOptions.ext] {
 *     min_suppression_threshold: 0.3 overlap_type: INTERSECTION_OVER_UNION algorithm: WEIGHTED
 *   } }
 * }
 */
export const nonMaxSuppression = defineCalculator({
  name: 'NonMaxSuppressionCalculator',
  options,
  inputs: { '': repeated(vectorOf(detection)), IMAGE: optional(imagePacket) },
  outputs: { '': vectorOf(detection) },
  timestampOffset: 0,
  contract({ inputs, options: { numDetectionStreams }, fail }) {
    const count = inputs.count('');
    if (count !== numDetectionStreams) {
      fail(`${count} inputs given, ${numDetectionStreams} expected as of num_detection_streams`);
    }
  },
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const all = inputs[''].flatMap(({ packet }) => packet?.value ?? []);
        const sorted = all.filter(({ classes }) => classes.length > 0).sort((a, b) => scoreOf(b) - scoreOf(a));
        const kept = given.algorithm === 'WEIGHTED' ? weighted(sorted, given) : plain(sorted, given);
        if (kept.length > 0 || given.returnEmptyDetections) outputs[''].send(kept);
      },
    };
  },
});

const scoreOf = ({ classes: [best] }: Detection): number => best?.score ?? 0;

function plain(sorted: readonly Detection[], given: Options): Detection[] {
  const kept: Detection[] = [];
  for (const one of sorted) {
    if (isFull(kept, given) || isPoor(one, given)) break;
    if (!kept.some((better) => suppresses(better, one, given))) kept.push(one);
  }
  return kept;
}

function weighted(sorted: readonly Detection[], given: Options): Detection[] {
  const kept: Detection[] = [];
  let rest = sorted;
  for (;;) {
    const best = rest[0];
    if (best === undefined || isFull(kept, given) || isPoor(best, given)) return kept;
    const candidates = rest.filter((one) => suppresses(one, best, given));
    const left = rest.filter((one) => !candidates.includes(one));
    kept.push(candidates.length === 0 ? best : mean(best, candidates));
    if (left.length === rest.length) return kept; // not even like itself: a box without area
    rest = left;
  }
}

function isFull(kept: readonly Detection[], { maxNumDetections: most }: Options): boolean {
  return most >= 0 && kept.length >= most;
}

function isPoor(one: Detection, { minScoreThreshold: lowest }: Options): boolean {
  return lowest > 0 && scoreOf(one) < lowest;
}

function suppresses(a: Detection, b: Detection, given: Options): boolean {
  if (given.multiclassNms && a.classes[0]?.index !== b.classes[0]?.index) return false;
  return overlap(a, b, given.overlapType) > given.minSuppressionThreshold;
}

function overlap(a: Detection, b: Detection, type: Options['overlapType']): number {
  const [right, bottom] = [(box: Detection) => box.xMin + box.width, (box: Detection) => box.yMin + box.height];
  const across = Math.min(right(a), right(b)) - Math.max(a.xMin, b.xMin);
  const down = Math.min(bottom(a), bottom(b)) - Math.max(a.yMin, b.yMin);
  if (!(across > 0 && down > 0)) return 0;
  const shared = across * down;
  const whole = wholeArea(a, b, shared, type);
  return whole > 0 ? shared / whole : 0;
}

function wholeArea(a: Detection, b: Detection, shared: number, type: Options['overlapType']): number {
  if (type === 'MODIFIED_JACCARD') return b.width * b.height;
  if (type === 'INTERSECTION_OVER_UNION') return a.width * a.height + b.width * b.height - shared;
  const width = Math.max(a.xMin + a.width, b.xMin + b.width) - Math.min(a.xMin, b.xMin);
  const height = Math.max(a.yMin + a.height, b.yMin + b.height) - Math.min(a.yMin, b.yMin);
  return width * height;
}

/** `best` with the mean box and key points of the candidates. */
function mean(best: Detection, candidates: readonly Detection[]): Detection {
  const total = candidates.reduce((sum, one) => sum + scoreOf(one), 0);
  const of = (value: (one: Detection) => number) =>
    candidates.reduce((sum, one) => sum + value(one) * scoreOf(one), 0) / total;
  const [xMin, yMin] = [of((one) => one.xMin), of((one) => one.yMin)];
  return {
    ...best,
    xMin,
    yMin,
    width: of((one) => one.xMin + one.width) - xMin,
    height: of((one) => one.yMin + one.height) - yMin,
    keyPoints: (best.keyPoints ?? []).map((_, at) => ({
      x: of((one) => one.keyPoints?.[at]?.x ?? 0),
      y: of((one) => one.keyPoints?.[at]?.y ?? 0),
    })),
  };
}
