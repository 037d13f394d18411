import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, type Classification } from '../message-types.ts';
import { labelMapOf, labelMapOptions, type LabelMap } from './label-map.ts';

const options = z.object({
  ...labelMapOptions,
  label: z.array(z.string()).default([]).describe('Names by the number of the class, from 0.'),
  keepLabelId: z.boolean().default(false).describe('Of no effect here: detections keep the number of their class.'),
});

type Options = z.infer<typeof options>;

function namesOf({ label, ...given }: Options): LabelMap {
  return labelMapOf(given) ?? new Map(label.map((name, at) => [at, { label: name }]));
}

/**
 * Gives the classes of detections their names; a class without one stays a number.
 *
 * node {
 *   calculator: "DetectionLabelIdToTextCalculator"
 *   input_stream: "detections"
 *   output_stream: "named_detections"
 *   options { [mediapipe.DetectionLabelIdToTextCalculatorOptions.ext] { label: ["circle", "square", "triangle"] } }
 * }
 */
export const detectionLabelIdToText = defineCalculator({
  name: 'DetectionLabelIdToTextCalculator',
  options,
  inputs: { '': vectorOf(detection) },
  outputs: { '': vectorOf(detection) },
  timestampOffset: 0,
  check(given) {
    const ways = [given.labelMapPath !== undefined, given.labelItems.length > 0, given.label.length > 0];
    if (ways.filter(Boolean).length > 1) return 'label_map_path, label and label_items exclude each other';
    namesOf(given);
    return undefined;
  },
  open({ options: given }) {
    const names = namesOf(given);
    return {
      process({ inputs, outputs }) {
        const found = inputs[''].packet?.value;
        if (found === undefined) return;
        const named = (one: Classification) => ({ ...one, ...names.get(one.index) });
        outputs[''].send(found.map((each) => ({ ...each, classes: each.classes.map(named) })));
      },
    };
  },
});
