import { defineCalculator, optional } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, detectionList, type Detection } from '../message-types.ts';

/**
 * Gives detections that have no id one that no other has, from 1: what AssociationDetectionCalculator then keeps from image to
 * image.
 *
 * node {
 *   calculator: "DetectionUniqueIdCalculator"
 *   input_stream: "DETECTIONS:detections"
 *   output_stream: "DETECTIONS:numbered_detections"
 * }
 */
export const detectionUniqueId = defineCalculator({
  name: 'DetectionUniqueIdCalculator',
  inputs: { DETECTIONS: optional(vectorOf(detection)), DETECTION_LIST: optional(detectionList) },
  outputs: { DETECTIONS: optional(vectorOf(detection)), DETECTION_LIST: optional(detectionList) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.all.length === 0) fail('DETECTIONS or DETECTION_LIST expected');
    for (const tag of ['DETECTIONS', 'DETECTION_LIST']) {
      if (inputs.has(tag) !== outputs.has(tag)) fail(`${tag} is on one side only, on both or none expected`);
    }
  },
  open() {
    let last = 0;
    const numbered = (all: readonly Detection[]) =>
      all.map((one) => (one.id === undefined ? { ...one, id: ++last } : one));
    return {
      process({ inputs, outputs }) {
        const [list, vector] = [inputs.DETECTION_LIST?.packet?.value, inputs.DETECTIONS?.packet?.value];
        if (list !== undefined) outputs.DETECTION_LIST?.send(numbered(list));
        if (vector !== undefined) outputs.DETECTIONS?.send(numbered(vector));
      },
    };
  },
});
