import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Detection } from '../message-types.ts';
import type { Anchor } from './ssd-anchors.ts';
import { floatsOf, sigmoid } from './tensor-values.ts';

/** Options that OVMS's and MediaPipe's calculators have in common. */
export const boxOptions = z.object({
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
  sigmoidScore: z.boolean().default(false).describe('Scores are logits.'),
  scoreClippingThresh: z.number().optional().describe('Logits are limited to ± this.'),
  flipVertically: z.boolean().default(false).describe('Turns boxes and key points upside down.'),
  minScoreThresh: z.number().optional().describe('Lowest score of a detection.'),
});

export type BoxOptions = z.infer<typeof boxOptions> & {
  /** None given: all. */
  readonly allowClasses: readonly number[];
  /** −1: all. */
  readonly maxResults: number;
};

/** What is wrong with the scales, where boxes count from anchors. */
export function scaleFault({ xScale, yScale, wScale, hScale }: BoxOptions): string | undefined {
  const isGiven = [xScale, yScale, wScale, hScale].every((scale) => scale > 0);
  return isGiven ? undefined : 'x_scale, y_scale, w_scale and h_scale above 0 expected';
}

/**
 * Boxes of a detector's output: [boxes, scores] beside `anchors`; [boxes, scores, anchors], whose rows are y, x, height and width of
 * an anchor; or, of a model that has chosen already, [boxes, classes, scores, count], whose boxes are y0, x0, y1, x1.
 * @throws MillraceError WRONG_SHAPE, WRONG_DATATYPE
 */
export function detectionsOf(
  tensors: readonly Tensor[],
  anchors: readonly Anchor[] | undefined,
  given: BoxOptions,
): Detection[] {
  if (tensors.length === 4) return chosenBoxes(tensors, given);
  if (tensors.length !== 2 && tensors.length !== 3) {
    throw new MillraceError('WRONG_SHAPE', `TENSORS: ${tensors.length} tensors given, 2, 3 or 4 expected`);
  }
  const boxes = floatsOf(tensors[0], 'TENSORS[0], the boxes', given.numBoxes * given.numCoords);
  const scores = floatsOf(tensors[1], 'TENSORS[1], the scores', given.numBoxes * given.numClasses);
  const places = tensors.length === 3 ? anchorsIn(tensors[2], given) : anchors;
  if (places === undefined) {
    throw new MillraceError(
      'WRONG_SHAPE',
      'TENSORS: 2 tensors given and no ANCHORS, a third tensor with them expected',
    );
  }
  if (places.length !== given.numBoxes) {
    throw new Error(`ANCHORS: ${places.length} given, ${given.numBoxes} expected as of num_boxes`);
  }
  return decode(boxes, scores, places, given);
}

function anchorsIn(tensor: Tensor | undefined, given: BoxOptions): Anchor[] {
  const fault = scaleFault(given);
  if (fault !== undefined) throw new Error(fault);
  const raw = floatsOf(tensor, 'TENSORS[2], the anchors', given.numBoxes * 4);
  return Array.from({ length: given.numBoxes }, (_, box) => {
    const [yCenter = 0, xCenter = 0, height = 0, width = 0] = raw.subarray(box * 4, box * 4 + 4);
    return { xCenter, yCenter, width, height };
  });
}

/** What a model with its own suppression has found. */
function chosenBoxes([boxes, classes, scores, count]: readonly Tensor[], given: BoxOptions): Detection[] {
  const [found = 0] = floatsOf(count, 'TENSORS[3], the number of boxes', 1);
  const { numCoords } = given;
  const all = floatsOf(boxes, 'TENSORS[0], the boxes', found * numCoords);
  const [kinds, ratings] = [
    floatsOf(classes, 'TENSORS[1], the classes', found),
    floatsOf(scores, 'TENSORS[2], the scores', found),
  ];
  const counts = counting(given);
  const lowest = given.minScoreThresh ?? -Infinity;
  const result: Detection[] = [];
  for (let box = 0; box < found && result.length !== given.maxResults; box++) {
    const [index, score, at] = [Math.trunc(kinds[box]!), ratings[box]!, box * numCoords];
    if (!(score >= lowest) || !counts(index)) continue;
    const [yMin, xMin, yMax, xMax] = [all[at]!, all[at + 1]!, all[at + 2]!, all[at + 3]!];
    if (!(xMax >= xMin && yMax >= yMin)) continue;
    const keyPoints = keyPointsOf(at, given, (from) => ({ x: all[from]!, y: turned(all[from + 1]!, given) }));
    result.push({
      classes: [{ index, score }],
      xMin,
      yMin: given.flipVertically ? 1 - yMax : yMin,
      width: xMax - xMin,
      height: yMax - yMin,
      keyPoints,
    });
  }
  return result;
}

function decode(boxes: Float32Array, scores: Float32Array, places: readonly Anchor[], given: BoxOptions): Detection[] {
  const counts = Array.from({ length: given.numClasses }, (_, index) => index).filter(counting(given));
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

function counting({ ignoreClasses, allowClasses }: BoxOptions): (index: number) => boolean {
  return (index) => !ignoreClasses.includes(index) && (allowClasses.length === 0 || allowClasses.includes(index));
}

function scoreOf(raw: number, { sigmoidScore, scoreClippingThresh: limit }: BoxOptions): number {
  if (!sigmoidScore) return raw;
  return sigmoid(limit === undefined ? raw : Math.min(Math.max(raw, -limit), limit));
}

const turned = (y: number, { flipVertically }: BoxOptions): number => (flipVertically ? 1 - y : y);

interface Point {
  readonly x: number;
  readonly y: number;
}

/** @param at where the numbers of the box begin */
function keyPointsOf(at: number, given: BoxOptions, read: (from: number) => Point): Point[] {
  return Array.from({ length: given.numKeypoints }, (_, point) =>
    read(at + given.keypointCoordOffset + point * given.numValuesPerKeypoint),
  );
}

/** Nothing for a box of negative size. */
function detectionOf(
  raw: Float32Array,
  at: number,
  anchor: Anchor,
  given: BoxOptions,
  index: number,
  score: number,
): Detection | undefined {
  const [first, second] = given.reverseOutputOrder ? [0, 1] : [1, 0];
  const box = at + given.boxCoordOffset;
  const xAt = (value: number) => (value / given.xScale) * anchor.width + anchor.xCenter;
  const yAt = (value: number) => turned((value / given.yScale) * anchor.height + anchor.yCenter, given);
  const size = (value: number) => (given.applyExponentialOnBoxSize ? Math.exp(value) : value);
  const width = size(raw[box + 2 + first]! / given.wScale) * anchor.width;
  const height = size(raw[box + 2 + second]! / given.hScale) * anchor.height;
  if (!(width >= 0 && height >= 0)) return undefined;
  return {
    classes: [{ index, score }],
    xMin: xAt(raw[box + first]!) - width / 2,
    yMin: yAt(raw[box + second]!) - height / 2,
    width,
    height,
    keyPoints: keyPointsOf(at, given, (from) => ({ x: xAt(raw[from + first]!), y: yAt(raw[from + second]!) })),
  };
}
