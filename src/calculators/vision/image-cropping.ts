import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import type { Region } from '../../media/crop.ts';
import type { Image } from '../../media/image.ts';
import { sameKind } from '../../media/resize.ts';
import { normalizedRect, rect, type Rect } from '../message-types.ts';
import { imagePacket } from '../packet-types.ts';

const options = z.object({
  width: z.int().min(0).default(0).describe('Of the region in pixels, where no input gives one; 0: that of the image.'),
  height: z
    .int()
    .min(0)
    .default(0)
    .describe('Of the region in pixels, where no input gives one; 0: that of the image.'),
  rotation: z.number().default(0).describe('Of the region in radians, clockwise, where no input gives one.'),
  normWidth: z.number().default(0).describe('As width, as a share of that of the image.'),
  normHeight: z.number().default(0).describe('As height, as a share of that of the image.'),
  normCenterX: z.number().default(0).describe('Centre, as a share of the width; 0: the middle of the image.'),
  normCenterY: z.number().default(0).describe('Centre, as a share of the height; 0: the middle of the image.'),
  borderMode: enumOption({ BORDER_UNSPECIFIED: 0, BORDER_ZERO: 1, BORDER_REPLICATE: 2 })
    .default('BORDER_ZERO')
    .describe('What is seen outside the image: black, or its edge.'),
  outputMaxWidth: z.int().min(1).optional().describe('A larger result is scaled down to this.'),
  outputMaxHeight: z.int().min(1).optional().describe('A larger result is scaled down to this.'),
});

type Options = z.infer<typeof options>;

/** Pixels of a result; what a wrong rectangle asks for beyond is refused. */
const MAX_PIXELS = 2 ** 26;

/**
 * Cuts a rotated region out of an image at its own size: RECT in pixels, NORM_RECT in shares of the image, else as of the
 * options. Pixels are the nearest ones.
 *
 * node {
 *   calculator: "ImageCroppingCalculator"
 *   input_stream: "IMAGE:image"
 *   input_stream: "NORM_RECT:face_rect"
 *   output_stream: "IMAGE:face"
 *   options { [mediapipe.ImageCroppingCalculatorOptions.ext] { border_mode: BORDER_REPLICATE } }
 * }
 */
export const imageCropping = defineCalculator({
  name: 'ImageCroppingCalculator',
  options,
  inputs: { IMAGE: imagePacket, RECT: optional(rect), NORM_RECT: optional(normalizedRect) },
  outputs: { IMAGE: imagePacket },
  timestampOffset: 0,
  contract({ inputs, fail }) {
    if (inputs.has('RECT') && inputs.has('NORM_RECT')) fail('RECT and NORM_RECT exclude each other');
  },
  open({ options: given }) {
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        if (image === undefined) return;
        const pixels = inputs.RECT?.packet?.value;
        const shares = inputs.NORM_RECT?.packet?.value;
        if ((inputs.RECT ?? inputs.NORM_RECT) !== undefined && pixels === undefined && shares === undefined) return;
        outputs.IMAGE.send(cut(image, regionFor(image, given, pixels, shares), given));
      },
    };
  },
});

function regionFor(image: Image, given: Options, pixels: Rect | undefined, shares: Rect | undefined): Region {
  const { width, height } = image;
  if (pixels !== undefined) {
    const { xCenter: x, yCenter: y, rotation = 0 } = pixels;
    return { x, y, width: pixels.width, height: pixels.height, rotation };
  }
  if (shares !== undefined) {
    return {
      x: Math.round(shares.xCenter * width),
      y: Math.round(shares.yCenter * height),
      width: Math.round(shares.width * width),
      height: Math.round(shares.height * height),
      rotation: shares.rotation ?? 0,
    };
  }
  return {
    x: given.normCenterX > 0 ? Math.round(given.normCenterX * width) : width / 2,
    y: given.normCenterY > 0 ? Math.round(given.normCenterY * height) : height / 2,
    width: given.normWidth > 0 ? Math.round(given.normWidth * width) : given.width || width,
    height: given.normHeight > 0 ? Math.round(given.normHeight * height) : given.height || height,
    rotation: given.rotation,
  };
}

/** The corners of the result are those of the region; MediaPipe's perspective maps them so, and takes the nearest pixels. */
function cut(image: Image, region: Region, given: Options): Image {
  const limit = Math.min(
    1,
    (given.outputMaxWidth ?? Infinity) / region.width,
    (given.outputMaxHeight ?? Infinity) / region.height,
  );
  const [width, height] = [Math.trunc(region.width * limit), Math.trunc(region.height * limit)];
  if (!(width >= 1 && height >= 1 && width * height <= MAX_PIXELS)) {
    throw new Error(`a region of ${region.width} × ${region.height} pixels given, 1 to ${MAX_PIXELS} pixels expected`);
  }
  const { channels, data } = image;
  const out = sameKind(data, width * height * channels);
  const isZero = given.borderMode !== 'BORDER_REPLICATE';
  const [cos, sin] = [Math.cos(region.rotation), Math.sin(region.rotation)];
  const stepX = region.width / Math.max(width - 1, 1);
  const stepY = region.height / Math.max(height - 1, 1);
  for (let j = 0, at = 0; j < height; j++) {
    const down = j * stepY - region.height / 2;
    for (let i = 0; i < width; i++) {
      const across = i * stepX - region.width / 2;
      const x = nearest(region.x + across * cos - down * sin);
      const y = nearest(region.y + across * sin + down * cos);
      const isOutside = x < 0 || y < 0 || x >= image.width || y >= image.height;
      const column = Math.min(Math.max(x, 0), image.width - 1);
      const row = Math.min(Math.max(y, 0), image.height - 1);
      const from = (row * image.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) {
        out[at++] = isOutside && isZero ? 0 : data[from + channel]!;
      }
    }
  }
  return { ...image, width, height, data: out };
}

/** As OpenCV rounds: halves to the even one. */
function nearest(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
