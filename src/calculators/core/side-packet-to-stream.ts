import { anyPacket, defineCalculator, optional, repeated, Timestamp, type OutputPort } from '../../graph/index.ts';
import { int } from './packet-types.ts';

const TIMES = {
  AT_PRESTREAM: Timestamp.PreStream,
  AT_POSTSTREAM: Timestamp.PostStream,
  AT_ZERO: 0n,
} as const;
const TAGS = ['AT_PRESTREAM', 'AT_POSTSTREAM', 'AT_ZERO', 'AT_TIMESTAMP', 'AT_TICK', 'AT_FIRST_TICK'] as const;
const any = repeated(anyPacket, { min: 0 });

/**
 * Side packets as packets: once AT_PRESTREAM, AT_POSTSTREAM, AT_ZERO or AT_TIMESTAMP (side packet TIMESTAMP); at each TICK
 * (AT_TICK); or with the first TICK (AT_FIRST_TICK).
 *
 * node { calculator: "SidePacketToStreamCalculator" input_side_packet: "model" output_stream: "AT_ZERO:model_packet" }
 */
export const sidePacketToStream = defineCalculator({
  name: 'SidePacketToStreamCalculator',
  inputs: { TICK: optional(anyPacket) },
  outputs: { AT_PRESTREAM: any, AT_POSTSTREAM: any, AT_ZERO: any, AT_TIMESTAMP: any, AT_TICK: any, AT_FIRST_TICK: any },
  inputSidePackets: { '': repeated(anyPacket), TIMESTAMP: optional(int) },
  contract(node) {
    const { inputs, outputs, inputSidePackets, fail } = node;
    const used = TAGS.filter((tag) => outputs.has(tag));
    const [tag] = used;
    if (tag === undefined || used.length > 1) return fail(`exactly one output tag is required: ${TAGS.join(', ')}`);
    const isTicked = tag === 'AT_TICK' || tag === 'AT_FIRST_TICK';
    if (isTicked !== inputs.has('TICK')) fail('AT_TICK and AT_FIRST_TICK need an input TICK, the others take none');
    if ((tag === 'AT_TIMESTAMP') !== inputSidePackets.has('TIMESTAMP')) {
      fail('AT_TIMESTAMP needs a side packet TIMESTAMP, the others take none');
    }
    if (outputs.count(tag) !== inputSidePackets.count('')) fail('as many outputs as side packets are required');
    if (isTicked) node.timestampOffset = 0n;
  },
  open({ sidePackets, outputs }) {
    const values = sidePackets[''];
    const tag = TAGS.find((candidate) => outputs[candidate].length > 0) ?? 'AT_ZERO';
    const ports = outputs[tag];
    if (tag === 'AT_TICK' || tag === 'AT_FIRST_TICK') {
      let isFinished = false;
      return {
        process({ inputs, timestamp }) {
          if (inputs.TICK?.packet === undefined || isFinished) return;
          sendAll(ports, values, timestamp);
          isFinished = tag === 'AT_FIRST_TICK';
          if (isFinished) for (const port of ports) port.close();
        },
      };
    }
    const time = tag === 'AT_TIMESTAMP' ? BigInt(sidePackets.TIMESTAMP ?? 0) : TIMES[tag];
    return {
      process({ stop }) {
        sendAll(ports, values, time);
        stop();
      },
    };
  },
});

function sendAll(ports: readonly OutputPort[], values: readonly unknown[], timestamp: bigint): void {
  ports.forEach((port, at) => port.send({ value: values[at], timestamp }));
}
