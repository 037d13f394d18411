import { anyPacket, defineCalculator, GraphError, optional, type CalculatorDefinition } from '../../graph/index.ts';
import { int, string, uint64 } from './packet-types.ts';

/**
 * The side packet OPTIONAL_VALUE where it is given, else DEFAULT_VALUE.
 *
 * node { calculator: "DefaultSidePacketCalculator" input_side_packet: "OPTIONAL_VALUE:limit"
 *        input_side_packet: "DEFAULT_VALUE:usual_limit" output_side_packet: "VALUE:the_limit" }
 */
export const defaultSidePacket = defineCalculator({
  name: 'DefaultSidePacketCalculator',
  inputSidePackets: { OPTIONAL_VALUE: optional(anyPacket), DEFAULT_VALUE: anyPacket },
  outputSidePackets: { VALUE: anyPacket },
  open({ sidePackets, outputSidePackets }) {
    outputSidePackets.VALUE.set(sidePackets.OPTIONAL_VALUE ?? sidePackets.DEFAULT_VALUE);
  },
});

/**
 * Makes a calculator that reads a whole number out of a side packet with text.
 *
 * node { calculator: "StringToIntCalculator" input_side_packet: "text" output_side_packet: "number" }
 */
function defineStringToInt(name: string, bits: 32 | 64, isSigned: boolean): CalculatorDefinition {
  const least = isSigned ? -(2n ** BigInt(bits - 1)) : 0n;
  const most = 2n ** BigInt(isSigned ? bits - 1 : bits) - 1n;
  return defineCalculator({
    name,
    inputSidePackets: { '': string },
    outputSidePackets: { '': bits === 64 && !isSigned ? uint64 : int },
    open({ sidePackets, outputSidePackets }) {
      const text = sidePackets[''].trim();
      const value = /^[+-]?\d+$/.test(text) ? BigInt(text.replace('+', '')) : undefined;
      if (value === undefined || value < least || value > most) {
        const problem = `a whole number from ${least} to ${most} expected, "${text}" given`;
        throw new GraphError('INVALID_ARGUMENT', problem);
      }
      const asNumber = Number(value);
      outputSidePackets[''].set(Number.isSafeInteger(asNumber) ? asNumber : value);
    },
  });
}

export const stringToIntCalculators: readonly CalculatorDefinition[] = [
  defineStringToInt('StringToIntCalculator', 32, true),
  defineStringToInt('StringToUintCalculator', 32, false),
  defineStringToInt('StringToInt32Calculator', 32, true),
  defineStringToInt('StringToUint32Calculator', 32, false),
  defineStringToInt('StringToInt64Calculator', 64, true),
  defineStringToInt('StringToUint64Calculator', 64, false),
];
