import { z } from 'zod';
import { defineCalculator, optional } from '../../graph/index.ts';
import { bool, float } from './packet-types.ts';

/**
 * Whether FLOAT is greater than the threshold: FLAG always, ACCEPT (true) or REJECT (false). The threshold is an option, a
 * side packet or a stream.
 *
 * node { calculator: "ThresholdingCalculator" input_stream: "FLOAT:score" output_stream: "FLAG:is_good"
 *        options { [mediapipe.ThresholdingCalculatorOptions.ext] { threshold: 0.5 } } }
 */
export const thresholding = defineCalculator({
  name: 'ThresholdingCalculator',
  options: z.object({ threshold: z.number().optional().describe('0 unless given.') }),
  inputs: { FLOAT: float, THRESHOLD: optional(float) },
  outputs: { FLAG: optional(bool), ACCEPT: optional(bool), REJECT: optional(bool) },
  inputSidePackets: { THRESHOLD: optional(float) },
  timestampOffset: 0,
  contract({ inputs, inputSidePackets, options, fail }) {
    const ways = [inputs.has('THRESHOLD'), inputSidePackets.has('THRESHOLD'), options.threshold !== undefined];
    if (ways.filter(Boolean).length > 1)
      fail('give the threshold as an option, a side packet or a stream, not several');
  },
  open({ options, sidePackets }) {
    let threshold = sidePackets.THRESHOLD ?? options.threshold ?? 0;
    return {
      process({ inputs, outputs }) {
        threshold = inputs.THRESHOLD?.packet?.value ?? threshold;
        const { packet } = inputs.FLOAT;
        if (packet === undefined) return;
        const accept = packet.value > threshold;
        outputs.FLAG?.send(accept);
        if (accept) outputs.ACCEPT?.send(true);
        else outputs.REJECT?.send(false);
      },
    };
  },
});
