import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, optional } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { imagePacket, tensorsPacket } from '../packet-types.ts';

const options = z.object({
  enableNormalization: z.boolean().default(false).describe('Makes FP32 of brightnesses; else they stay as they are.'),
  zeroCenter: z.boolean().default(true).describe('Normalized: from −1 to 1, where no other range is given.'),
  outputTensorFloatRange: z
    .object({ min: z.number().default(0), max: z.number().default(1) })
    .optional()
    .describe('Normalized: what black and full brightness become.'),
  useCustomNormalization: z.boolean().default(false).describe('Normalized: value / custom_div − custom_sub.'),
  customDiv: z.number().default(-1).describe('See use_custom_normalization.'),
  customSub: z.number().default(-1).describe('See use_custom_normalization.'),
  flipVertically: z.boolean().default(false).describe('Turns the image upside down.'),
  maxNumChannels: z.int().min(1).max(4).default(3).describe('Channels kept when normalizing, of those of the image.'),
});

type Options = z.infer<typeof options>;

interface Range {
  readonly min: number;
  readonly max: number;
}

/** What brightness 0 and 255 become; undefined: nothing changes. */
function rangeOf(given: Options): Range | undefined {
  if (!given.enableNormalization) return undefined;
  if (given.useCustomNormalization) return { min: -given.customSub, max: -given.customSub + 255 / given.customDiv };
  if (given.outputTensorFloatRange !== undefined) return given.outputTensorFloatRange;
  return given.zeroCenter ? { min: -1, max: 1 } : undefined;
}

/**
 * Makes a tensor [1, height, width, channels] of an image, for an OpenVINOInferenceCalculator: with enable_normalization FP32 in a
 * range, else as it is, UINT8, UINT16 or FP32. TENSORS (or OVTENSORS) is a vector with it.
 *
 * node {
 *   calculator: "OpenVINOConverterCalculator"
 *   input_stream: "IMAGE:image"
 *   output_stream: "TENSORS:image_tensor"
 *   options { [mediapipe.OpenVINOConverterCalculatorOptions.ext] { enable_normalization: true zero_center: true } }
 * }
 */
export const openvinoConverter = defineCalculator({
  name: 'OpenVINOConverterCalculator',
  options,
  inputs: { IMAGE: imagePacket },
  outputs: { TENSORS: optional(tensorsPacket), OVTENSORS: optional(tensorsPacket) },
  timestampOffset: 0,
  inputPolicy: 'FixedSizeInputStreamHandler',
  contract({ outputs, fail }) {
    if (outputs.all.length !== 1) fail(`${outputs.all.length} outputs given, one expected: TENSORS or OVTENSORS`);
  },
  check({ maxNumChannels, outputTensorFloatRange: range, useCustomNormalization, customDiv }) {
    if (maxNumChannels === 2) return 'max_num_channels: 2 given, 1, 3 or 4 expected';
    if (useCustomNormalization && customDiv === 0) return 'custom_div: 0 given, another number expected';
    if (range === undefined || range.min < range.max) return undefined;
    return `output_tensor_float_range: min ${range.min} and max ${range.max} given, min below max expected`;
  },
  open({ options: given }) {
    const range = rangeOf(given);
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        if (image === undefined) return;
        const shown = given.flipVertically ? upsideDown(image) : image;
        const tensor = range === undefined ? asItIs(shown) : normalized(shown, range, given.maxNumChannels);
        (outputs.TENSORS ?? outputs.OVTENSORS)?.send([tensor]);
      },
    };
  },
});

const NAME = 'TENSORS';

function asItIs({ width, height, channels, data }: Image): Tensor {
  const shape = [1, height, width, channels];
  if (data instanceof Uint8Array) return tensorOf(NAME, 'UINT8', shape, data);
  return data instanceof Uint16Array ? tensorOf(NAME, 'UINT16', shape, data) : tensorOf(NAME, 'FP32', shape, data);
}

/** In single precision throughout, as the original. */
function normalized(image: Image, { min, max }: Range, most: number): Tensor {
  const { width, height, channels, data, format } = image;
  if (data instanceof Uint16Array) {
    throw new MillraceError('WRONG_DATATYPE', `IMAGE: ${format} given, one of 8 bits or floats expected to normalize`);
  }
  const kept = Math.min(channels, most);
  const scale = Math.fround(Math.fround(max - min) / 255);
  const values = new Float32Array(width * height * kept);
  for (let from = 0, to = 0; from < data.length; from += channels) {
    for (let channel = 0; channel < kept; channel++) {
      values[to++] = Math.fround(data[from + channel]! * scale) + Math.fround(min);
    }
  }
  return tensorOf(NAME, 'FP32', [1, height, width, kept], values);
}

function upsideDown(image: Image): Image {
  const { width, height, channels, data } = image;
  const [row, turned] = [width * channels, data.slice()];
  for (let y = 0; y < height; y++) turned.set(data.subarray((height - 1 - y) * row, (height - y) * row), y * row);
  return { ...image, data: turned };
}
