import { defineCalculator } from '../../graph/index.ts';
import { tensorOf, typedData } from '../../tensor/tensor.ts';
import { tensorPacket } from '../packet-types.ts';

/**
 * The running sum of a stream of numbers: FP32 [1] → FP32 [1]. Summed in double precision; lives as long as the graph run.
 *
 * node { calculator: "CounterCalculator" input_stream: "input" output_stream: "output" }
 */
export const counter = defineCalculator({
  name: 'CounterCalculator',
  inputs: { '': tensorPacket('FP32', [1]) },
  outputs: { '': tensorPacket('FP32', [1]) },
  timestampOffset: 0,
  open() {
    let sum = 0;
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs[''];
        if (packet === undefined) return;
        sum += Number(typedData(packet.value)[0]);
        outputs[''].send(tensorOf(outputs[''].name, 'FP32', [1], new Float32Array([sum])));
      },
    };
  },
});
