import { anyPacket, defineCalculator, PacketType, repeated, type Packet } from '../../graph/index.ts';

/** Packets of two streams at one time; one of them may be missing. */
export const packetPair = new PacketType<readonly [Packet | undefined, Packet | undefined]>(
  'std::pair<Packet, Packet>',
  (value) => Array.isArray(value) && value.length === 2,
);

/**
 * Joins the packets of two inputs at one time to a pair.
 *
 * node { calculator: "MakePairCalculator" input_stream: "a" input_stream: "b" output_stream: "a_and_b" }
 */
export const makePair = defineCalculator({
  name: 'MakePairCalculator',
  inputs: { '': repeated(anyPacket, { min: 2, max: 2 }) },
  outputs: { '': packetPair },
  timestampOffset: 0,
  open: () => ({
    process({
      inputs: {
        '': [first, second],
      },
      outputs,
    }) {
      outputs[''].send([first?.packet, second?.packet]);
    },
  }),
});
