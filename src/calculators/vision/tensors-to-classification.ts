import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { defineCalculator, type CalculatorDefinition } from '../../graph/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { classificationList, type Classification } from '../message-types.ts';
import { tensorsPacket } from '../packet-types.ts';
import { labelEntriesOption, labelMapOf, labelMapOptions, type LabelMap, type LabelOptions } from './label-map.ts';
import { floatsOf } from './tensor-values.ts';

const ovmsOptions = z.object({
  minScoreThreshold: z.number().optional().describe('Lowest score of a class that is told; all by default.'),
  topK: z.int().default(0).describe('Only this many, the best first; 0: all, in the order of the classes.'),
  binaryClassification: z
    .boolean()
    .default(false)
    .describe('The tensor has one number, the score of class 0; that of class 1 is what is left to 1.'),
  labelMapPath: labelMapOptions.labelMapPath,
});

const options = ovmsOptions.extend({
  sortByDescendingScore: z.boolean().default(false).describe('The best first, where top_k does not say so.'),
  allowClasses: z.array(z.int()).default([]).describe('The only classes that are told; none given: all.'),
  ignoreClasses: z.array(z.int()).default([]).describe('Classes that are not told.'),
  labelItems: labelMapOptions.labelItems,
  labelMap: labelEntriesOption,
});

/** What all options together say. */
interface Options extends LabelOptions {
  readonly minScoreThreshold?: number | undefined;
  readonly topK: number;
  readonly binaryClassification: boolean;
  readonly sortByDescendingScore: boolean;
  readonly allowClasses: readonly number[];
  readonly ignoreClasses: readonly number[];
}

const NO_OPTIONS = { sortByDescendingScore: false, allowClasses: [], ignoreClasses: [], labelItems: [] } as const;

/** Scores of classes as they come: what they are called, which of them are told and in what order, is up to the options. */
function classesOf(scores: ArrayLike<number>, given: Options, labels: LabelMap | undefined): Classification[] {
  if (given.binaryClassification && scores.length !== 1) {
    throw fault(`${scores.length} numbers given, 1 expected with binary_classification`);
  }
  const all = given.binaryClassification ? [scores[0]!, 1 - scores[0]!] : Array.from(scores);
  if (labels !== undefined && labels.size !== all.length) {
    throw fault(`${all.length} classes given, ${labels.size} expected, as many as have names`);
  }
  const found = all.map((score, index) => ({ index, score, ...nameOf(index, labels) }));
  // Of two classes both are told, with whatever scores.
  const told = given.binaryClassification ? found : found.filter((one) => isTold(one, given));
  if (given.topK <= 0 && !given.sortByDescendingScore) return told;
  const sorted = told.toSorted((a, b) => b.score - a.score);
  return given.topK > 0 ? sorted.slice(0, given.topK) : sorted;
}

function isTold({ index, score }: Classification, given: Options): boolean {
  const { minScoreThreshold: lowest = -Infinity, allowClasses, ignoreClasses } = given;
  if (score < lowest || ignoreClasses.includes(index)) return false;
  return allowClasses.length === 0 || allowClasses.includes(index);
}

function nameOf(index: number, labels: LabelMap | undefined): Pick<Classification, 'label' | 'displayName'> {
  if (labels === undefined) return {};
  const name = labels.get(index);
  if (name === undefined) throw fault(`class ${index} has no name among those of the options`);
  return name;
}

const fault = (problem: string): MillraceError => new MillraceError('WRONG_SHAPE', `TENSORS[0]: ${problem}`);

function onlyTensor(tensors: readonly Tensor[]): Tensor | undefined {
  if (tensors.length > 1) {
    throw new MillraceError('WRONG_SHAPE', `TENSORS: ${tensors.length} tensors given, one expected`);
  }
  return tensors[0];
}

function define<Given extends z.infer<typeof ovmsOptions>>(
  name: string,
  schema: z.ZodType<Given>,
  scoresOf: (tensors: readonly Tensor[]) => Float32Array,
): CalculatorDefinition {
  const withAll = (given: Given): Options => ({ ...NO_OPTIONS, ...given });
  return defineCalculator({
    name,
    options: schema,
    inputs: { TENSORS: tensorsPacket },
    outputs: { CLASSIFICATIONS: classificationList },
    timestampOffset: 0,
    check(given) {
      const { allowClasses, ignoreClasses, binaryClassification, ...labels } = withAll(given);
      labelMapOf(labels);
      if (allowClasses.length > 0 && ignoreClasses.length > 0)
        return 'allow_classes and ignore_classes exclude each other';
      return binaryClassification && allowClasses.length + ignoreClasses.length > 0
        ? 'binary_classification goes with neither allow_classes nor ignore_classes'
        : undefined;
    },
    open({ options: given }) {
      const all = withAll(given);
      const labels = labelMapOf(all);
      return {
        process({ inputs, outputs }) {
          const tensors = inputs.TENSORS.packet?.value;
          if (tensors !== undefined) outputs.CLASSIFICATIONS.send(classesOf(scoresOf(tensors), all, labels));
        },
      };
    },
  });
}

/**
 * Reads the output of a classifier: TENSORS is one tensor FP32 with a number for each class, whatever its shape.
 * CLASSIFICATIONS are the classes with their scores, and with names where the options give some.
 *
 * node {
 *   calculator: "TensorsToClassificationCalculator"
 *   input_stream: "TENSORS:scores"
 *   output_stream: "CLASSIFICATIONS:classes"
 *   options { [mediapipe.TensorsToClassificationCalculatorOptions.ext] {
 *     top_k: 1 binary_classification: true
 *     label_items { key: 0 value { name: "Left" } } label_items { key: 1 value { name: "Right" } }
 *   } }
 * }
 */
export const tensorsToClassification = define('TensorsToClassificationCalculator', options, (tensors) =>
  floatsOf(onlyTensor(tensors), 'TENSORS[0]', 1),
);

/**
 * OVMS's reader of classifiers: TENSORS is one tensor FP32 [1, classes].
 *
 * node {
 *   calculator: "OpenVINOTensorsToClassificationCalculator"
 *   input_stream: "TENSORS:scores"
 *   output_stream: "CLASSIFICATIONS:classes"
 *   options { [mediapipe.OpenVINOTensorsToClassificationCalculatorOptions.ext] { min_score_threshold: 0.1 top_k: 3 } }
 * }
 */
export const openvinoTensorsToClassification = define(
  'OpenVINOTensorsToClassificationCalculator',
  ovmsOptions,
  (tensors) => {
    const tensor = onlyTensor(tensors);
    const scores = floatsOf(tensor, 'TENSORS[0]', 1);
    if (tensor?.shape.length === 2) return scores;
    throw fault(`shape [${tensor?.shape.join(',')}] given, [1,classes] expected`);
  },
);
