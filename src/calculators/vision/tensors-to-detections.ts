import { z } from 'zod';
import { defineCalculator, optional, type CalculatorDefinition } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection } from '../message-types.ts';
import { tensorsPacket } from '../packet-types.ts';
import { boxOptions, detectionsOf, scaleFault, type BoxOptions } from './box-decoding.ts';
import { anchors } from './ssd-anchors.ts';

const options = boxOptions.extend({
  allowClasses: z.array(z.int()).default([]).describe('The only classes that count; none given: all.'),
  maxResults: z.int().default(-1).describe('The first this many detections; all by default.'),
});

function define<Given extends z.infer<typeof boxOptions>>(
  name: string,
  schema: z.ZodType<Given>,
): CalculatorDefinition {
  const withAll = (given: Given): BoxOptions => ({ allowClasses: [], maxResults: -1, ...given });
  return defineCalculator({
    name,
    options: schema,
    inputs: { TENSORS: tensorsPacket, ANCHORS: optional(anchors) },
    outputs: { DETECTIONS: vectorOf(detection) },
    inputSidePackets: { ANCHORS: optional(anchors) },
    timestampOffset: 0,
    check({ keypointCoordOffset, numKeypoints, numValuesPerKeypoint, numCoords, boxCoordOffset }) {
      const needed = Math.max(boxCoordOffset + 4, keypointCoordOffset + numKeypoints * numValuesPerKeypoint);
      if (numKeypoints === 0 || needed <= numCoords) return undefined;
      return `num_coords: ${numCoords} given, at least ${needed} expected`;
    },
    contract({ inputs, inputSidePackets, options: given, fail }) {
      const fault = scaleFault(withAll(given));
      if (fault !== undefined && (inputs.has('ANCHORS') || inputSidePackets.has('ANCHORS'))) fail(fault);
    },
    open({ options: given, sidePackets }) {
      const all = withAll(given);
      return {
        process({ inputs, outputs }) {
          const tensors = inputs.TENSORS.packet?.value;
          if (tensors === undefined) return;
          const places = inputs.ANCHORS?.packet?.value ?? sidePackets.ANCHORS;
          if (inputs.ANCHORS !== undefined && places === undefined) return;
          outputs.DETECTIONS.send(detectionsOf(tensors, places, all));
        },
      };
    },
  });
}

/**
 * Reads a detector's output: TENSORS are the boxes, FP32 [1, num_boxes, num_coords], and the scores [1, num_boxes,
 * num_classes]; each box counts from its anchor: of ANCHORS, or of a third tensor [num_boxes, 4]. Of a model that has chosen
 * already they are four: boxes [1, n, num_coords], classes [1, n], scores [1, n] and how many of them count. DETECTIONS are
 * those whose best class reaches the lowest score, in the order of the boxes, in widths and heights of the model's input; the
 * vector may be empty.
 *
 * node {
 *   calculator: "TensorsToDetectionsCalculator"
 *   input_stream: "TENSORS:tensors"
 *   input_side_packet: "ANCHORS:anchors"
 *   output_stream: "DETECTIONS:detections"
 *   options { [mediapipe.TensorsToDetectionsCalculatorOptions.ext] {
 *     num_classes: 1 num_boxes: 896 num_coords: 16 keypoint_coord_offset: 4 num_keypoints: 6
 *     x_scale: 128.0 y_scale: 128.0 w_scale: 128.0 h_scale: 128.0
 *     reverse_output_order: true sigmoid_score: true score_clipping_thresh: 100.0 min_score_thresh: 0.5
 *   } }
 * }
 */
export const tensorsToDetections = define('TensorsToDetectionsCalculator', options);

/**
 * TensorsToDetectionsCalculator as OVMS has it, for the tensors of an OpenVINOInferenceCalculator.
 *
 * node {
 *   calculator: "OpenVINOTensorsToDetectionsCalculator"
 *   input_stream: "TENSORS:detection_tensors"
 *   input_side_packet: "ANCHORS:anchors"
 *   output_stream: "DETECTIONS:detections"
 *   options { [mediapipe.OpenVINOTensorsToDetectionsCalculatorOptions.ext] {
 *     num_classes: 91 num_boxes: 2034 num_coords: 4 ignore_classes: 0 apply_exponential_on_box_size: true
 *     x_scale: 10.0 y_scale: 10.0 h_scale: 5.0 w_scale: 5.0
 *   } }
 * }
 */
export const openvinoTensorsToDetections = define('OpenVINOTensorsToDetectionsCalculator', boxOptions);
