import { z } from 'zod';
import { defineCalculator, enumOption } from '../../graph/index.ts';
import { warp } from '../../media/warp.ts';
import { floatVector } from '../core/packet-types.ts';
import { imageSize } from '../message-types.ts';
import { imagePacket } from '../packet-types.ts';

/**
 * An image of OUTPUT_SIZE, each pixel of which is taken from where MATRIX says: it leads from points of the result to points of IMAGE,
 * both 0–1. Bilinear, without a shift by half a pixel, as in MediaPipe.
 *
 * node {
 *   calculator: "WarpAffineCalculator"
 *   input_stream: "IMAGE:mask"
 *   input_stream: "MATRIX:image_to_mask"
 *   input_stream: "OUTPUT_SIZE:image_size"
 *   output_stream: "IMAGE:image_mask"
 *   options { [mediapipe.WarpAffineCalculatorOptions.ext] { border_mode: BORDER_ZERO } }
 * }
 */
export const warpAffine = defineCalculator({
  name: 'WarpAffineCalculator',
  options: z.object({
    borderMode: enumOption({ BORDER_UNSPECIFIED: 0, BORDER_ZERO: 1, BORDER_REPLICATE: 2 })
      .default('BORDER_UNSPECIFIED')
      .describe('What is seen outside the image: BORDER_REPLICATE its edge, else zeros.'),
    interpolation: enumOption({ INTER_UNSPECIFIED: 0, INTER_LINEAR: 1 })
      .default('INTER_UNSPECIFIED')
      .describe('Linear in any case; MediaPipe’s INTER_CUBIC is refused.'),
    gpuOrigin: enumOption({ DEFAULT: 0, CONVENTIONAL: 1, TOP_LEFT: 2 }).optional().describe('Of no effect here.'),
  }),
  inputs: { IMAGE: imagePacket, MATRIX: floatVector, OUTPUT_SIZE: imageSize },
  outputs: { IMAGE: imagePacket },
  timestampOffset: 0,
  open({ options: { borderMode } }) {
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        const matrix = inputs.MATRIX.packet?.value;
        const size = inputs.OUTPUT_SIZE.packet?.value;
        if (image === undefined || matrix === undefined || size === undefined) return;
        outputs.IMAGE.send(warp(image, matrix, ...size, borderMode === 'BORDER_REPLICATE' ? 'replicate' : 'zero'));
      },
    };
  },
});
