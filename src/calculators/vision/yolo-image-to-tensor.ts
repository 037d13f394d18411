import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { imagePacket, letterboxPacket, tensorPacket } from '../packet-types.ts';
import { Letterboxer } from './letterbox.ts';

const options = z.object({
  width: z.int().min(1).default(640).describe("Of the model's input, in pixels."),
  height: z.int().min(1).default(640).describe("Of the model's input, in pixels."),
});

/**
 * Makes an image a YOLO model's input: FP32 [1, 3, height, width], RGB 0–1, scaled to fit, centred on grey. LETTERBOX says
 * how, for `YoloTensorToDetectionsCalculator`.
 *
 * node {
 *   calculator: "YoloImageToTensorCalculator"
 *   input_stream: "IMAGE:image"
 *   output_stream: "TENSOR:input"
 *   output_stream: "LETTERBOX:letterbox"
 *   node_options { [type.googleapis.com/millrace.YoloImageToTensorCalculatorOptions] { width: 160 height: 160 } }
 * }
 */
export const yoloImageToTensor = defineCalculator({
  name: 'YoloImageToTensorCalculator',
  options,
  inputs: { IMAGE: imagePacket },
  outputs: { TENSOR: tensorPacket('FP32'), LETTERBOX: letterboxPacket },
  timestampOffset: 0,
  contract(node) {
    const port = node.outputs.get('TENSOR');
    if (port !== undefined) port.type = tensorPacket('FP32', [1, 3, node.options.height, node.options.width]);
  },
  open({ options: { width, height } }) {
    const letterboxer = new Letterboxer(width, height);
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs.IMAGE;
        if (packet === undefined) return;
        const { values, letterbox } = letterboxer.apply(packet.value);
        outputs.TENSOR.send(tensorOf('TENSOR', 'FP32', [1, 3, height, width], values));
        outputs.LETTERBOX.send(letterbox);
      },
    };
  },
});
