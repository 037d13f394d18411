import type { ConfigFile } from './config-file.ts';
import type { ConfigDataType, EnsembleStep, ModelConfig } from './model-config.ts';

/** What an ensemble must know of the models of its steps. */
export interface KnownStep {
  /** Completed. */
  readonly config: ModelConfig;
  /** A graph or runtime knows its tensors itself, and need not name them here. */
  readonly isOpen: boolean;
}

export type FindStep = (model: string, version: string) => KnownStep | undefined;

/** The version that a step asks for; "" is the highest. */
export const stepVersion = (version: number): string => (version > 0 ? String(version) : '');

/**
 * What is wrong with an ensemble by itself, in Triton's words (recorded from a live one): each fault with its line.
 */
export function scheduleFaults({ config, place, has }: ConfigFile, name: string): string[] {
  const faults: string[] = [];
  const fail = (field: string, problem: string): unknown => faults.push(`${place(field)}: ${problem}`);
  const steps = config.ensemble_scheduling?.step ?? [];
  if (steps.length === 0) fail('ensemble_scheduling', `must specify 'step' for ensemble '${name}'`);
  if (has('instance_group')) fail('instance_group', `instance group should not be specified for ensemble '${name}'`);
  if (has('optimization')) fail('optimization', `optimization should not be specified for ensemble '${name}'`);
  if (has('model_warmup')) fail('model_warmup', `model_warmup can not be specified for ensemble '${name}'`);
  for (const [i, step] of steps.entries()) {
    const field = 'ensemble_scheduling.step';
    if (step.model_name === '') fail(field, `must specify 'model_name' in step ${i} of ensemble '${name}'`);
    if (Object.keys(step.input_map).length === 0)
      fail(field, `must specify 'input_map' in step ${i} of ensemble '${name}'`);
    if (Object.keys(step.output_map).length === 0)
      fail(field, `must specify 'output_map' in step ${i} of ensemble '${name}'`);
    if (step.model_namespace !== '') fail(`${field}.model_namespace`, 'there are no namespaces; leave it out');
  }
  return faults.length > 0
    ? faults
    : flowFaults(config, name).map((problem) => `${place('ensemble_scheduling.step')}: ${problem}`);
}

/** Which tensors come from where: each has one source, and each output is reached. */
function flowFaults(config: ModelConfig, ensemble: string): string[] {
  const steps = config.ensemble_scheduling?.step ?? [];
  const inputs = config.input.map(({ name }) => name);
  const outputs = config.output.map(({ name }) => name);
  const read = new Set(steps.flatMap(({ input_map: map }) => Object.values(map)));
  const written = new Set<string>();
  for (const [i, { output_map: map }] of steps.entries()) {
    for (const tensor of Object.values(map)) {
      if (written.has(tensor)) {
        return [
          `ensemble tensor '${tensor}' can appear in an output map only once for ensemble '${ensemble}' step ${i}`,
        ];
      }
      if (inputs.includes(tensor))
        return [`ensemble input '${tensor}' is written in step ${i} of ensemble '${ensemble}'`];
      written.add(tensor);
    }
  }
  const unusedInput = inputs.find((name) => !read.has(name));
  if (unusedInput !== undefined) return [`ensemble input '${unusedInput}' for ensemble '${ensemble}' is not used`];
  const unwritten = outputs.find((name) => !written.has(name));
  if (unwritten !== undefined) return [`ensemble output '${unwritten}' for ensemble '${ensemble}' is not used`];
  const unused = [...written].find((name) => !read.has(name) && !outputs.includes(name));
  if (unused !== undefined) return [`ensemble tensor '${unused}' is unused in ensemble '${ensemble}'`];
  return cycleFaults(steps, inputs, outputs, ensemble);
}

/** Steps that never run: what they wait for is written by nobody, or by a step that waits for them. */
function cycleFaults(
  steps: readonly EnsembleStep[],
  inputs: readonly string[],
  outputs: readonly string[],
  ensemble: string,
): string[] {
  const known = new Set(inputs);
  let waiting = [...steps];
  for (;;) {
    const ready = waiting.filter(({ input_map: map }) => Object.values(map).every((tensor) => known.has(tensor)));
    if (ready.length === 0) break;
    for (const { output_map: map } of ready) for (const tensor of Object.values(map)) known.add(tensor);
    waiting = waiting.filter((step) => !ready.includes(step));
  }
  const stuck =
    waiting.find(({ output_map: map }) => Object.values(map).some((name) => outputs.includes(name))) ?? waiting[0];
  if (stuck === undefined) return [];
  const written = Object.values(stuck.output_map);
  const output = written.find((name) => outputs.includes(name)) ?? written[0];
  const missing = unconnected(stuck, waiting, known);
  return [
    `output '${output}' for ensemble '${ensemble}' is not written: at least one of its depending tensors, '${missing}', is not connected`,
  ];
}

/** The tensor where the way back from a step that cannot run ends: nobody writes it, or a step that was passed before. */
function unconnected(from: EnsembleStep, waiting: readonly EnsembleStep[], known: ReadonlySet<string>): string {
  const passed = new Set<EnsembleStep>();
  let step: EnsembleStep | undefined = from;
  let tensor = '';
  while (step !== undefined && !passed.has(step)) {
    passed.add(step);
    const missing: string | undefined = Object.values(step.input_map).find((name) => !known.has(name));
    const writer: EnsembleStep | undefined = waiting.find(({ output_map: map }) =>
      Object.values(map).includes(missing ?? ''),
    );
    if (writer !== undefined && passed.has(writer) && tensor !== '') break;
    tensor = missing ?? tensor;
    step = writer;
  }
  return tensor;
}

/** A tensor as one of the parts of an ensemble has it. */
interface Seen {
  readonly model: string;
  readonly datatype: ConfigDataType;
  readonly dims: readonly number[];
  /** With the batch, where there is one. */
  readonly full: readonly number[];
}

/** What does not fit together: models that are not there, and tensors that are not the same on both sides. */
export function stepFault(config: ModelConfig, ensemble: string, find: FindStep): string | undefined {
  const seen = new Map<string, Seen>();
  const see = (tensor: string, next: Seen): string | undefined => {
    const first = seen.get(tensor);
    if (first !== undefined) return inconsistency(ensemble, tensor, first, next);
    seen.set(tensor, next);
    return undefined;
  };
  for (const tensor of [...config.input, ...config.output]) see(tensor.name, seenIn(config, ensemble, tensor));
  for (const step of config.ensemble_scheduling?.step ?? []) {
    const { model_name: model, input_map: inputs, output_map: outputs } = step;
    const found = find(model, stepVersion(step.model_version));
    if (found === undefined) return missing(step.model_version, ensemble, model, find);
    const { config: known, isOpen } = found;
    const { max_batch_size: most } = known;
    if (most > 0 && config.max_batch_size > most) {
      return `ensemble ${ensemble} allows maximum batch size ${config.max_batch_size}, but it contains model ${model} which only allows maximum batch size to be ${most}`;
    }
    for (const [map, tensors, text] of [
      [inputs, known.input, 'mapping to non-existing input'],
      [outputs, known.output, 'mapped from non-existing output'],
    ] as const) {
      if (isOpen && tensors.length === 0) continue;
      for (const [name, tensor] of Object.entries(map)) {
        const spec = tensors.find((each) => each.name === name);
        if (spec === undefined)
          return `in ensemble ${ensemble}, ensemble tensor ${tensor} is ${text} ${name} in model ${model}`;
        const fault = see(tensor, seenIn(known, model, spec));
        if (fault !== undefined) return fault;
      }
    }
    const unmapped = known.input.find(({ name, optional }) => !optional && inputs[name] === undefined);
    if (unmapped !== undefined) {
      return `in ensemble ${ensemble}, input ${unmapped.name} in model ${model} is not mapped to any ensemble tensors`;
    }
  }
  return undefined;
}

function missing(version: number, ensemble: string, model: string, find: FindStep): string {
  return find(model, '') === undefined
    ? `ensemble ${ensemble} contains models that are not available or ambiguous: ${model}`
    : `ensemble '${ensemble}' depends on '${model}' whose required version ${version} is not loaded.`;
}

function seenIn(
  { max_batch_size: most }: ModelConfig,
  model: string,
  { data_type: datatype, dims }: { readonly data_type: ConfigDataType; readonly dims: readonly number[] },
): Seen {
  return { model, datatype, dims, full: most > 0 ? [-1, ...dims] : dims };
}

function inconsistency(ensemble: string, tensor: string, first: Seen, next: Seen): string | undefined {
  const prefix = `in ensemble ${ensemble}, ensemble tensor ${tensor}: inconsistent`;
  if (first.datatype !== next.datatype) {
    return `${prefix} data type: ${first.datatype} is inferred from model ${first.model} while ${next.datatype} is inferred from model ${next.model}`;
  }
  // A model without batches may take what one with batches gives.
  if (fits(first.dims, next.dims) || fits(first.full, next.full)) return undefined;
  return `${prefix} shape: ${list(first.full)} is inferred from model ${first.model} while ${list(next.full)} is inferred from model ${next.model}`;
}

const fits = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === -1 || b[i] === -1 || dim === b[i]);

const list = (shape: readonly number[]): string => `[${shape.join(',')}]`;
