import type { ConfigFile } from './config-file.ts';
import type { ModelConfig, ModelInput, ModelOutput } from './model-config.ts';

/**
 * What is wrong in a configuration whatever serves the model, in Triton's words where it has any (recorded from a live one).
 * @returns each fault, with its line
 */
export function configFaults(file: ConfigFile, name: string): string[] {
  const { config, place } = file;
  const faults: string[] = [];
  const fail = (field: string, problem: string): unknown => faults.push(`${place(field)}: ${problem}`);
  if (config.name !== '' && config.name !== name) {
    fail(
      'name',
      `unexpected directory name '${name}' for model '${config.name}', directory name must equal model name`,
    );
  }
  if (config.max_batch_size < 0) fail('max_batch_size', `'max_batch_size' must be non-negative value for ${name}`);
  for (const input of config.input) tensorFaults('input', input, name, fail);
  for (const output of config.output) tensorFaults('output', output, name, fail);
  for (const side of ['input', 'output'] as const) {
    const names = config[side].map((tensor) => tensor.name);
    const twice = names.find((each, i) => names.indexOf(each) !== i);
    if (twice !== undefined) fail(side, `${side} '${twice}' is given twice`);
  }
  batchingFaults(config, name, fail);
  sequenceFaults(config, name, fail);
  groupFaults(config, fail);
  return faults;
}

type Fail = (field: string, problem: string) => unknown;

function tensorFaults(side: 'input' | 'output', tensor: ModelInput | ModelOutput, model: string, fail: Fail): void {
  const { name, data_type: datatype, dims, reshape } = tensor;
  if (name === '') return void fail(`${side}.name`, `model ${side} must specify 'name' for ${model}`);
  const what = `model ${side} '${name}'`;
  if (datatype === 'TYPE_INVALID') fail(`${side}.data_type`, `${what} must specify 'data_type' for ${model}`);
  if (dims.length === 0) fail(`${side}.dims`, `${what} must specify 'dims' for ${model}`);
  const range = 'must be integer >= 1, or -1 to indicate a variable-size dimension for';
  if (dims.some((dim) => dim !== -1 && dim < 1)) fail(`${side}.dims`, `${what} dimension ${range} ${model}`);
  if (reshape !== undefined) {
    if (reshape.shape.some((dim) => dim !== -1 && dim < 1)) {
      fail(`${side}.reshape`, `${what} reshape dimension ${range} ${model}`);
    } else if (!sameSize(dims, reshape.shape)) {
      fail(`${side}.reshape`, `${what} has different size for dims and reshape for ${model}`);
    }
  }
  if ('format' in tensor && tensor.format !== 'FORMAT_NONE' && dims.length !== 3) {
    fail(`${side}.format`, `model ${side} NHWC/NCHW require 3 dims for ${model}`);
  }
}

/** As many dimensions of any size on either side, and as many elements between them. */
function sameSize(dims: readonly number[], shape: readonly number[]): boolean {
  const parts = (all: readonly number[]): number[] =>
    all.reduce<number[]>(
      (sizes, dim) => (dim === -1 ? [...sizes, 1] : [...sizes.slice(0, -1), (sizes.at(-1) ?? 1) * dim]),
      [1],
    );
  return parts(dims).join() === parts(shape).join();
}

function batchingFaults(config: ModelConfig, model: string, fail: Fail): void {
  const { dynamic_batching: dynamic, sequence_batching: sequence, max_batch_size: most } = config;
  const field = dynamic === undefined ? 'sequence_batching.oldest' : 'dynamic_batching';
  const sizes = dynamic?.preferred_batch_size ?? sequence?.oldest?.preferred_batch_size ?? [];
  const at = `${field}.preferred_batch_size`;
  if (sizes.some((size) => size < 1)) fail(at, `dynamic batching preferred size must be positive for ${model}`);
  if (sizes.some((size) => size > most))
    fail(at, `dynamic batching preferred size must be <= max batch size for ${model}`);
  if (dynamic === undefined) return;
  const { priority_levels: levels, default_priority_level: level, priority_queue_policy: policies } = dynamic;
  if (levels > 0 && (level < 1 || level > levels)) {
    fail(
      'dynamic_batching.default_priority_level',
      `default priority level must be in range [1, ${levels}] for ${model}`,
    );
  }
  const unknown = Object.keys(policies).find((key) => Number(key) < 1 || Number(key) > levels);
  if (unknown !== undefined) {
    fail(
      'dynamic_batching.priority_queue_policy',
      `priority queue policy must have priority level in range [1, ${levels}] for ${model}`,
    );
  }
}

function sequenceFaults({ sequence_batching: sequence }: ModelConfig, model: string, fail: Fail): void {
  const at = (field: string): string => `sequence_batching.${field}`;
  const { control_input: controls = [], state = [], direct } = sequence ?? {};
  const kinds = controls.flatMap(({ control }) => control.map(({ kind }) => kind));
  const twice = kinds.find((kind, i) => kinds.indexOf(kind) !== i);
  if (twice !== undefined) {
    fail(at('control_input'), `sequence batching specifies multiple ${twice} tensors for ${model}`);
  }
  for (const { name, control } of controls) {
    if (name === '') fail(at('control_input.name'), `sequence batching control tensor must have a name for ${model}`);
    if (control.length !== 1) fail(at('control_input.control'), `${control.length} given for '${name}', one expected`);
    for (const { kind, int32_false_true: int32, fp32_false_true: fp32, bool_false_true: bool } of control) {
      const given = [int32, fp32, bool].filter(({ length }) => length > 0);
      const isRight = kind === 'CONTROL_SEQUENCE_CORRID' ? given.length === 0 : given.length === 1;
      if (isRight && given.every(({ length }) => length === 2)) continue;
      const expected =
        kind === 'CONTROL_SEQUENCE_CORRID'
          ? "'data_type' alone"
          : "one of 'int32_false_true', 'fp32_false_true', 'bool_false_true', with exactly 2 entries";
      fail(at('control_input.control'), `${kind} of '${name}' must specify ${expected}, for ${model}`);
    }
  }
  if (state.some(({ initial_state: initial }) => initial.length > 1)) {
    fail(at('state.initial_state'), 'one initial state expected');
  }
  if (direct !== undefined && (direct.minimum_slot_utilization < 0 || direct.minimum_slot_utilization > 1)) {
    fail(at('direct.minimum_slot_utilization'), `${direct.minimum_slot_utilization} given, 0 to 1 expected`);
  }
}

function groupFaults({ instance_group: groups }: ModelConfig, fail: Fail): void {
  const negative = groups.find(({ count }) => count < 0);
  if (negative !== undefined) fail('instance_group.count', `${negative.count} given, a number from 0 expected`);
}
