import type { ConfigFile } from './config-file.ts';
import type { InstanceGroup, ModelConfig } from './model-config.ts';
import { isOwnParameter } from './own-parameters.ts';
import type { Server } from './platform.ts';

/** What a configuration asks for that is not done. */
export interface Unsupported {
  /** It would change results or protocol: the model does not load. */
  readonly refused: readonly string[];
  /** It would change speed at most. */
  readonly warnings: readonly string[];
}

type Tell = (field: string, why: string) => unknown;

/** Fields that would have an effect in Triton and have none here, each with the reason. */
export function unsupported(file: ConfigFile, server: Server): Unsupported {
  const refused: string[] = [];
  const warnings: string[] = [];
  const refuse: Tell = (field, why) => refused.push(`${file.place(field)}: ${why}`);
  const warn: Tell = (field, why) => warnings.push(`${file.place(field)}: ${why}`);
  refuseWholes(file.config, refuse);
  refuseTensors(file.config, refuse);
  if (server === 'onnx' || server === 'ensemble') refuseOfModels(file.config, server, refuse);
  if (server === 'graph') refuseOfGraphs(file.config, refuse);
  warnOfWholes(file.config, server, warn);
  warnOfOptimization(file.config, warn);
  for (const group of file.config.instance_group) warnOfGroup(group, server, warn);
  return { refused, warnings };
}

function refuseWholes(config: ModelConfig, refuse: Tell): void {
  if (Object.keys(config.cc_model_filenames).length > 0) {
    refuse(
      'cc_model_filenames',
      'there is one file for every device; leave it out, and name that file default_model_filename',
    );
  }
  if ((config.model_operations?.op_library_filename ?? []).length > 0) {
    refuse('model_operations', 'native libraries are not loaded; export the model with standard ONNX operators');
  }
  if ((config.model_repository_agents?.agents ?? []).length > 0) {
    refuse('model_repository_agents', 'agents are not run; check or decrypt the files before the server starts');
  }
  if (config.batch_input.length > 0)
    refuse('batch_input', 'ragged batches are not made; pad the inputs, or batch in a runtime');
  if (config.batch_output.length > 0)
    refuse('batch_output', 'ragged batches are not made; pad the inputs, or batch in a runtime');
}

function refuseTensors({ input, output }: ModelConfig, refuse: Tell): void {
  for (const [side, tensors] of [
    ['input', input],
    ['output', output],
  ] as const) {
    if (tensors.some((tensor) => tensor.is_shape_tensor)) {
      refuse(`${side}.is_shape_tensor`, "shape tensors are TensorRT's; in an ONNX file they are inputs like others");
    }
    if (tensors.some((tensor) => tensor.is_non_linear_format_io)) {
      refuse(`${side}.is_non_linear_format_io`, "it is TensorRT's; tensors are row-major");
    }
  }
  if (input.some((tensor) => tensor.allow_ragged_batch)) {
    refuse('input.allow_ragged_batch', 'ragged batches are not made; pad the inputs, or batch in a runtime');
  }
}

function refuseOfModels(config: ModelConfig, server: Server, refuse: Tell): void {
  if (server === 'onnx' && config.model_transaction_policy?.decoupled === true) {
    refuse('model_transaction_policy.decoupled', 'a model answers each request once; write a runtime or a graph');
  }
  if (config.sequence_batching !== undefined) refuseOfSequences(config, server, refuse);
  if (server === 'onnx') return;
  if (config.input.some(({ optional }) => optional)) {
    refuse('input.optional', 'each input of an ensemble must be given; make the input optional in a runtime');
  }
}

function refuseOfSequences(
  { sequence_batching: given, response_cache: cache }: ModelConfig,
  server: Server,
  refuse: Tell,
): void {
  if (server === 'ensemble') {
    refuse('sequence_batching', 'an ensemble keeps no state; write a graph, or call the model of the step by itself');
    return;
  }
  if (given?.iterative_sequence === true) {
    refuse('sequence_batching.iterative_sequence', 'an ONNX model cannot ask to be run again; write a runtime');
  }
  if (cache?.enable === true) {
    refuse('response_cache', 'the answers of a sequence depend on the requests before; leave it out');
  }
}

function refuseOfGraphs(config: ModelConfig, refuse: Tell): void {
  const field = (['dynamic_batching', 'sequence_batching', 'response_cache'] as const).find((each) =>
    each === 'response_cache' ? config.response_cache?.enable === true : config[each] !== undefined,
  );
  if (field !== undefined)
    refuse(field, 'a graph keeps state between requests; set it at the models that the graph names');
  if (config.max_batch_size > 0) {
    refuse('max_batch_size', "a graph's tensors are as its streams carry them, the batch included; 0 expected");
  }
}

function warnOfWholes(config: ModelConfig, server: Server, warn: Tell): void {
  if (config.runtime !== '') warn('runtime', "a backend's library is not chosen; it changes nothing");
  if (Object.keys(config.metric_tags).length > 0)
    warn('metric_tags', 'they are told in the configuration, not at /metrics');
  if (config.model_metrics !== undefined) warn('model_metrics', "the buckets of metrics are the server's own");
  if (server === 'graph' && config.output.some((output) => output.label_filename !== '')) {
    warn('output.label_filename', 'the classes of a graph have no labels');
  }
  if (server === 'graph' && config.input.length + config.output.length > 0) {
    warn('input', "the graph's own inputs and outputs are told and checked; these are not looked at");
  }
  if (server === 'onnx') {
    const unknown = Object.keys(config.parameters).filter(
      (key) => !isOwnParameter(key) && !KNOWN_PARAMETERS.includes(key),
    );
    if (unknown.length > 0)
      warn('parameters', `ONNX Runtime's own settings are used; no effect of ${unknown.join(', ')}`);
  }
}

/** Parameters of a model in ONNX Runtime that are honoured. */
const KNOWN_PARAMETERS: readonly string[] = ['intra_op_thread_count'];

function warnOfOptimization({ optimization }: ModelConfig, warn: Tell): void {
  if (optimization === undefined) return;
  const at = (field: string): string => `optimization.${field}`;
  if (optimization.graph !== undefined)
    warn(at('graph'), 'ONNX Runtime optimises at its highest level; it changes nothing');
  if (optimization.priority !== 'PRIORITY_DEFAULT')
    warn(at('priority'), 'all models have the same; it changes nothing');
  if (optimization.cuda !== undefined) warn(at('cuda'), 'CUDA graphs are not made; it changes nothing');
  if (optimization.gather_kernel_buffer_threshold > 0) {
    warn(at('gather_kernel_buffer_threshold'), 'tensors are not gathered on the GPU; it changes nothing');
  }
  if (optimization.eager_batching) warn(at('eager_batching'), 'batches are made when they run; it changes nothing');
  for (const { name } of optimization.execution_accelerators?.cpu_execution_accelerator ?? []) {
    warn(
      at('execution_accelerators.cpu_execution_accelerator'),
      `"${name}" is not there; it runs on ONNX Runtime's CPU provider`,
    );
  }
  for (const { name, parameters } of optimization.execution_accelerators?.gpu_execution_accelerator ?? []) {
    const field = at('execution_accelerators.gpu_execution_accelerator');
    if (name !== 'tensorrt' && name !== 'cuda')
      warn(field, `"${name}" is not there, tensorrt or cuda expected; it changes nothing`);
    else if (Object.keys(parameters).length > 0) warn(field, `the parameters of "${name}" are ONNX Runtime's defaults`);
  }
}

function warnOfGroup(group: InstanceGroup, server: Server, warn: Tell): void {
  if (group.gpus.some((id) => id !== 0))
    warn('instance_group.gpus', 'the first GPU is used; CUDA_VISIBLE_DEVICES chooses it');
  if (group.kind === 'KIND_MODEL') warn('instance_group.kind', 'KIND_MODEL given; it runs as KIND_AUTO');
  for (const field of ['profile', 'secondary_devices'] as const) {
    if (group[field].length > 0) warn(`instance_group.${field}`, 'it changes nothing');
  }
  if (group.passive) warn('instance_group.passive', 'every instance serves; it changes nothing');
  if (server !== 'onnx' && group.rate_limiter !== undefined)
    warn('instance_group.rate_limiter', 'only runs of ONNX models wait for resources; it changes nothing');
  if (group.host_policy !== '')
    warn('instance_group.host_policy', 'hosts are not bound to cores or memory; it changes nothing');
}
