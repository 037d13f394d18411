import { z } from 'zod';
import { defineCalculator, optional, type PacketType } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { imageSize, normalizedRect, rect, type ImageSize, type Rect } from '../message-types.ts';
import { normalizeRadians, radians } from './geometry.ts';

const options = z.object({
  scaleX: z.number().default(1).describe('Factor of the width.'),
  scaleY: z.number().default(1).describe('Factor of the height.'),
  rotation: z.number().optional().describe('Radians to turn by, clockwise.'),
  rotationDegrees: z.number().optional().describe('The same in degrees.'),
  shiftX: z.number().default(0).describe('In widths, along the turned rectangle.'),
  shiftY: z.number().default(0).describe('In heights, along the turned rectangle.'),
  squareLong: z.boolean().default(false).describe('Both sides become the longer one, in pixels.'),
  squareShort: z.boolean().default(false).describe('Both sides become the shorter one, in pixels.'),
});

type Options = z.infer<typeof options>;

/**
 * Turns, shifts, makes square and scales rectangles, in this order: RECT or RECTS in pixels, NORM_RECT or NORM_RECTS in shares
 * of an image of IMAGE_SIZE.
 *
 * node {
 *   calculator: "RectTransformationCalculator"
 *   input_stream: "NORM_RECT:hand"
 *   input_stream: "IMAGE_SIZE:size"
 *   output_stream: "hand_roi"
 *   options { [mediapipe.RectTransformationCalculatorOptions.ext] { scale_x: 2.0 scale_y: 2.0 shift_y: -0.1 square_long: true } }
 * }
 */
export const rectTransformation = defineCalculator({
  name: 'RectTransformationCalculator',
  options,
  inputs: {
    RECT: optional(rect),
    RECTS: optional(vectorOf(rect)),
    NORM_RECT: optional(normalizedRect),
    NORM_RECTS: optional(vectorOf(normalizedRect)),
    IMAGE_SIZE: optional(imageSize),
  },
  outputs: { '': rect as PacketType<unknown> },
  timestampOffset: 0,
  check({ rotation, rotationDegrees, squareLong, squareShort }) {
    if (rotation !== undefined && rotationDegrees !== undefined)
      return 'the rotation is given in radians and in degrees';
    return squareLong && squareShort ? 'square_long and square_short exclude each other' : undefined;
  },
  contract({ inputs, outputs, fail }) {
    const rects = inputs.all.filter(({ tag }) => tag !== 'IMAGE_SIZE');
    const [only] = rects;
    if (only === undefined || rects.length > 1) return fail('one of RECT, RECTS, NORM_RECT and NORM_RECTS expected');
    if (only.tag.startsWith('NORM') && !inputs.has('IMAGE_SIZE'))
      fail('IMAGE_SIZE expected beside normalized rectangles');
    const output = outputs.get('');
    if (output !== undefined) output.type = only.type;
  },
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const size = inputs.IMAGE_SIZE?.packet?.value ?? [1, 1];
        if (inputs.IMAGE_SIZE !== undefined && inputs.IMAGE_SIZE.packet === undefined) return;
        const one = (inputs.RECT ?? inputs.NORM_RECT)?.packet?.value;
        const many = (inputs.RECTS ?? inputs.NORM_RECTS)?.packet?.value;
        // Of rectangles in pixels the unit is the same in both directions, as in an image of size 1 × 1.
        if (one !== undefined) outputs[''].send(transform(one, size, given));
        else if (many !== undefined) outputs[''].send(many.map((each) => transform(each, size, given)));
      },
    };
  },
});

/** @param size of the image in pixels */
function transform(given: Rect, [imageWidth, imageHeight]: ImageSize, options: Options): Rect {
  const { width, height } = given;
  const turn =
    options.rotation ?? (options.rotationDegrees === undefined ? undefined : radians(options.rotationDegrees));
  const rotation = turn === undefined ? (given.rotation ?? 0) : normalizeRadians((given.rotation ?? 0) + turn);
  const [cos, sin] = rotation === 0 ? [1, 0] : [Math.cos(rotation), Math.sin(rotation)];
  const [across, down] = [imageWidth * width * options.shiftX, imageHeight * height * options.shiftY];
  const x = given.xCenter + (across * cos - down * sin) / imageWidth;
  const y = given.yCenter + (across * sin + down * cos) / imageHeight;
  const sides = [width * imageWidth, height * imageHeight] as const;
  const square = options.squareLong ? Math.max(...sides) : options.squareShort ? Math.min(...sides) : undefined;
  return {
    ...given,
    xCenter: x,
    yCenter: y,
    width: (square === undefined ? width : square / imageWidth) * options.scaleX,
    height: (square === undefined ? height : square / imageHeight) * options.scaleY,
    rotation,
  };
}
