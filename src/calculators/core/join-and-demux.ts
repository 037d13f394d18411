import { anyPacket, defineCalculator, optional, repeated, sameAs } from '../../graph/index.ts';
import { bool, int } from './packet-types.ts';

/**
 * Passes packets on only at times at which every input has one.
 *
 * node { calculator: "PacketInnerJoinCalculator" input_stream: "a" input_stream: "b" output_stream: "a2" output_stream: "b2" }
 */
export const packetInnerJoin = defineCalculator({
  name: 'PacketInnerJoinCalculator',
  inputs: { '': repeated(anyPacket) },
  outputs: { '': repeated(anyPacket) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.count('') !== outputs.count('')) fail('as many outputs as inputs are required');
    for (const output of outputs) output.type = sameAs('', output.index);
  },
  open: () => ({
    process({ inputs, outputs }) {
      if (inputs[''].some(({ packet }) => packet === undefined)) return;
      inputs[''].forEach(({ packet }, at) => {
        if (packet !== undefined) outputs[''][at]?.send(packet);
      });
    },
  }),
});

/**
 * Sends the nth packet to OUTPUT:n modulo the number of outputs; SELECT tells which.
 *
 * node { calculator: "RoundRobinDemuxCalculator" input_stream: "INPUT:in" output_stream: "OUTPUT:0:even"
 *        output_stream: "OUTPUT:1:odd" output_stream: "SELECT:which" }
 */
export const roundRobinDemux = defineCalculator({
  name: 'RoundRobinDemuxCalculator',
  inputs: { INPUT: anyPacket },
  outputs: { OUTPUT: repeated(anyPacket), SELECT: optional(int) },
  timestampOffset: 0,
  contract({ outputs }) {
    for (const output of outputs) if (output.tag === 'OUTPUT') output.type = sameAs('INPUT', 0);
  },
  open() {
    let turn = 0;
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs.INPUT;
        if (packet === undefined) return;
        outputs.OUTPUT[turn]?.send(packet);
        outputs.SELECT?.send(turn);
        turn = (turn + 1) % outputs.OUTPUT.length;
      },
    };
  },
});

/**
 * Passes packets of all inputs on as they come, dropping those that are not above the last one sent. A second output tells
 * of each packet, dropped or not.
 *
 * node { calculator: "ImmediateMuxCalculator" input_stream: "a" input_stream: "b" output_stream: "latest" }
 */
export const immediateMux = defineCalculator({
  name: 'ImmediateMuxCalculator',
  inputs: { '': repeated(anyPacket) },
  outputs: { '': repeated(anyPacket, { max: 2 }) },
  inputPolicy: 'ImmediateInputStreamHandler',
  contract({ outputs }) {
    for (const output of outputs) output.type = output.index === 0 ? sameAs('', 0) : bool;
  },
  open: () => ({
    process({ inputs, outputs: { '': outputs }, timestamp }) {
      const [latest, finished] = outputs;
      for (const { packet } of inputs['']) {
        if (packet === undefined) continue;
        if (latest !== undefined && packet.timestamp >= latest.bound) latest.send(packet);
        if (finished !== undefined) finished.send(true, timestamp > finished.bound ? timestamp : finished.bound);
      }
    },
  }),
});

/**
 * Makes the single packet of a stream a side packet; a second packet is an error.
 *
 * node { calculator: "StreamToSidePacketCalculator" input_stream: "once" output_side_packet: "value" }
 */
export const streamToSidePacket = defineCalculator({
  name: 'StreamToSidePacketCalculator',
  inputs: { '': anyPacket },
  outputSidePackets: { '': anyPacket },
  open: () => ({
    process({ inputs, outputSidePackets }) {
      const { packet } = inputs[''];
      if (packet !== undefined) outputSidePackets[''].set(packet.value);
    },
  }),
});
