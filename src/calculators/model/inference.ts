import { z } from 'zod';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { defineCalculator, type ContractPorts, type InputPort, type OutputPort } from '../../graph/index.ts';
import { checkInputs } from '../../runtime/check-inputs.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { isVectorTag, sessionPacket, tensorPacket, tensorsPacket } from '../packet-types.ts';
import { namingFault, wire, type TensorNames, type Wire } from './tensor-names.ts';

const tagNames = z.array(z.object({ key: z.string(), value: z.string() })).default([]);

const options = z.object({
  tagToInputTensorNames: tagNames.describe("The model's input for each input tag; a tag left out is itself the name."),
  tagToOutputTensorNames: tagNames.describe(
    "The model's output for each output tag; a tag left out is itself the name.",
  ),
  inputOrderList: z
    .array(z.string())
    .default([])
    .describe('Inputs in the order of the tensors of an OVTENSORS packet.'),
  outputOrderList: z
    .array(z.string())
    .default([])
    .describe('Outputs in the order of the tensors of an OVTENSORS packet.'),
});

export type InferenceOptions = z.infer<typeof options>;

/**
 * Runs a model once for each set of inputs; the outputs have the inputs' timestamp. Every input must have a packet each
 * time: a missing one fails the graph. Tags that begin with OVTENSORS (TENSORS, TFTENSORS …) carry arrays of tensors.
 *
 * node {
 *   calculator: "OpenVINOInferenceCalculator"
 *   input_side_packet: "SESSION:session"
 *   input_stream: "SIGNAL:signal"
 *   output_stream: "SCORES:scores"
 *   node_options {
 *     [type.googleapis.com/mediapipe.OpenVINOInferenceCalculatorOptions] {
 *       tag_to_input_tensor_names { key: "SIGNAL" value: "signal" }
 *       tag_to_output_tensor_names { key: "SCORES" value: "scores" }
 *     }
 *   }
 * }
 */
export const inference = defineCalculator({
  name: 'OpenVINOInferenceCalculator',
  options,
  inputs: { '*': tensorPacket() },
  outputs: { '*': tensorPacket() },
  inputSidePackets: { SESSION: sessionPacket },
  timestampOffset: 0,
  contract(node) {
    for (const [ports, names] of [
      [node.inputs, inputNames(node.options)],
      [node.outputs, outputNames(node.options)],
    ] as const) {
      const fault = namingFault(names, tagsOf(ports));
      if (fault !== undefined) node.fail(fault);
      for (const port of ports) port.type = isVectorTag(port.tag) ? tensorsPacket : tensorPacket();
    }
  },
  open({ options: given, inputPorts, outputPorts, sidePackets: { SESSION: session } }) {
    const { name, inputs, outputs, step } = session;
    const known = (specs: typeof inputs, names: TensorNames) =>
      step === undefined ? specs.map((spec) => spec.name) : names.map.map(({ value }) => value);
    let inWires: Wire[];
    let outWires: Wire[];
    try {
      inWires = wire(inputNames(given), tagsOf(inputPorts), known(inputs, inputNames(given)), name);
      outWires = wire(outputNames(given), tagsOf(outputPorts), known(outputs, outputNames(given)), name);
    } catch (error) {
      throw new MillraceError('GRAPH_START_FAILED', messageOf(error), { details: { model: name } });
    }
    return {
      async process(context) {
        const tensors = gather(inWires, context.inputPorts);
        if (step === undefined) checkInputs(name, inputs, tensors);
        try {
          const results = await session.run(tensors, () => !context.isCancelled, { signal: () => context.signal });
          scatter(name, results, outWires, context.outputPorts);
        } catch (error) {
          if (!context.isCancelled) throw error; // else it has failed before, and that is the fault to tell
        }
      },
    };
  },
});

export const inputNames = (given: InferenceOptions): TensorNames => ({
  side: 'input',
  map: given.tagToInputTensorNames,
  order: given.inputOrderList,
});

export const outputNames = (given: InferenceOptions): TensorNames => ({
  side: 'output',
  map: given.tagToOutputTensorNames,
  order: given.outputOrderList,
});

function tagsOf(ports: ContractPorts | readonly { readonly tag: string }[]): string[] {
  return Array.from(ports, ({ tag }) => tag);
}

/** The model's inputs out of this call's packets, renamed without a copy. */
function gather(wires: readonly Wire[], ports: readonly InputPort[]): Tensor[] {
  const tensors: Tensor[] = [];
  for (const { port, isVector, tensors: names } of wires) {
    const packet = ports[port]?.packet;
    if (packet === undefined) {
      throw new MillraceError('MISSING_INPUT', `input stream "${ports[port]?.name}" has no packet at this timestamp`);
    }
    const values = isVector ? (packet.value as readonly Tensor[]) : [packet.value as Tensor];
    if (values.length !== names.length) {
      throw new MillraceError(
        'WRONG_SHAPE',
        `input stream "${ports[port]?.name}": ${values.length} tensors given, ${names.length} expected by input_order_list`,
      );
    }
    values.forEach((value, at) => tensors.push({ ...value, name: names[at] ?? '' }));
  }
  return tensors;
}

function scatter(
  model: string,
  results: readonly Tensor[],
  wires: readonly Wire[],
  ports: readonly OutputPort[],
): void {
  for (const { port, isVector, tensors: names } of wires) {
    const output = ports[port];
    if (output === undefined) continue;
    const values = names.map(
      (name) => results.find((result) => result.name === name) ?? noOutput(model, name, results),
    );
    output.send(isVector ? values : values[0]);
  }
}

/** Users' code and graphs may give less than they said. */
function noOutput(model: string, output: string, results: readonly Tensor[]): never {
  const given = results.length === 0 ? 'no output' : results.map(({ name }) => `"${name}"`).join(', ');
  throw new MillraceError('MODEL_FAILED', `'${model}' gave ${given}, output "${output}" expected`, {
    details: { model, tensor: output },
  });
}
