import { anyPacket, defineCalculator, nextTimestamp, repeated, sameAs, Timestamp } from '../../graph/index.ts';

/**
 * Gives INPUT packets, in the order of their arrival, the next timestamps after the latest TICK; a TICK settles the outputs
 * up to its time.
 *
 * node { calculator: "PacketSequencerCalculator" input_stream: "INPUT:switch" input_stream: "TICK:frames"
 *        output_stream: "OUTPUT:switch_by_frame" }
 */
export const packetSequencer = defineCalculator({
  name: 'PacketSequencerCalculator',
  inputs: { INPUT: repeated(anyPacket), TICK: repeated(anyPacket) },
  outputs: { OUTPUT: repeated(anyPacket) },
  inputPolicy: 'ImmediateInputStreamHandler',
  contract({ inputs, outputs, fail }) {
    if (inputs.count('INPUT') !== outputs.count('OUTPUT')) fail('as many OUTPUT streams as INPUT streams are required');
    for (const output of outputs) output.type = sameAs('INPUT', output.index);
  },
  open: () => ({
    process({ inputs: { INPUT, TICK }, outputs: { OUTPUT } }) {
      INPUT.forEach(({ packet }, at) => {
        const output = OUTPUT[at];
        if (packet === undefined || output === undefined) return;
        output.send(packet, output.bound < Timestamp.Min ? Timestamp.Min : output.bound);
      });
      for (const { packet } of TICK) {
        if (packet === undefined) continue;
        const bound = nextTimestamp(packet.timestamp);
        for (const output of OUTPUT) if (bound > output.bound) output.setBound(bound);
      }
    },
  }),
});
