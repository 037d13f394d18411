import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { imagePacket, sparseImagePacket } from '../packet-types.ts';

/**
 * Calms a mask (floats 0–1) by the one before: the less sure a pixel is, the more it keeps of what it was. Without a mask before, the
 * mask as it is. MediaPipe sheet §19.
 *
 * node {
 *   calculator: "SegmentationSmoothingCalculator"
 *   input_stream: "MASK:mask"
 *   input_stream: "MASK_PREVIOUS:previous_mask"
 *   output_stream: "MASK_SMOOTHED:smoothed_mask"
 *   options { [mediapipe.SegmentationSmoothingCalculatorOptions.ext] { combine_with_previous_ratio: 0.7 } }
 * }
 */
export const segmentationSmoothing = defineCalculator({
  name: 'SegmentationSmoothingCalculator',
  options: z.object({
    combineWithPreviousRatio: z
      .number()
      .default(0)
      .describe('How much of the mask before a pixel of ½ keeps, 0 to 1; 0: nothing is calmed.'),
  }),
  inputs: { MASK: imagePacket, MASK_PREVIOUS: imagePacket },
  outputs: { MASK_SMOOTHED: sparseImagePacket },
  timestampOffset: 0,
  open({ options: { combineWithPreviousRatio } }) {
    return {
      process({ inputs, outputs }) {
        const mask = inputs.MASK.packet?.value;
        const previous = inputs.MASK_PREVIOUS.packet?.value;
        if (mask === undefined) return;
        outputs.MASK_SMOOTHED.send(previous === undefined ? mask : blend(mask, previous, combineWithPreviousRatio));
      },
    };
  },
});

function blend(mask: Image, previous: Image, ratio: number): Image {
  for (const [name, { format }] of Object.entries({ MASK: mask, MASK_PREVIOUS: previous })) {
    if (format !== 'VEC32F1') throw new MillraceError('WRONG_DATATYPE', `${name}: ${format} given, VEC32F1 expected`);
  }
  const { width, height } = mask;
  if (previous.width !== width || previous.height !== height) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `MASK_PREVIOUS: ${previous.width} × ${previous.height} pixels given, ${width} × ${height} as of MASK expected`,
    );
  }
  const data = Float32Array.from(mask.data, (value, at) => {
    const x = (value - 0.5) ** 2;
    // Close to the square of a binary entropy.
    const sure = x * (5.68842 + x * (-0.748699 + x * (-57.8051 + x * (291.309 - x * 624.717))));
    return value + (previous.data[at]! - value) * (1 - Math.min(1, sure)) * ratio;
  });
  return { ...mask, data };
}
