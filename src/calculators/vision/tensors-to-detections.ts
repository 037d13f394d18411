import { z } from 'zod';
import { defineCalculator, optional } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, type Detection } from '../message-types.ts';
import { tensorsPacket } from '../packet-types.ts';
import { anchors, type Anchor } from './ssd-anchors.ts';
import { floatsOf, sigmoid } from './tensor-values.ts';

const options = z.object({
  numClasses: z.int().min(1).describe('Scores of a box.'),
  numBoxes: z.int().min(1).describe('Boxes that the model gives.'),
  numCoords: z.int().min(4).describe('Numbers of a box, key points included.'),
  keypointCoordOffset: z.int().min(0).default(0).describe('Where the key points begin among the numbers of a box.'),
  numKeypoints: z.int().min(0).default(0).describe('Key points of a box.'),
  numValuesPerKeypoint: z.int().min(2).default(2).describe('Numbers of a key point; x and y are the first.'),
  boxCoordOffset: z.int().min(0).default(0).describe('Where the box begins among its numbers.'),
  xScale: z.number().default(0).describe('What a horizontal distance of one anchor is in the numbers.'),
  yScale: z.number().default(0).describe('What a vertical distance of one anchor is in the numbers.'),
  wScale: z.number().default(0).describe('What the width of one anchor is in the numbers.'),
  hScale: z.number().default(0).describe('What the height of one anchor is in the numbers.'),
  applyExponentialOnBoxSize: z.boolean().default(false).describe('Sizes are logarithms.'),
  reverseOutputOrder: z
    .boolean()
    .default(false)
    .describe('The numbers are x, y, width, height, not y, x, height, width.'),
  ignoreClasses: z.array(z.int()).default([]).describe('Classes that do not count.'),
  allowClasses: z.array(z.int()).default([]).describe('The only classes that count; none given: all.'),
  sigmoidScore: z.boolean().default(false).describe('Scores are logits.'),
  scoreClippingThresh: z.number().optional().describe('Logits are limited to ± this.'),
  flipVertically: z.boolean().default(false).describe('Turns boxes and key points upside down.'),
  minScoreThresh: z.number().optional().describe('Lowest score of a detection.'),
  maxResults: z.int().default(-1).describe('The first this many detections; all by default.'),
});

type Options = z.infer<typeof options>;

/**
 * Reads a detector's output: TENSORS are the boxes, FP32 [1, num_boxes, num_coords], and the scores [1, num_boxes,
 * num_classes]; each box counts from its anchor. DETECTIONS are those whose best class reaches the lowest score, in the order
 * of the boxes, in widths and heights of the model's input; the vector may be empty.
 *
 * node {
 *   calculator: "TensorsToDetectionsCalculator"
 *   input_stream: "TENSORS:tensors"
 *   input_side_packet: "ANCHORS:anchors"
 *   output_stream: "DETECTIONS:detections"
 *   options { [mediapipe.TensorsToDetectionsCalculatorOptions.ext] {
 *     num_classes: 1 num_boxes: 896 num_coords: 16 keypoint_coord_offset: 4 num_keypoints: 6
 *     x_scale: 128.0 y_scale: 128.0 w_scale: 128.0 h_scale: 128.0
 *     reverse_output_order: true sigmoid_score: true score_clipping_thresh: 100.0 min_score_thresh: 0.5
 *   } }
 * }
 */
export const tensorsToDetections = defineCalculator({
  name: 'TensorsToDetectionsCalculator',
  options,
  inputs: { TENSORS: tensorsPacket, ANCHORS: optional(anchors) },
  outputs: { DETECTIONS: vectorOf(detection) },
  inputSidePackets: { ANCHORS: optional(anchors) },
  timestampOffset: 0,
  check({ keypointCoordOffset, numKeypoints, numValuesPerKeypoint, numCoords, boxCoordOffset, ...given }) {
    const needed = Math.max(boxCoordOffset + 4, keypointCoordOffset + numKeypoints * numValuesPerKeypoint);
    if (numKeypoints > 0 && needed > numCoords) return `num_coords: ${numCoords} given, at least ${needed} expected`;
    const scales = [given.xScale, given.yScale, given.wScale, given.hScale];
    return scales.every((scale) => scale > 0) ? undefined : 'x_scale, y_scale, w_scale and h_scale above 0 expected';
  },
  contract({ inputs, inputSidePackets, fail }) {
    if (!inputs.has('ANCHORS') && !inputSidePackets.has('ANCHORS'))
      fail('ANCHORS expected, as a side packet or stream');
  },
  open({ options: given, sidePackets }) {
    return {
      process({ inputs, outputs }) {
        const tensors = inputs.TENSORS.packet?.value;
        const places = inputs.ANCHORS?.packet?.value ?? sidePackets.ANCHORS;
        if (tensors === undefined || places === undefined) return;
        if (places.length !== given.numBoxes) {
          throw new Error(`ANCHORS: ${places.length} given, ${given.numBoxes} expected as of num_boxes`);
        }
        const boxes = floatsOf(tensors[0], 'TENSORS[0], the boxes', given.numBoxes * given.numCoords);
        const scores = floatsOf(tensors[1], 'TENSORS[1], the scores', given.numBoxes * given.numClasses);
        outputs.DETECTIONS.send(decode(boxes, scores, places, given));
      },
    };
  },
});

function decode(boxes: Float32Array, scores: Float32Array, places: readonly Anchor[], given: Options): Detection[] {
  const counts = countedClasses(given);
  const found: Detection[] = [];
  const lowest = given.minScoreThresh ?? -Infinity;
  for (let box = 0; box < given.numBoxes; box++) {
    let best = -Infinity;
    let bestClass = -1;
    for (const index of counts) {
      const raw = scores[box * given.numClasses + index]!;
      if (raw > best) [best, bestClass] = [raw, index];
    }
    if (bestClass < 0) continue;
    const score = scoreOf(best, given);
    if (!(score >= lowest)) continue;
    const one = detectionOf(boxes, box * given.numCoords, places[box]!, given, bestClass, score);
    if (one === undefined) continue;
    found.push(one);
    if (found.length === given.maxResults) break;
  }
  return found;
}

function countedClasses({ numClasses, ignoreClasses, allowClasses }: Options): number[] {
  const all = Array.from({ length: numClasses }, (_, index) => index);
  return all.filter(
    (index) => !ignoreClasses.includes(index) && (allowClasses.length === 0 || allowClasses.includes(index)),
  );
}

function scoreOf(raw: number, { sigmoidScore, scoreClippingThresh: limit }: Options): number {
  if (!sigmoidScore) return raw;
  return sigmoid(limit === undefined ? raw : Math.min(Math.max(raw, -limit), limit));
}

/** Nothing for a box of negative size. */
function detectionOf(
  raw: Float32Array,
  at: number,
  anchor: Anchor,
  given: Options,
  index: number,
  score: number,
): Detection | undefined {
  const [first, second] = given.reverseOutputOrder ? [0, 1] : [1, 0];
  const box = at + given.boxCoordOffset;
  const xAt = (value: number) => (value / given.xScale) * anchor.width + anchor.xCenter;
  const yAt = (value: number) => {
    const y = (value / given.yScale) * anchor.height + anchor.yCenter;
    return given.flipVertically ? 1 - y : y;
  };
  const size = (value: number) => (given.applyExponentialOnBoxSize ? Math.exp(value) : value);
  const width = size(raw[box + 2 + first]! / given.wScale) * anchor.width;
  const height = size(raw[box + 2 + second]! / given.hScale) * anchor.height;
  if (!(width >= 0 && height >= 0)) return undefined;
  const keyPoints = Array.from({ length: given.numKeypoints }, (_, point) => {
    const from = at + given.keypointCoordOffset + point * given.numValuesPerKeypoint;
    return { x: xAt(raw[from + first]!), y: yAt(raw[from + second]!) };
  });
  return {
    classes: [{ index, score }],
    xMin: xAt(raw[box + first]!) - width / 2,
    yMin: yAt(raw[box + second]!) - height / 2,
    width,
    height,
    keyPoints,
  };
}
