import { z } from 'zod';
import { defineCalculator, repeated, type CalculatorDefinition, type PacketType } from '../../graph/index.ts';

interface Range {
  readonly begin: number;
  readonly end: number;
}

const splitVectorOptions = z.object({
  ranges: z
    .array(z.object({ begin: z.int().min(0).default(0), end: z.int().min(0).default(0) }))
    .default([])
    .describe('Elements from `begin` up to and without `end`; one range per output.'),
  elementOnly: z.boolean().default(false).describe('Ranges have size 1 and outputs are the elements themselves.'),
  combineOutputs: z.boolean().default(false).describe('One output with all ranges, in the order given.'),
});

/**
 * Makes a calculator that cuts ranges out of a vector.
 *
 * node { calculator: "SplitFloatVectorCalculator" input_stream: "v" output_stream: "x" output_stream: "y"
 *        options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges { begin: 0 end: 1 } ranges { begin: 1 end: 4 } } } }
 */
export function defineSplitVector<T>(
  name: string,
  element: PacketType<T>,
  vector: PacketType<ArrayLike<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    options: splitVectorOptions,
    inputs: { '': vector },
    outputs: { '': repeated<T | ArrayLike<T>>(vector) },
    timestampOffset: 0,
    check: ({ ranges, elementOnly, combineOutputs }) => rangesFault(ranges, elementOnly, combineOutputs),
    contract({ options: { ranges, elementOnly, combineOutputs }, outputs, fail }) {
      const wanted = combineOutputs ? 1 : ranges.length;
      if (outputs.count('') !== wanted) fail(`${wanted} outputs expected for these ranges, ${outputs.count('')} given`);
      if (elementOnly) for (const output of outputs) output.type = element;
    },
    open({ options: { ranges, elementOnly, combineOutputs } }) {
      const least = Math.max(...ranges.map(({ end }) => end));
      return {
        process({ inputs, outputs }) {
          const values = inputs[''].packet?.value;
          if (values === undefined) return;
          if (values.length < least)
            throw new Error(`a vector of at least ${least} elements expected, ${values.length} given`);
          const parts = ranges.map(({ begin, end }) => Array.from(values).slice(begin, end));
          if (combineOutputs) outputs[''][0]?.send(parts.flat() as T[]);
          else parts.forEach((part, at) => outputs[''][at]?.send(elementOnly ? (part[0] as T) : part));
        },
      };
    },
  });
}

function rangesFault(ranges: readonly Range[], elementOnly: boolean, combineOutputs: boolean): string | undefined {
  if (ranges.length === 0) return 'at least one range is required';
  if (ranges.some(({ begin, end }) => begin >= end)) return 'a range must have begin < end';
  if (elementOnly && combineOutputs) return 'element_only and combine_outputs exclude each other';
  if (elementOnly && ranges.some(({ begin, end }) => end - begin !== 1)) return 'element_only needs ranges of size 1';
  const sorted = ranges.toSorted((a, b) => a.begin - b.begin);
  const overlap = sorted.some(({ begin }, at) => begin < (sorted[at - 1]?.end ?? 0));
  return combineOutputs && overlap ? 'ranges must not overlap when outputs are combined' : undefined;
}
