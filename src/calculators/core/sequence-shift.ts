import { z } from 'zod';
import { anyPacket, defineCalculator, optional, sameAs, type Packet } from '../../graph/index.ts';
import { copyHeaders } from './headers.ts';
import { int } from './packet-types.ts';

/**
 * Gives each packet the timestamp of the packet `packet_offset` places later (earlier when negative). That many are lost.
 *
 * node { calculator: "SequenceShiftCalculator" input_stream: "in" output_stream: "previous_time"
 *        options { [mediapipe.SequenceShiftCalculatorOptions.ext] { packet_offset: 1 } } }
 */
export const sequenceShift = defineCalculator({
  name: 'SequenceShiftCalculator',
  options: z.object({
    packetOffset: z.int().default(-1).describe('Places in the sequence; the side packet PACKET_OFFSET beats it.'),
  }),
  inputs: { '': anyPacket },
  outputs: { '': sameAs('') },
  inputSidePackets: { PACKET_OFFSET: optional(int) },
  open({ options, sidePackets, setTimestampOffset, inputPorts, outputPorts }) {
    copyHeaders(inputPorts, outputPorts);
    const offset = Number(sidePackets.PACKET_OFFSET ?? options.packetOffset);
    if (offset === 0) setTimestampOffset(0n);
    const packets: Packet[] = [];
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs[''];
        if (packet === undefined) return;
        packets.push(packet);
        if (packets.length <= Math.abs(offset)) return;
        const oldest = packets.shift() ?? packet;
        const [value, time] = offset > 0 ? [oldest, packet] : [packet, oldest];
        outputs[''].send(value, time.timestamp);
      },
    };
  },
});
