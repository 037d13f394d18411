import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { tensorPacket } from '../packet-types.ts';

const options = z.object({
  tagToOutputTensorNames: z
    .array(z.object({ key: z.string(), value: z.string() }))
    .default([])
    .describe('The name that a tensor leaves under, by the tag of the output.'),
});

/**
 * OVMS's converter between the tensors of models and those of Python (OVMS sheet §5.5), which are the same here: passes them
 * on, so that graphs made for OVMS load unchanged.
 *
 * node {
 *   calculator: "PyTensorOvTensorConverterCalculator"
 *   input_stream: "OVTENSOR:in"
 *   output_stream: "OVMS_PY_TENSOR:py_in"
 * }
 */
export const pyTensorConverter = defineCalculator({
  name: 'PyTensorOvTensorConverterCalculator',
  options,
  inputs: { '*': tensorPacket() },
  outputs: { '*': tensorPacket() },
  timestampOffset: 0,
  contract(node) {
    const counts = [[...node.inputs].length, [...node.outputs].length];
    if (counts.some((count) => count !== 1)) {
      node.fail(`${counts[0]} inputs and ${counts[1]} outputs given, one of each expected`);
    }
  },
  open({ options: { tagToOutputTensorNames }, inputPorts: [input], outputPorts: [output] }) {
    const name = tagToOutputTensorNames.find(({ key }) => key === output?.tag)?.value;
    return {
      process({ inputPorts, outputPorts, timestamp }) {
        const packet = inputPorts[0]?.packet;
        if (input === undefined || packet === undefined) return;
        const tensor = packet.value as Tensor;
        outputPorts[0]?.send(name === undefined ? tensor : { ...tensor, name }, timestamp);
      },
    };
  },
});
