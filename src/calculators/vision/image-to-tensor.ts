import { z } from 'zod';
import { defineCalculator, enumOption, optional } from '../../graph/index.ts';
import { Cropper, fitRegion, type Levels } from '../../media/crop.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { floatVector } from '../core/packet-types.ts';
import { normalizedRect, type ImageSize } from '../message-types.ts';
import { imagePacket, tensorPacket, tensorsPacket } from '../packet-types.ts';
import { projectionMatrix, regionOf, wholeRegion } from './geometry.ts';

const range = z.object({ min: z.number().default(0), max: z.number().default(1) });

const options = z.object({
  outputTensorWidth: z.int().min(1).max(8192).describe('Of the tensor.'),
  outputTensorHeight: z.int().min(1).max(8192).describe('Of the tensor.'),
  keepAspectRatio: z.boolean().default(false).describe('Widens the region to the aspect of the tensor.'),
  outputTensorFloatRange: range.optional().describe('FP32: what black and full brightness become; 0 and 1 by default.'),
  outputTensorIntRange: range.optional().describe('INT8 instead: values of black and full brightness.'),
  outputTensorUintRange: range.optional().describe('UINT8 instead: values of black and full brightness.'),
  gpuOrigin: enumOption({ DEFAULT: 0, CONVENTIONAL: 1, TOP_LEFT: 2 }).optional().describe('Of no effect here.'),
  borderMode: enumOption({ BORDER_UNSPECIFIED: 0, BORDER_ZERO: 1, BORDER_REPLICATE: 2 })
    .default('BORDER_UNSPECIFIED')
    .describe('What is seen outside the image: black, or else its edge.'),
});

type Options = z.infer<typeof options>;

const KINDS = {
  FP32: { make: (length: number) => new Float32Array(length), round: (value: number) => value },
  INT8: { make: (length: number) => new Int8Array(length), round: Math.round },
  UINT8: { make: (length: number) => new Uint8Array(length), round: Math.round },
} as const;

function kindOf({ outputTensorFloatRange, outputTensorIntRange, outputTensorUintRange }: Options) {
  if (outputTensorIntRange !== undefined) return { datatype: 'INT8', range: outputTensorIntRange } as const;
  if (outputTensorUintRange !== undefined) return { datatype: 'UINT8', range: outputTensorUintRange } as const;
  return { datatype: 'FP32', range: outputTensorFloatRange ?? { min: 0, max: 1 } } as const;
}

/**
 * Cuts a region of an image, given by NORM_RECT (the whole image without it), and makes it a tensor [1, height, width, 3],
 * RGB, in a range of numbers. Pixels are MediaPipe's, bit for bit. TENSOR is a single tensor, TENSORS a vector with it. MATRIX
 * (4×4, by rows) takes points of the tensor (0–1) to points of the image; LETTERBOX_PADDING is the share added left, above,
 * right and below. A region of width and height 0 gives nothing. Grey images become three equal channels.
 *
 * node {
 *   calculator: "ImageToTensorCalculator"
 *   input_stream: "IMAGE:image"
 *   input_stream: "NORM_RECT:face_rect"
 *   output_stream: "TENSOR:pixels"
 *   output_stream: "MATRIX:projection"
 *   options { [mediapipe.ImageToTensorCalculatorOptions.ext] {
 *     output_tensor_width: 192 output_tensor_height: 192 output_tensor_float_range { min: 0.0 max: 1.0 }
 *   } }
 * }
 */
export const imageToTensor = defineCalculator({
  name: 'ImageToTensorCalculator',
  options,
  inputs: { IMAGE: imagePacket, NORM_RECT: optional(normalizedRect) },
  outputs: {
    TENSOR: optional(tensorPacket()),
    TENSORS: optional(tensorsPacket),
    MATRIX: optional(floatVector),
    LETTERBOX_PADDING: optional(floatVector),
  },
  timestampOffset: 0,
  check(given) {
    const ranges = [given.outputTensorFloatRange, given.outputTensorIntRange, given.outputTensorUintRange];
    const chosen = ranges.filter((one) => one !== undefined);
    if (chosen.length > 1) return 'one of output_tensor_float_range, _int_range and _uint_range expected, not several';
    const { datatype, range: given01 } = kindOf(given);
    const [low, high] = datatype === 'INT8' ? [-128, 127] : datatype === 'UINT8' ? [0, 255] : [-Infinity, Infinity];
    if (given01.min < given01.max && given01.min >= low && given01.max <= high) return undefined;
    return `range: min ${given01.min} and max ${given01.max} given, min below max within ${low}…${high} expected`;
  },
  contract(node) {
    const { outputTensorWidth: width, outputTensorHeight: height } = node.options;
    const port = node.outputs.get('TENSOR');
    if (port !== undefined) port.type = tensorPacket(kindOf(node.options).datatype, [1, height, width, 3]);
  },
  open({ options: given }) {
    const { outputTensorWidth: width, outputTensorHeight: height, keepAspectRatio } = given;
    const cropper = new Cropper(width, height, given.borderMode === 'BORDER_ZERO' ? 'zero' : 'replicate');
    const { datatype, levels } = levelsOf(given);
    return {
      process({ inputs, outputs }) {
        const image = inputs.IMAGE.packet?.value;
        const rect = inputs.NORM_RECT?.packet?.value;
        if (image === undefined || (inputs.NORM_RECT !== undefined && rect === undefined)) return;
        if (rect?.width === 0 && rect.height === 0) return;
        const size: ImageSize = [image.width, image.height];
        const given = rect === undefined ? wholeRegion(size) : regionOf(rect, size);
        const { region, padX, padY } = keepAspectRatio
          ? fitRegion(given, width, height)
          : { region: given, padX: 0, padY: 0 };
        const pixels = KINDS[datatype].make(width * height * 3);
        cropper.crop(image, region, levels, pixels);
        const tensor = tensorOf('TENSOR', datatype, [1, height, width, 3], pixels);
        outputs.TENSOR?.send(tensor);
        outputs.TENSORS?.send([tensor]);
        outputs.MATRIX?.send(projectionMatrix(region, size));
        outputs.LETTERBOX_PADDING?.send([padX, padY, padX, padY]);
      },
    };
  },
});

/** What each brightness becomes. */
function levelsOf(given: Options): { readonly datatype: keyof typeof KINDS; readonly levels: Levels } {
  const { datatype, range } = kindOf(given);
  const { make, round } = KINDS[datatype];
  const levels = make(256);
  const step = (range.max - range.min) / 255;
  for (let at = 0; at < 256; at++) levels[at] = round(at * step + range.min);
  return { datatype, levels };
}
