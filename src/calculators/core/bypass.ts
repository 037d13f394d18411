import { z } from 'zod';
import { anyPacket, defineCalculator, sameAs } from '../../graph/index.ts';

/**
 * Stands in for a part of a graph that is switched off: any streams may be connected. Packets of `pass_input_stream` go to
 * `pass_output_stream` at the same place of the list, both written `TAG:index`; the other outputs only get bounds.
 *
 * node { calculator: "BypassCalculator" input_stream: "IMAGE:frames" input_stream: "ROI:roi"
 *        output_stream: "IMAGE:same_frames" output_stream: "MASK:no_mask"
 *        options { [mediapipe.BypassCalculatorOptions.ext] { pass_input_stream: "IMAGE" pass_output_stream: "IMAGE" } } }
 */
export const bypass = defineCalculator({
  name: 'BypassCalculator',
  options: z.object({
    passInputStream: z.array(z.string()).default([]).describe('Inputs whose packets pass, as `TAG:index`.'),
    passOutputStream: z.array(z.string()).default([]).describe('For each of them, the output that they go to.'),
  }),
  inputs: { '*': anyPacket },
  outputs: { '*': anyPacket },
  inputSidePackets: { '*': anyPacket },
  timestampOffset: 0,
  contract({ options: { passInputStream, passOutputStream }, inputs, outputs, fail }) {
    if (passInputStream.length !== passOutputStream.length) {
      fail(`${passInputStream.length} pass_input_stream for ${passOutputStream.length} pass_output_stream`);
    }
    passInputStream.forEach((from, at) => {
      const to = passOutputStream[at] ?? '';
      const input = inputs.all.find((port) => isPort(port, from));
      const output = outputs.all.find((port) => isPort(port, to));
      if (input === undefined) return fail(`pass_input_stream "${from}" is no input of the node`);
      if (output === undefined) return fail(`pass_output_stream "${to}" is no output of the node`);
      output.type = sameAs(input.tag, input.index);
    });
  },
  open({ options: { passInputStream, passOutputStream }, inputPorts, outputPorts }) {
    const routes = passInputStream.map((from, at) => ({
      input: inputPorts.find((port) => isPort(port, from)),
      output: outputPorts.find((port) => isPort(port, passOutputStream[at] ?? '')),
    }));
    return {
      process() {
        for (const { input, output } of routes) if (input?.packet !== undefined) output?.send(input.packet);
      },
    };
  },
});

function isPort({ tag, index }: { readonly tag: string; readonly index: number }, tagIndex: string): boolean {
  return tagIndex === `${tag}:${index}` || (index === 0 && tagIndex === tag);
}
