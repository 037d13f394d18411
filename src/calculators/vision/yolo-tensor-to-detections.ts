import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, optional } from '../../graph/index.ts';
import { tensorOf, typedData } from '../../tensor/tensor.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, type Detection } from '../message-types.ts';
import { letterboxPacket, tensorPacket, type Letterbox } from '../packet-types.ts';
import { DETECTION_SIZE, DetectionDecoder } from './detections.ts';

const options = z.object({
  scoreThreshold: z.number().min(0).max(1).default(0.4).describe('Lowest score of a detection.'),
  iouThreshold: z.number().min(0).max(1).default(0.5).describe('Overlap from which the worse of two boxes is dropped.'),
  maxDetections: z.int().min(1).default(300).describe('The best ones kept per image.'),
});

/**
 * Reads a YOLOv8 output, FP32 [1, 4 + classes, anchors]: DETECTIONS is FP32 [detections, 6], each x1, y1, x2, y2 in pixels
 * of the source image, score, class index; the best first; [0, 6] when there are none. Overlapping boxes of a class are
 * thinned out. DETECTION_VECTOR are the same as `Detection` messages, boxes in shares of the source image, for
 * DetectionLabelIdToText and DetectionsToRenderData.
 *
 * node {
 *   calculator: "YoloTensorToDetectionsCalculator"
 *   input_stream: "TENSOR:output"
 *   input_stream: "LETTERBOX:letterbox"
 *   output_stream: "DETECTIONS:detections"
 * }
 */
export const yoloTensorToDetections = defineCalculator({
  name: 'YoloTensorToDetectionsCalculator',
  options,
  inputs: { TENSOR: tensorPacket('FP32', [1, -1, -1]), LETTERBOX: letterboxPacket },
  outputs: {
    DETECTIONS: tensorPacket('FP32', [-1, DETECTION_SIZE]),
    DETECTION_VECTOR: optional(vectorOf(detection)),
  },
  timestampOffset: 0,
  open({ options: limits }) {
    const decoder = new DetectionDecoder(limits);
    return {
      process({ inputs, outputs }) {
        const [tensor, letterbox] = [inputs.TENSOR.packet?.value, inputs.LETTERBOX.packet?.value];
        if (tensor === undefined || letterbox === undefined) return;
        const [, rows = 0, anchors = 0] = tensor.shape;
        if (rows < 5) {
          throw new MillraceError(
            'WRONG_SHAPE',
            `TENSOR: shape [${tensor.shape.join(',')}] given, [1,4 + classes,anchors] expected`,
          );
        }
        const detections = decoder.decode(typedData(tensor) as Float32Array, rows, anchors, letterbox);
        const shape = [detections.length / DETECTION_SIZE, DETECTION_SIZE];
        outputs.DETECTIONS.send(tensorOf(outputs.DETECTIONS.name, 'FP32', shape, detections));
        outputs.DETECTION_VECTOR?.send(messagesOf(detections, letterbox));
      },
    };
  },
});

function messagesOf(detections: Float32Array, { width, height }: Letterbox): Detection[] {
  return Array.from({ length: detections.length / DETECTION_SIZE }, (_, at) => {
    const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0, index = 0] = detections.subarray(at * DETECTION_SIZE);
    const box = { xMin: x1 / width, yMin: y1 / height, width: (x2 - x1) / width, height: (y2 - y1) / height };
    return { classes: [{ index, score }], ...box };
  });
}
