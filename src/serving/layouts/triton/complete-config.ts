import { MillraceError } from '../../../base/errors.ts';
import type { ConfigDataType, ModelConfig, ModelInput, ModelOutput } from './model-config.ts';
import type { OnnxSignature, OnnxTensor } from './onnx-signature.ts';
import { NAMES, type Server } from './platform.ts';

/** What Triton gives a model that could be batched and does not say how (`default-max-batch-size`). */
const DEFAULT_MAX_BATCH_SIZE = 4;

/** What serves a model, and what of it is known. */
export interface Completion {
  readonly name: string;
  readonly server: Server;
  /** File in the version's folder; "" where there is none. */
  readonly file: string;
  /** Of an ONNX file that could be read. */
  readonly signature: OnnxSignature | undefined;
  readonly hasGpu: boolean;
}

/**
 * A configuration with all that Triton fills in: names, the version policy, instance groups, and inputs, outputs and the batch
 * from the ONNX file (auto-complete, as its onnxruntime backend does it).
 * @throws MillraceError CONFIG_INVALID where it and the file do not agree
 */
export function completeConfig(given: ModelConfig, completion: Completion): ModelConfig {
  const { name, server, file, signature } = completion;
  const config: ModelConfig = {
    ...given,
    ...NAMES[server],
    name,
    backend: given.backend || NAMES[server].backend,
    platform: given.platform || NAMES[server].platform,
    version_policy: given.version_policy ?? { latest: { num_versions: 1 }, all: undefined, specific: undefined },
    instance_group: server === 'ensemble' ? [] : instanceGroups(given, completion),
    optimization: server === 'ensemble' ? given.optimization : optimizationOf(given),
    default_model_filename: file,
    model_transaction_policy: given.model_transaction_policy ?? { decoupled: false },
  };
  if (server !== 'onnx' || signature === undefined) return config;
  const asked = withoutAdded(config, signature);
  const whole = withTensors(config, name, asked);
  checkTensors(whole, name, asked, signature);
  return whole;
}

/** What requests give and may ask for: the server adds control and state inputs, and keeps the state outputs. */
function withoutAdded({ sequence_batching: sequence, output }: ModelConfig, whole: OnnxSignature): OnnxSignature {
  if (sequence === undefined) return whole;
  const added = [...sequence.control_input.map(({ name }) => name), ...sequence.state.map((state) => state.input_name)];
  const kept = sequence.state.map((state) => state.output_name);
  const isAsked = (name: string): boolean => !kept.includes(name) || output.some((each) => each.name === name);
  return {
    inputs: whole.inputs.filter(({ name }) => !added.includes(name)),
    outputs: whole.outputs.filter(({ name }) => isAsked(name)),
  };
}

function instanceGroups(
  { instance_group: groups }: ModelConfig,
  { name, hasGpu }: Completion,
): ModelConfig['instance_group'] {
  const kind = hasGpu ? 'KIND_GPU' : 'KIND_CPU';
  if (groups.length === 0) {
    const none = { rate_limiter: undefined, secondary_devices: [], profile: [], passive: false, host_policy: '' };
    return [{ name, kind, count: 1, gpus: hasGpu ? [0] : [], ...none }];
  }
  return groups.map((group, i) => ({
    ...group,
    name: group.name || `${name}_${i}`,
    count: group.count || 1,
    kind: group.kind === 'KIND_AUTO' ? kind : group.kind,
  }));
}

function optimizationOf({ optimization }: ModelConfig): NonNullable<ModelConfig['optimization']> {
  const { input_pinned_memory: input, output_pinned_memory: output, ...rest } = optimization ?? NO_OPTIMIZATION;
  return { ...rest, input_pinned_memory: input ?? { enable: true }, output_pinned_memory: output ?? { enable: true } };
}

const NO_OPTIMIZATION: NonNullable<ModelConfig['optimization']> = {
  graph: undefined,
  priority: 'PRIORITY_DEFAULT',
  cuda: undefined,
  execution_accelerators: undefined,
  input_pinned_memory: undefined,
  output_pinned_memory: undefined,
  gather_kernel_buffer_threshold: 0,
  eager_batching: false,
};

/** Inputs and outputs that are not given, and then the batch, from the file. Both given: nothing is added. */
function withTensors(config: ModelConfig, name: string, { inputs, outputs }: OnnxSignature): ModelConfig {
  if (config.input.length > 0 && config.output.length > 0) return config;
  const canBatch = [...inputs, ...outputs].every(({ shape }) => shape?.[0] === -1);
  if (config.max_batch_size !== 0 && !canBatch) {
    throw invalid(
      `autofill failed for model '${name}': model does not support batching while non-zero max_batch_size is specified`,
    );
  }
  const most = canBatch && config.max_batch_size === 0 ? DEFAULT_MAX_BATCH_SIZE : config.max_batch_size;
  const isScheduled = config.dynamic_batching !== undefined || config.sequence_batching !== undefined;
  return {
    ...config,
    max_batch_size: most,
    dynamic_batching: most > 1 && !isScheduled ? PLAIN_BATCHING : config.dynamic_batching,
    input: config.input.length > 0 ? config.input : inputs.map((tensor) => toInput(name, tensor, most > 0)),
    output: config.output.length > 0 ? config.output : outputs.map((tensor) => toOutput(name, tensor, most > 0)),
  };
}

const PLAIN_BATCHING: NonNullable<ModelConfig['dynamic_batching']> = {
  preferred_batch_size: [],
  max_queue_delay_microseconds: 0,
  preserve_ordering: false,
  priority_levels: 0,
  default_priority_level: 0,
  default_queue_policy: undefined,
  priority_queue_policy: {},
};

function toInput(model: string, tensor: OnnxTensor, hasBatch: boolean): ModelInput {
  return {
    ...common(model, tensor, hasBatch),
    format: 'FORMAT_NONE',
    is_shape_tensor: false,
    allow_ragged_batch: false,
    optional: false,
    is_non_linear_format_io: false,
  };
}

function toOutput(model: string, tensor: OnnxTensor, hasBatch: boolean): ModelOutput {
  const flags = { label_filename: '', is_shape_tensor: false, is_non_linear_format_io: false };
  return { ...common(model, tensor, hasBatch), ...flags };
}

function common(model: string, { name, datatype, shape }: OnnxTensor, hasBatch: boolean) {
  if (datatype === undefined || shape === undefined) {
    const what = datatype === undefined ? 'datatype' : 'shape';
    throw invalid(
      `autofill failed for model '${model}': the file does not say the ${what} of '${name}'; give its inputs and outputs in config.pbtxt`,
    );
  }
  const dims = hasBatch ? shape.slice(1) : shape;
  // Dims may not be empty.
  return dims.length === 0
    ? { name, data_type: datatype, dims: [1], reshape: { shape: [] } }
    : { name, data_type: datatype, dims, reshape: undefined };
}

/**
 * As Triton's onnxruntime backend checks them, with its texts.
 * @param whole with what the server adds, where it adds anything
 */
function checkTensors(
  config: ModelConfig,
  model: string,
  { inputs, outputs }: OnnxSignature,
  whole: OnnxSignature,
): void {
  checkAdded(config, whole);
  if (config.input.length !== inputs.length) {
    throw invalid(
      `unable to load model '${model}', configuration expects ${config.input.length} inputs, model provides ${inputs.length}`,
    );
  }
  for (const [side, configured, known] of [
    ['input', config.input, inputs],
    ['output', config.output, outputs],
  ] as const) {
    for (const tensor of configured) {
      const found = known.find(({ name }) => name === tensor.name);
      if (found === undefined) {
        const names = known.map(({ name }) => name).join(', ');
        throw invalid(`unexpected inference ${side} '${tensor.name}', allowed ${side}s are: ${names}`);
      }
      checkDatatype(model, side, tensor, found.datatype);
      if (found.shape !== undefined) checkShape(model, tensor, found.shape, config.max_batch_size);
    }
  }
}

/** Control and state tensors must be in the file; the host that loads it compares their datatypes and shapes. */
function checkAdded({ sequence_batching: sequence }: ModelConfig, { inputs, outputs }: OnnxSignature): void {
  const check = (field: string, tensor: string, known: readonly OnnxTensor[]): void => {
    const names = known.map(({ name }) => name);
    if (!names.includes(tensor)) {
      throw invalid(`sequence_batching.${field}: "${tensor}" is not in the model, ${names.join(', ')} expected`);
    }
  };
  for (const { name } of sequence?.control_input ?? []) check('control_input.name', name, inputs);
  for (const { input_name: input, output_name: output } of sequence?.state ?? []) {
    check('state.input_name', input, inputs);
    check('state.output_name', output, outputs);
  }
}

type Tensor = Pick<ModelInput, 'name' | 'data_type' | 'dims' | 'reshape'>;

function checkDatatype(model: string, side: string, tensor: Tensor, expected: ConfigDataType | undefined): void {
  if (expected === undefined || expected === tensor.data_type) return;
  throw invalid(
    `unable to load model '${model}', unexpected datatype ${tensor.data_type} for ${side} '${tensor.name}', expecting ${expected}`,
  );
}

function checkShape(
  model: string,
  { name, dims, reshape }: Tensor,
  shape: readonly number[],
  maxBatchSize: number,
): void {
  const hasBatch = maxBatchSize > 0;
  const which = `model '${model}', tensor '${name}'`;
  if (hasBatch && shape[0] !== -1) {
    throw invalid(
      `${which}: for the model to support batching the shape should have at least 1 dimension and the first dimension must be -1; but shape expected by the model is ${list(shape)}`,
    );
  }
  const own = reshape?.shape ?? dims;
  const full = hasBatch ? [-1, ...own] : own;
  const isEqual = shape.length === full.length && shape.every((dim, i) => dim === -1 || dim === full[i]);
  if (isEqual) return;
  const detail = hasBatch
    ? `an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape ${list(full)}`
    : `shape ${list(full)}`;
  throw invalid(
    `${which}: the model expects ${shape.length} dimensions (shape ${list(shape)}) but the model configuration specifies ${full.length} dimensions (${detail})`,
  );
}

const list = (shape: readonly number[]): string => `[${shape.join(',')}]`;

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
