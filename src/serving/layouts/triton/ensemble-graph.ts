import type { EnsembleStep, ModelConfig } from './model-config.ts';
import { stepVersion } from './ensemble-checks.ts';

/** An ensemble as a graph, and the graph's stream for each of its inputs and outputs. */
export interface EnsembleGraph {
  readonly text: string;
  readonly streams: Readonly<Record<string, string>>;
  readonly models: readonly { readonly name: string; readonly version: string }[];
}

/** Of an ensemble among the steps of another; undefined for all other models. */
export type FindEnsemble = (model: string, version: string) => ModelConfig | undefined;

/** Ensembles within ensembles; more is a circle. */
const MAX_DEPTH = 32;

/**
 * The graph that an ensemble stands for: an inference node for each of its steps, whose streams are the tensors; the steps of
 * an ensemble within it take its place.
 * @throws Error for ensembles that contain each other
 */
export function ensembleGraph(config: ModelConfig, findEnsemble: FindEnsemble): EnsembleGraph {
  const steps = flatSteps(config.ensemble_scheduling?.step ?? [], findEnsemble, 0);
  const names = new Map<string, string>();
  const stream = (tensor: string): string => {
    const known = names.get(tensor);
    if (known !== undefined) return known;
    const name = `t${names.size}`;
    names.set(tensor, name);
    return name;
  };
  const models = [
    ...new Map(
      steps.map((step) => {
        const version = stepVersion(step.model_version);
        return [JSON.stringify([step.model_name, version]), { name: step.model_name, version }] as const;
      }),
    ).values(),
  ];
  const text = [
    ...config.input.map(({ name }) => `input_stream: "OVTENSOR${number(stream(name))}:${stream(name)}"`),
    ...config.output.map(({ name }) => `output_stream: "OVTENSOR${number(stream(name))}:${stream(name)}"`),
    ...models.map(sessionNode),
    ...steps.map((step) => {
      const version = stepVersion(step.model_version);
      const session = models.findIndex((model) => model.name === step.model_name && model.version === version);
      return inferenceNode(step, session, stream);
    }),
  ].join('\n');
  const tensors = [...config.input, ...config.output].map(({ name }) => [name, stream(name)] as const);
  return { text: `${text}\n`, streams: Object.fromEntries(tensors), models };
}

/** Steps of models alone; the tensors of an ensemble within take the names that the outer one gives them. */
function flatSteps(steps: readonly EnsembleStep[], findEnsemble: FindEnsemble, depth: number): EnsembleStep[] {
  if (depth > MAX_DEPTH) throw new Error('the ensemble contains itself');
  return steps.flatMap((step, i) => {
    const inner = findEnsemble(step.model_name, stepVersion(step.model_version));
    if (inner === undefined) return [step];
    const outer = (tensor: string): string =>
      step.input_map[tensor] ?? step.output_map[tensor] ?? JSON.stringify([depth, i, tensor]);
    const renamed = (map: Readonly<Record<string, string>>) =>
      Object.fromEntries(Object.entries(map).map(([name, tensor]) => [name, outer(tensor)]));
    return flatSteps(inner.ensemble_scheduling?.step ?? [], findEnsemble, depth + 1).map((each) => ({
      ...each,
      input_map: renamed(each.input_map),
      output_map: renamed(each.output_map),
    }));
  });
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
  { model_name: model, input_map: inputs, output_map: outputs }: EnsembleStep,
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

const number = (stream: string): string => stream.slice(1);

/** As protobuf text: JSON's escapes are among its own. */
const quoted = (text: string): string => JSON.stringify(text);
