import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import type { Image } from '../../media/image.ts';
import { resize } from '../../media/resize.ts';
import { imageSize } from '../message-types.ts';
import { imagePacket, tensorsPacket } from '../packet-types.ts';
import { colour } from './render-options.ts';
import { floatsOf, sigmoid } from './tensor-values.ts';

const maskOptions = z.object({
  activation: enumOption({ NONE: 0, SIGMOID: 1, SOFTMAX: 2 })
    .default('NONE')
    .describe('SIGMOID where the tensor has one logit a pixel, SOFTMAX where it has one for each layer.'),
  outputLayerIndex: z.int().min(0).default(1).describe('The layer that SOFTMAX gives.'),
  gpuOrigin: enumOption({ DEFAULT: 0, CONVENTIONAL: 1, TOP_LEFT: 2 }).optional().describe('Of no effect here.'),
});

/**
 * The first tensor, FP32 [1, height, width, layers], as a mask: an image of floats 0–1, scaled to OUTPUT_SIZE where that is
 * given.
 *
 * node {
 *   calculator: "TensorsToSegmentationCalculator"
 *   input_stream: "TENSORS:tensors"
 *   input_stream: "OUTPUT_SIZE:image_size"
 *   output_stream: "MASK:mask"
 *   options { [mediapipe.TensorsToSegmentationCalculatorOptions.ext] { activation: NONE } }
 * }
 */
export const tensorsToSegmentation = defineCalculator({
  name: 'TensorsToSegmentationCalculator',
  options: maskOptions,
  inputs: { TENSORS: tensorsPacket, OUTPUT_SIZE: optional(imageSize) },
  outputs: { MASK: imagePacket },
  timestampOffset: 0,
  open({ options }) {
    return {
      process({ inputs, outputs }) {
        const tensor = inputs.TENSORS.packet?.value[0];
        const size = inputs.OUTPUT_SIZE?.packet?.value;
        if (tensor === undefined || (inputs.OUTPUT_SIZE !== undefined && size === undefined)) return;
        const [height = 0, width = 0, layers = 0] = tensor.shape.slice(-3);
        const wanted = options.activation === 'SOFTMAX' ? options.outputLayerIndex + 1 : 1;
        if (tensor.shape.length < 3 || layers < wanted || height * width === 0) {
          throw new MillraceError(
            'WRONG_SHAPE',
            `TENSORS[0]: shape [${tensor.shape.join(',')}] given, [1,height,width,layers] expected, at least ${wanted} layers`,
          );
        }
        const raw = floatsOf(tensor, 'TENSORS[0]', height * width * layers);
        const data = maskOf(raw, layers, options);
        const mask: Image = { width, height, channels: 1, format: 'VEC32F1', data };
        outputs.MASK.send(size === undefined ? mask : resize(mask, size[0], size[1], 'linear'));
      },
    };
  },
});

function maskOf(raw: Float32Array, layers: number, options: z.infer<typeof maskOptions>): Float32Array {
  const { activation, outputLayerIndex } = options;
  return Float32Array.from({ length: raw.length / layers }, (_, pixel) => {
    const at = pixel * layers;
    if (activation === 'NONE') return raw[at]!;
    if (activation === 'SIGMOID') return sigmoid(raw[at]!);
    const logits = raw.subarray(at, at + layers);
    const highest = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
    return Math.exp(logits[outputLayerIndex]! - highest) / total;
  });
}

/**
 * Mixes a colour into an image where the mask (floats 0–1, of the size of the image or scaled to it) is high.
 *
 * node {
 *   calculator: "RecolorCalculator"
 *   input_stream: "IMAGE:image"
 *   input_stream: "MASK:mask"
 *   output_stream: "IMAGE:output"
 *   options { [mediapipe.RecolorCalculatorOptions.ext] { color { r: 0 g: 0 b: 255 } invert_mask: true } }
 * }
 */
export const recolor = defineCalculator({
  name: 'RecolorCalculator',
  options: z.object({
    color: colour.default({ r: 0, g: 0, b: 0 }).describe('What is mixed in.'),
    maskChannel: enumOption({ UNKNOWN: 0, RED: 1, ALPHA: 2 }).default('UNKNOWN').describe('Of no effect here.'),
    invertMask: z.boolean().default(false).describe('The colour goes where the mask is low.'),
    adjustWithLuminance: z.boolean().default(true).describe('Bright pixels take more of the colour than dark ones.'),
  }),
  inputs: { IMAGE: imagePacket, MASK: imagePacket },
  outputs: { IMAGE: imagePacket },
  timestampOffset: 0,
  open({ options: { color, invertMask, adjustWithLuminance } }) {
    const { r, g, b } = color;
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        const given = inputs.MASK.packet?.value;
        if (image === undefined) return;
        if (given === undefined) return outputs.IMAGE.send(image);
        const { width, height, channels } = image;
        if (!(image.data instanceof Uint8Array) || channels < 3) {
          throw new MillraceError('WRONG_DATATYPE', `IMAGE: ${image.format} given, SRGB or SRGBA expected`);
        }
        if (!(given.data instanceof Float32Array)) {
          throw new MillraceError('WRONG_DATATYPE', `MASK: ${given.format} given, floats expected`);
        }
        const mask = resize(given, width, height, 'linear');
        const data = image.data.slice();
        for (let pixel = 0, at = 0; at < data.length; pixel++, at += channels) {
          const level = mask.data[pixel * mask.channels]!;
          const shown = invertMask ? 1 - level : level;
          const brightness = adjustWithLuminance
            ? (0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!) / 255
            : 1;
          const mix = Math.min(Math.max(shown * brightness, 0), 1);
          data[at] = Math.round(data[at]! * (1 - mix) + r * mix);
          data[at + 1] = Math.round(data[at + 1]! * (1 - mix) + g * mix);
          data[at + 2] = Math.round(data[at + 2]! * (1 - mix) + b * mix);
        }
        outputs.IMAGE.send({ ...image, data });
      },
    };
  },
});
