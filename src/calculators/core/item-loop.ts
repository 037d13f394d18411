import { anyPacket, defineCalculator, nextTimestamp, repeated, sameAs, type Packet } from '../../graph/index.ts';
import { clonePorts, linkClones, sendClones } from './clones.ts';
import { timestamp as timestampType } from './packet-types.ts';

/**
 * Sends the packets of several inputs one by one, on a clock of its own that begins at 0; at one time all of them or none
 * must be there. CLONE inputs are repeated beside each item; BATCH_END carries the inputs' time at the last item's.
 *
 * node { calculator: "BeginItemLoopCalculator" input_stream: "ITEM:0:left" input_stream: "ITEM:1:right"
 *        output_stream: "ITEM:hand" output_stream: "BATCH_END:end" }
 */
export const beginItemLoop = defineCalculator({
  name: 'BeginItemLoopCalculator',
  inputs: { ITEM: repeated(anyPacket), CLONE: clonePorts },
  outputs: { ITEM: sameAs('ITEM', 0), CLONE: clonePorts, BATCH_END: timestampType },
  processTimestampBounds: true,
  contract: linkClones,
  open() {
    let clock = 0n;
    return {
      process({ inputs, outputs, outputPorts, timestamp }) {
        const items = inputs.ITEM.map(({ packet }) => packet).filter((packet) => packet !== undefined);
        if (items.length > 0 && items.length < inputs.ITEM.length) {
          throw new Error(`${items.length} of ${inputs.ITEM.length} ITEM inputs have a packet, all or none expected`);
        }
        for (const item of items) {
          outputs.ITEM.send(item, clock);
          sendClones(inputs.CLONE, outputs.CLONE, clock);
          clock++;
        }
        if (items.length === 0) {
          clock++; // a time without items uses up one tick
          for (const output of outputPorts) output.setBound(clock);
        }
        outputs.BATCH_END.send(timestamp, clock - 1n);
      },
    };
  },
});

/**
 * Collects ITEM packets until BATCH_END, and sends the nth one to output ITEM:n at the time that it carries.
 *
 * node { calculator: "EndItemLoopCalculator" input_stream: "ITEM:result" input_stream: "BATCH_END:end"
 *        output_stream: "ITEM:0:left_result" output_stream: "ITEM:1:right_result" }
 */
export const endItemLoop = defineCalculator({
  name: 'EndItemLoopCalculator',
  inputs: { ITEM: anyPacket, BATCH_END: timestampType },
  outputs: { ITEM: repeated(anyPacket) },
  contract({ outputs }) {
    for (const output of outputs) output.type = sameAs('ITEM', 0);
  },
  open() {
    let items: Packet[] = [];
    return {
      process({ inputs, outputs }) {
        if (inputs.ITEM.packet !== undefined) items.push(inputs.ITEM.packet);
        if (inputs.BATCH_END.packet === undefined) return;
        const outer = inputs.BATCH_END.packet.value;
        if (items.length > 0 && items.length !== outputs.ITEM.length) {
          throw new Error(`${items.length} items came in a batch, ${outputs.ITEM.length} expected, one per output`);
        }
        outputs.ITEM.forEach((output, at) => {
          const item = items[at];
          if (item === undefined) output.setBound(nextTimestamp(outer));
          else output.send(item, outer);
        });
        items = [];
      },
    };
  },
});
