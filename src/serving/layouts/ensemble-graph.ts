import type { EnsembleStep } from '../servable-spec.ts';

/** What requests and responses name, and the tensor that it is. */
export interface EnsemblePort {
  readonly name: string;
  readonly tensor: string;
}

/** An ensemble as a graph, and the graph's stream for each of its inputs and outputs. */
export interface EnsembleGraph {
  readonly text: string;
  readonly streams: Readonly<Record<string, string>>;
  readonly models: readonly { readonly name: string; readonly version: string }[];
  /** With the graph's streams in the place of the ensemble's tensors. */
  readonly steps: readonly EnsembleStep[];
}

/** The graph that an ensemble stands for: an inference node for each of its steps, whose streams are the tensors. */
export function ensembleGraph(
  inputs: readonly EnsemblePort[],
  outputs: readonly EnsemblePort[],
  steps: readonly EnsembleStep[],
): EnsembleGraph {
  const names = new Map<string, string>();
  const stream = (tensor: string): string => {
    const known = names.get(tensor);
    if (known !== undefined) return known;
    const name = `t${names.size}`;
    names.set(tensor, name);
    return name;
  };
  const key = ({ model, version }: EnsembleStep): string => JSON.stringify([model, version]);
  const models = new Map(steps.map((step) => [key(step), { name: step.model, version: step.version }]));
  const sessions = [...models.keys()];
  const ports = [...inputs, ...outputs].map(({ name, tensor }) => [name, stream(tensor)] as const);
  const lines = (side: string, all: readonly EnsemblePort[]): string[] =>
    [...new Set(all.map(({ tensor }) => stream(tensor)))].map(
      (name) => `${side}_stream: "OVTENSOR${name.slice(1)}:${name}"`,
    );
  const text = [
    ...lines('input', inputs),
    ...lines('output', outputs),
    ...[...models.values()].map(sessionNode),
    ...steps.map((step) => inferenceNode(step, sessions.indexOf(key(step)), stream)),
  ].join('\n');
  const streamsOf = (tensors: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, stream(tensor)]));
  return {
    text: `${text}\n`,
    streams: Object.fromEntries(ports),
    models: [...models.values()],
    steps: steps.map((step) => ({ ...step, inputs: streamsOf(step.inputs), outputs: streamsOf(step.outputs) })),
  };
}

function sessionNode({ name, version }: { readonly name: string; readonly version: string }, i: number): string {
  return `node {
  calculator: "OpenVINOModelServerSessionCalculator"
  output_side_packet: "SESSION:session${i}"
  node_options {
    [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] {
      servable_name: ${quoted(name)}
      servable_version: ${quoted(version)}
    }
  }
}`;
}

function inferenceNode(
  { model, inputs, outputs }: EnsembleStep,
  session: number,
  stream: (tensor: string) => string,
): string {
  const lines = (map: Readonly<Record<string, string>>, side: 'input' | 'output', form: 'stream' | 'name'): string[] =>
    Object.entries(map).map(([name, tensor], i) =>
      form === 'stream'
        ? `  ${side}_stream: "T${i}:${stream(tensor)}"`
        : `      tag_to_${side}_tensor_names { key: "T${i}" value: ${quoted(name)} }`,
    );
  return `node {
  name: ${quoted(`${model}_${Object.values(outputs).map(stream).join('_')}`)}
  calculator: "OpenVINOInferenceCalculator"
  input_side_packet: "SESSION:session${session}"
${[...lines(inputs, 'input', 'stream'), ...lines(outputs, 'output', 'stream')].join('\n')}
  node_options {
    [type.googleapis.com/mediapipe.OpenVINOInferenceCalculatorOptions] {
${[...lines(inputs, 'input', 'name'), ...lines(outputs, 'output', 'name')].join('\n')}
    }
  }
}`;
}

/** As protobuf text: JSON's escapes are among its own. */
const quoted = (text: string): string => JSON.stringify(text);
