import { z } from 'zod';
import { defineCalculator, oneOf, repeated, type CalculatorDefinition, type PacketType } from '../../graph/index.ts';

/**
 * Makes a calculator that joins values and vectors of all inputs, in the order of the inputs, skipping those without a
 * packet. `vector` packets are arrays (or typed arrays) of values of type `element`.
 *
 * node { calculator: "ConcatenateFloatVectorCalculator" input_stream: "a" input_stream: "b" output_stream: "ab" }
 */
export function defineConcatenateVector<T>(
  name: string,
  element: PacketType<T>,
  vector: PacketType<Iterable<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    options: z.object({
      onlyEmitIfAllPresent: z.boolean().default(false).describe('Nothing unless every input has a packet.'),
    }),
    inputs: { '': repeated<T | Iterable<T>>(oneOf(vector, element)) },
    outputs: { '': vector },
    timestampOffset: 0,
    open({ options }) {
      return {
        process({ inputs, outputs }) {
          const packets = inputs[''].map(({ packet }) => packet).filter((packet) => packet !== undefined);
          if (packets.length === 0 || (options.onlyEmitIfAllPresent && packets.length < inputs[''].length)) return;
          const joined: T[] = [];
          for (const { value } of packets) {
            if (vector.accepts(value)) for (const item of value as Iterable<T>) joined.push(item);
            else joined.push(value as T);
          }
          outputs[''].send(joined);
        },
      };
    },
  });
}
