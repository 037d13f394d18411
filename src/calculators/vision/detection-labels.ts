import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import { vectorOf } from '../core/packet-types.ts';
import { detection, type Classification } from '../message-types.ts';

const options = z.object({
  label: z.array(z.string()).default([]).describe('Names by the number of the class, from 0.'),
  labelItems: z
    .array(
      z.object({
        key: z.bigint().describe('The number of the class.'),
        value: z.object({ name: z.string().optional(), displayName: z.string().optional() }),
      }),
    )
    .default([])
    .describe('Names by class, each `{ key: 7 value { name: "dog" } }`, in place of label.'),
  keepLabelId: z.boolean().default(false).describe('Of no effect here: detections keep the number of their class.'),
});

type Names = ReadonlyMap<number, Pick<Classification, 'label' | 'displayName'>>;

function namesOf({ label, labelItems }: z.infer<typeof options>): Names {
  if (labelItems.length === 0) return new Map(label.map((name, at) => [at, { label: name }]));
  return new Map(
    labelItems.map(({ key, value: { name, displayName } }) => [
      Number(key),
      { ...(name === undefined ? {} : { label: name }), ...(displayName === undefined ? {} : { displayName }) },
    ]),
  );
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
  check({ label, labelItems }) {
    return label.length > 0 && labelItems.length > 0 ? 'label and label_items exclude each other' : undefined;
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
