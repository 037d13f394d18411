import { z } from 'zod';
import { anyPacket, defineCalculator, repeated } from '../../graph/index.ts';

const constant = z
  .object({
    intValue: z.int(),
    int64Value: z.bigint(),
    uint64Value: z.bigint(),
    floatValue: z.number(),
    doubleValue: z.number(),
    boolValue: z.boolean(),
    stringValue: z.string(),
  })
  .partial();

/**
 * Side packets with the values of its options, one `packet` per PACKET output.
 *
 * node { calculator: "ConstantSidePacketCalculator" output_side_packet: "PACKET:limit"
 *        options { [mediapipe.ConstantSidePacketCalculatorOptions.ext] { packet { int_value: 3 } } } }
 */
export const constantSidePacket = defineCalculator({
  name: 'ConstantSidePacketCalculator',
  options: z.object({
    packet: z.array(constant).default([]).describe('The values, each one field of its type, such as `int_value`.'),
  }),
  outputSidePackets: { PACKET: repeated(anyPacket) },
  check({ packet }) {
    return packet.every((fields) => Object.keys(fields).length === 1)
      ? undefined
      : 'each packet needs exactly one value';
  },
  contract({ options, outputSidePackets, fail }) {
    const count = outputSidePackets.count('PACKET');
    if (options.packet.length !== count) fail(`${options.packet.length} values for ${count} side packets`);
  },
  open({ options, outputSidePackets }) {
    options.packet.forEach((fields, at) => outputSidePackets.PACKET[at]?.set(Object.values(fields)[0]));
  },
});
