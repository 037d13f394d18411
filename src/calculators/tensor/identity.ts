import { z } from 'zod';
import { defineCalculator } from '../../graph/index.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { requestPacket, responsePacket } from '../packet-types.ts';
import { tensorSpecOption } from './tensor-spec-options.ts';

const options = z.object({
  rename: z
    .array(z.object({ from: z.string(), to: z.string() }))
    .default([])
    .describe('Output names: the first entry whose `from` begins an input name has it replaced by `to`.'),
  input: z.array(tensorSpecOption).default([]).describe("Inputs advertised in the graph's metadata; none: any."),
  output: z.array(tensorSpecOption).default([]).describe("Outputs advertised in the graph's metadata."),
});

/**
 * Answers each request with its own tensors, of whatever datatypes and shapes.
 *
 * node {
 *   calculator: "IdentityCalculator"
 *   input_stream: "REQUEST:request"
 *   output_stream: "RESPONSE:response"
 *   node_options { [type.googleapis.com/millrace.IdentityCalculatorOptions] { rename { from: "INPUT" to: "OUTPUT" } } }
 * }
 */
export const identity = defineCalculator({
  name: 'IdentityCalculator',
  options,
  inputs: { REQUEST: requestPacket() },
  outputs: { RESPONSE: responsePacket() },
  timestampOffset: 0,
  contract(node) {
    const [request, response] = [node.inputs.get('REQUEST'), node.outputs.get('RESPONSE')];
    if (request !== undefined) request.type = requestPacket(node.options.input);
    if (response !== undefined) response.type = responsePacket(node.options.output);
  },
  open({ options: { rename } }) {
    const renamed = (name: string): string => {
      const rule = rename.find(({ from }) => name.startsWith(from));
      return rule === undefined ? name : rule.to + name.slice(rule.from.length);
    };
    return {
      process({ inputs, outputs }) {
        const { packet } = inputs.REQUEST;
        if (packet !== undefined) outputs.RESPONSE.send(answer(packet.value, renamed));
      },
    };
  },
});

function answer(request: InferenceRequest, renamed: (name: string) => string): InferenceResponse {
  const { servable, version, id, inputs } = request;
  const outputs = inputs.map((tensor) => ({ ...tensor, name: renamed(tensor.name), parameters: undefined }));
  const wanted = new Set(request.outputs.map((output) => output.name));
  return {
    servable,
    version,
    id,
    outputs: wanted.size === 0 ? outputs : outputs.filter(({ name }) => wanted.has(name)),
  };
}
