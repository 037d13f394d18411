import { anyPacket, defineCalculator, sameAs, type ContractPorts, type NodeContract } from '../../graph/index.ts';
import type { OutputSidePacketPort } from '../../graph/index.ts';
import { copyHeaders } from './headers.ts';

/**
 * Copies each input to the output of the same tag and index, headers and side packets too.
 *
 * node { calculator: "PassThroughCalculator" input_stream: "A:a" output_stream: "A:b" }
 */
export const passThrough = defineCalculator({
  name: 'PassThroughCalculator',
  inputs: { '*': anyPacket },
  outputs: { '*': anyPacket },
  inputSidePackets: { '*': anyPacket },
  outputSidePackets: { '*': anyPacket },
  timestampOffset: 0, // what is not sent at the input timestamp will not come
  contract(node) {
    requireSameTags(node, 'streams', node.inputs, node.outputs);
    if (node.outputSidePackets.all.length > 0) {
      requireSameTags(node, 'side packets', node.inputSidePackets, node.outputSidePackets);
    }
    for (const output of node.outputs) output.type = sameAs(output.tag, output.index);
  },
  open({ sidePackets, outputSidePackets, inputPorts, outputPorts }) {
    copyHeaders(inputPorts, outputPorts);
    copySidePackets(sidePackets, outputSidePackets);
    return {
      process({ inputPorts, outputPorts, stop }) {
        if (inputPorts.length === 0) return stop();
        for (let at = 0; at < inputPorts.length; at++) {
          const packet = inputPorts[at]?.packet;
          if (packet !== undefined) outputPorts[at]?.send(packet);
        }
      },
    };
  },
});

function requireSameTags(node: NodeContract, what: string, inputs: ContractPorts, outputs: ContractPorts): void {
  const isSame =
    inputs.all.length === outputs.all.length &&
    inputs.all.every(({ tag, index }) => outputs.get(tag, index) !== undefined);
  if (!isSame) node.fail(`Input and output ${what} to PassThroughCalculator must use matching tags and indexes.`);
}

type SidePort = OutputSidePacketPort | readonly OutputSidePacketPort[];

function copySidePackets(values: Readonly<Record<string, unknown>>, ports: Readonly<Record<string, SidePort>>): void {
  for (const [tag, port] of Object.entries(ports)) {
    const value = values[tag];
    if (!('set' in port)) (value as unknown[]).forEach((item, at) => port[at]?.set(item));
    else if (value !== undefined) port.set(value);
  }
}
