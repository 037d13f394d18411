import { z } from 'zod';
import {
  defineCalculator,
  oneOf,
  optional,
  repeated,
  type CalculatorDefinition,
  type PacketType,
} from '../../graph/index.ts';
import { int, uint64, vectorOf } from './packet-types.ts';

/**
 * Makes a calculator that sends the item of a vector at the place that INDEX tells, else the option `item_index`.
 *
 * node { calculator: "GetFloatVectorItemCalculator" input_stream: "VECTOR:scores" output_stream: "ITEM:first"
 *        options { [mediapipe.GetVectorItemCalculatorOptions.ext] { item_index: 0 } } }
 */
export function defineGetVectorItem<T>(
  name: string,
  element: PacketType<T>,
  vector: PacketType<ArrayLike<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    options: z.object({
      itemIndex: z.int().min(0).optional().describe('The place of the item, from 0; INDEX beats it.'),
      outputEmptyOnOob: z
        .boolean()
        .default(false)
        .describe('A place beyond the end sends nothing, instead of failing.'),
    }),
    inputs: { VECTOR: vector, INDEX: optional(oneOf(int, uint64)) },
    outputs: { ITEM: element },
    timestampOffset: 0,
    contract({ inputs, options, fail }) {
      if (!inputs.has('INDEX') && options.itemIndex === undefined) fail('an input INDEX or item_index is required');
    },
    open: ({ options }) => ({
      process({ inputs, outputs }) {
        const items = inputs.VECTOR.packet?.value;
        const given = inputs.INDEX?.packet?.value ?? options.itemIndex;
        if (items === undefined || given === undefined) return;
        const place = Number(given);
        if (place >= 0 && place < items.length) outputs.ITEM.send(items[place] as T);
        else if (place < 0 || !options.outputEmptyOnOob) {
          throw new RangeError(`item ${place} wanted of a vector of ${items.length} elements`);
        }
      },
    }),
  });
}

/**
 * Makes a calculator that cuts vectors to their first `max_vec_size` elements.
 *
 * node { calculator: "ClipFloatVectorSizeCalculator" input_stream: "all" output_stream: "five"
 *        options { [mediapipe.ClipVectorSizeCalculatorOptions.ext] { max_vec_size: 5 } } }
 */
export function defineClipVectorSize<T>(name: string, vector: PacketType<ArrayLike<T>>): CalculatorDefinition {
  return defineCalculator({
    name,
    options: z.object({
      maxVecSize: z.int().min(1).default(1).describe('Elements kept at most; the side packet beats it.'),
    }),
    inputs: { '': vector },
    outputs: { '': vector },
    inputSidePackets: { '': optional(int) },
    timestampOffset: 0,
    open({ options, sidePackets }) {
      const most = Number(sidePackets[''] ?? options.maxVecSize);
      if (most < 1) throw new RangeError(`max_vec_size is ${most}, at least 1 expected`);
      return {
        process({ inputs, outputs }) {
          const { packet } = inputs[''];
          if (packet === undefined) return;
          if (packet.value.length <= most) outputs[''].send(packet);
          else outputs[''].send(Array.from(packet.value).slice(0, most));
        },
      };
    },
  });
}

/**
 * Makes a calculator that tells how many elements a vector has.
 *
 * node { calculator: "FloatVectorSizeCalculator" input_stream: "VECTOR:scores" output_stream: "SIZE:count" }
 */
export function defineVectorSize<T>(name: string, vector: PacketType<ArrayLike<T>>): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { VECTOR: vector },
    outputs: { SIZE: int },
    timestampOffset: 0,
    open: () => ({
      process({ inputs, outputs }) {
        const { packet } = inputs.VECTOR;
        if (packet !== undefined) outputs.SIZE.send(packet.value.length);
      },
    }),
  });
}

/**
 * Makes a calculator that sends the places of a vector's elements: 0, 1, 2 …
 *
 * node { calculator: "FloatVectorIndicesCalculator" input_stream: "VECTOR:scores" output_stream: "INDICES:places" }
 */
export function defineVectorIndices<T>(name: string, vector: PacketType<ArrayLike<T>>): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { VECTOR: vector },
    outputs: { INDICES: vectorOf(int) },
    timestampOffset: 0,
    open: () => ({
      process({ inputs, outputs }) {
        const { packet } = inputs.VECTOR;
        if (packet !== undefined) outputs.INDICES.send(Array.from({ length: packet.value.length }, (_, at) => at));
      },
    }),
  });
}

/**
 * Makes a calculator that joins the packets of all inputs at one time to a vector, in the order of the inputs.
 *
 * node { calculator: "MergeFloatsToVectorCalculator" input_stream: "a" input_stream: "b" output_stream: "both" }
 */
export function defineMergeToVector<T>(
  name: string,
  element: PacketType<T>,
  vector: PacketType<ArrayLike<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { '': repeated(element) },
    outputs: { '': vector },
    timestampOffset: 0,
    open: () => ({
      process({ inputs, outputs }) {
        outputs[''].send(inputs[''].flatMap(({ packet }) => (packet === undefined ? [] : [packet.value])));
      },
    }),
  });
}
