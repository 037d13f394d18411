import { defineCalculator } from '../../graph/index.ts';
import { float } from '../core/packet-types.ts';
import { normalizedLandmarkList } from '../message-types.ts';

/**
 * The visibility of a single point; 0 where it has none.
 *
 * node {
 *   calculator: "LandmarkVisibilityCalculator"
 *   input_stream: "NORM_LANDMARKS:wrist"
 *   output_stream: "VISIBILITY:wrist_visibility"
 * }
 */
export const landmarkVisibility = defineCalculator({
  name: 'LandmarkVisibilityCalculator',
  inputs: { NORM_LANDMARKS: normalizedLandmarkList },
  outputs: { VISIBILITY: float },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const points = inputs.NORM_LANDMARKS.packet?.value;
      if (points === undefined) return;
      const [point] = points;
      if (point === undefined || points.length > 1) {
        throw new Error(`NORM_LANDMARKS: ${points.length} points given, a single one expected`);
      }
      outputs.VISIBILITY.send(point.visibility ?? 0);
    },
  }),
});
