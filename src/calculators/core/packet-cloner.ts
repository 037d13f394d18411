import { z } from 'zod';
import {
  anyPacket,
  defineCalculator,
  nextTimestamp,
  sameAs,
  type ContractPort,
  type InputPort,
  type Packet,
} from '../../graph/index.ts';
import { copyHeaders } from './headers.ts';

/**
 * At each packet of the clock (TICK, else the last untagged input), the latest packet of every other input, restamped.
 *
 * node { calculator: "PacketClonerCalculator" input_stream: "latest" input_stream: "TICK:frames"
 *        output_stream: "latest_at_frame" }
 */
export const packetCloner = defineCalculator({
  name: 'PacketClonerCalculator',
  options: z.object({
    outputOnlyWhenAllInputsReceived: z.boolean().default(false).describe('Nothing, bounds neither, before that.'),
    outputPacketsOnlyWhenAllInputsReceived: z.boolean().default(false).describe('Only bounds before that.'),
  }),
  inputs: { '*': anyPacket },
  outputs: { '*': anyPacket },
  processTimestampBounds: true,
  contract({ inputs, outputs, fail }) {
    const tick = clockOf(inputs.all);
    if (tick === undefined) return fail('an input TICK, or an untagged input as the clock, is required');
    const others = inputs.all.filter((input) => input !== tick);
    const fits = others.length === outputs.all.length && others.every(({ tag, index }) => outputs.get(tag, index));
    if (!fits) fail('outputs must have the tags and indexes of the inputs without the clock');
    for (const output of outputs) output.type = sameAs(output.tag, output.index);
  },
  open({ options, inputPorts, outputPorts }) {
    const clock = clockOf(inputPorts);
    const others = inputPorts.filter((input) => input !== clock);
    copyHeaders(others, outputPorts);
    const latest: (Packet | undefined)[] = others.map(() => undefined);
    const { outputOnlyWhenAllInputsReceived: waits, outputPacketsOnlyWhenAllInputsReceived: holdsPackets } = options;
    return {
      process({ timestamp }) {
        others.forEach(({ packet }, at) => (latest[at] = packet ?? latest[at]));
        if (clock?.packet === undefined) return;
        const isComplete = latest.every((packet) => packet !== undefined);
        if (!isComplete && waits && !holdsPackets) return;
        outputPorts.forEach((output, at) => {
          const packet = latest[at];
          if (packet !== undefined && (isComplete || !(holdsPackets || waits))) output.send(packet, timestamp);
          else output.setBound(nextTimestamp(timestamp));
        });
      },
    };
  },
});

function clockOf<Port extends ContractPort | InputPort>(inputs: readonly Port[]): Port | undefined {
  return inputs.find(({ tag }) => tag === 'TICK') ?? inputs.findLast(({ tag }) => tag === '');
}
