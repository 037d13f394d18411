import { anyPacket, defineCalculator, optional, repeated, sameAs } from '../../graph/index.ts';
import { int } from './packet-types.ts';

/**
 * Passes the packets of INPUT:k, where k is the number that SELECT carries: a stream, one number per time, or a side packet.
 * Packets of the other inputs are dropped.
 *
 * node { calculator: "MuxCalculator" input_stream: "INPUT:0:a" input_stream: "INPUT:1:b" input_stream: "SELECT:which"
 *        output_stream: "OUTPUT:chosen" input_stream_handler { input_stream_handler: "MuxInputStreamHandler" } }
 */
export const mux = defineCalculator({
  name: 'MuxCalculator',
  inputs: { INPUT: repeated(anyPacket), SELECT: optional(int) },
  outputs: { OUTPUT: sameAs('INPUT', 0) },
  inputSidePackets: { SELECT: optional(int) },
  timestampOffset: 0,
  contract(node) {
    const byStream = node.inputs.has('SELECT');
    if (byStream === node.inputSidePackets.has('SELECT'))
      node.fail('SELECT is required, as a stream or as a side packet');
    if (byStream) node.inputPolicy = 'MuxInputStreamHandler';
  },
  open({ sidePackets }) {
    const fixed = sidePackets.SELECT;
    return {
      process({ inputs, outputs }) {
        const select = fixed ?? inputs.SELECT?.packet?.value;
        if (select === undefined) return;
        const chosen = inputs.INPUT[Number(select)];
        if (chosen === undefined) {
          throw new RangeError(`SELECT is ${select}, but there are ${inputs.INPUT.length} inputs`);
        }
        if (chosen.packet !== undefined) outputs.OUTPUT.send(chosen.packet);
      },
    };
  },
});
