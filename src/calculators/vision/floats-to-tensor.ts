import { defineCalculator } from '../../graph/index.ts';
import { tensorOf } from '../../tensor/tensor.ts';
import { floatVector } from '../core/packet-types.ts';
import { sparseTensorPacket } from '../packet-types.ts';

/**
 * Numbers as a tensor FP32 [numbers], for an output of the graph.
 *
 * node { calculator: "FloatsToTensorCalculator" input_stream: "FLOATS:scores" output_stream: "TENSOR:hand_scores" }
 */
export const floatsToTensor = defineCalculator({
  name: 'FloatsToTensorCalculator',
  inputs: { FLOATS: floatVector },
  outputs: { TENSOR: sparseTensorPacket('FP32', [-1]) },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const numbers = inputs.FLOATS.packet?.value;
      if (numbers === undefined) return;
      outputs.TENSOR.send(tensorOf(outputs.TENSOR.name, 'FP32', [numbers.length], Float32Array.from(numbers)));
    },
  }),
});
