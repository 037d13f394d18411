import { anyPacket, defineCalculator } from '../../graph/index.ts';
import { bool } from './packet-types.ts';

/**
 * Says of each settled time whether there was a packet.
 *
 * node { calculator: "PacketPresenceCalculator" input_stream: "PACKET:maybe" output_stream: "PRESENCE:is_there" }
 */
export const packetPresence = defineCalculator({
  name: 'PacketPresenceCalculator',
  inputs: { PACKET: anyPacket },
  outputs: { PRESENCE: bool },
  timestampOffset: 0,
  processTimestampBounds: true,
  open: () => ({
    process({ inputs, outputs }) {
      outputs.PRESENCE.send(inputs.PACKET.packet !== undefined);
    },
  }),
});
