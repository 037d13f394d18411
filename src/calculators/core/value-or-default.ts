import { anyPacket, defineCalculator, optional, sameAs } from '../../graph/index.ts';
import { bool } from './packet-types.ts';

/**
 * At each TICK the packet of IN, or the side packet DEFAULT where there is none; FLAG (true) tells of defaults.
 *
 * node { calculator: "ValueOrDefaultCalculator" input_stream: "IN:maybe" input_stream: "TICK:frames"
 *        input_side_packet: "DEFAULT:fallback" output_stream: "OUT:surely" }
 */
export const valueOrDefault = defineCalculator({
  name: 'ValueOrDefaultCalculator',
  inputs: { IN: anyPacket, TICK: anyPacket },
  outputs: { OUT: sameAs('IN'), FLAG: optional(bool) },
  inputSidePackets: { DEFAULT: anyPacket },
  timestampOffset: 0,
  open: ({ sidePackets }) => ({
    process({ inputs, outputs, timestamp }) {
      if (inputs.IN.packet !== undefined) outputs.OUT.send(inputs.IN.packet);
      else if (inputs.TICK.packet !== undefined) {
        outputs.OUT.send({ value: sidePackets.DEFAULT, timestamp });
        outputs.FLAG?.send(true);
      }
    },
  }),
});
