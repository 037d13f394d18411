import { anyPacket, defineCalculator, repeated, sameAs } from '../../graph/index.ts';

/**
 * At each time, the packet of the first input that has one.
 *
 * node { calculator: "MergeCalculator" input_stream: "first" input_stream: "second" output_stream: "merged" }
 */
export const merge = defineCalculator({
  name: 'MergeCalculator',
  inputs: { '': repeated(anyPacket) },
  outputs: { '': sameAs('', 0) },
  timestampOffset: 0,
  open: () => ({
    process({ inputs, outputs }) {
      const found = inputs[''].find(({ packet }) => packet !== undefined)?.packet;
      if (found !== undefined) outputs[''].send(found);
    },
  }),
});
