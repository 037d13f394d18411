import {
  bool,
  double,
  enumOf,
  float,
  int32,
  int64,
  mapOf,
  message,
  optionalBool,
  optionalString,
  repeated,
  string,
  uint32,
  uint64,
  type Message,
} from './message-type.ts';

/**
 * Triton's `ModelConfig` (KServe sheet §1.4), whole, in the order in which Triton prints it: what a config.pbtxt may say and
 * how it is typed derive from it. A test compares it with `protos/model_config.proto`.
 */

export const dataType = enumOf(
  'TYPE_INVALID',
  'TYPE_BOOL',
  'TYPE_UINT8',
  'TYPE_UINT16',
  'TYPE_UINT32',
  'TYPE_UINT64',
  'TYPE_INT8',
  'TYPE_INT16',
  'TYPE_INT32',
  'TYPE_INT64',
  'TYPE_FP16',
  'TYPE_FP32',
  'TYPE_FP64',
  'TYPE_STRING',
  'TYPE_BF16',
);

const reshape = message('ModelTensorReshape', { shape: repeated(int64) });

const input = message('ModelInput', {
  name: string,
  data_type: dataType,
  format: enumOf('FORMAT_NONE', 'FORMAT_NHWC', 'FORMAT_NCHW'),
  dims: repeated(int64),
  reshape,
  is_shape_tensor: bool,
  allow_ragged_batch: bool,
  optional: bool,
  is_non_linear_format_io: bool,
});

const output = message('ModelOutput', {
  name: string,
  data_type: dataType,
  dims: repeated(int64),
  reshape,
  label_filename: string,
  is_shape_tensor: bool,
  is_non_linear_format_io: bool,
});

const batchInput = message('BatchInput', {
  kind: enumOf(
    'BATCH_ELEMENT_COUNT',
    'BATCH_ACCUMULATED_ELEMENT_COUNT',
    'BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO',
    'BATCH_MAX_ELEMENT_COUNT_AS_SHAPE',
    'BATCH_ITEM_SHAPE',
    'BATCH_ITEM_SHAPE_FLATTEN',
  ),
  target_name: repeated(string),
  data_type: dataType,
  source_input: repeated(string),
});

const batchOutput = message('BatchOutput', {
  target_name: repeated(string),
  kind: enumOf('BATCH_SCATTER_WITH_INPUT_SHAPE'),
  source_input: repeated(string),
});

const versionPolicy = message(
  'ModelVersionPolicy',
  {
    latest: message('Latest', { num_versions: uint32 }),
    all: message('All', {}),
    specific: message('Specific', { versions: repeated(int64) }),
  },
  [['latest', 'all', 'specific']],
);

const pinnedMemory = message('PinnedMemoryBuffer', { enable: bool });
const accelerator = message('Accelerator', { name: string, parameters: mapOf(string) });
const graphShape = message('Shape', { dim: repeated(int64) });

const optimization = message('ModelOptimizationPolicy', {
  graph: message('Graph', { level: int32 }),
  priority: enumOf('PRIORITY_DEFAULT', 'PRIORITY_MAX', 'PRIORITY_MIN'),
  cuda: message('Cuda', {
    graphs: bool,
    busy_wait_events: bool,
    graph_spec: repeated(
      message('GraphSpec', {
        batch_size: int32,
        input: mapOf(graphShape),
        graph_lower_bound: message('LowerBound', { batch_size: int32, input: mapOf(graphShape) }),
      }),
    ),
    output_copy_stream: bool,
  }),
  execution_accelerators: message('ExecutionAccelerators', {
    gpu_execution_accelerator: repeated(accelerator),
    cpu_execution_accelerator: repeated(accelerator),
  }),
  input_pinned_memory: pinnedMemory,
  output_pinned_memory: pinnedMemory,
  gather_kernel_buffer_threshold: uint32,
  eager_batching: bool,
});

const queuePolicy = message('ModelQueuePolicy', {
  timeout_action: enumOf('REJECT', 'DELAY'),
  default_timeout_microseconds: uint64,
  allow_timeout_override: bool,
  max_queue_size: uint32,
});

const dynamicBatching = message('ModelDynamicBatching', {
  preferred_batch_size: repeated(int32),
  max_queue_delay_microseconds: uint64,
  preserve_ordering: bool,
  priority_levels: uint64,
  default_priority_level: uint64,
  default_queue_policy: queuePolicy,
  priority_queue_policy: mapOf(queuePolicy, 'uint64'),
});

const sequenceBatching = message(
  'ModelSequenceBatching',
  {
    max_sequence_idle_microseconds: uint64,
    control_input: repeated(
      message('ControlInput', {
        name: string,
        control: repeated(
          message('Control', {
            kind: enumOf(
              'CONTROL_SEQUENCE_START',
              'CONTROL_SEQUENCE_READY',
              'CONTROL_SEQUENCE_END',
              'CONTROL_SEQUENCE_CORRID',
            ),
            int32_false_true: repeated(int32),
            fp32_false_true: repeated(float),
            bool_false_true: repeated(bool),
            data_type: dataType,
          }),
        ),
      }),
    ),
    direct: message('StrategyDirect', { max_queue_delay_microseconds: uint64, minimum_slot_utilization: float }),
    oldest: message('StrategyOldest', {
      max_candidate_sequences: int32,
      preferred_batch_size: repeated(int32),
      max_queue_delay_microseconds: uint64,
      preserve_ordering: bool,
    }),
    state: repeated(
      message('State', {
        input_name: string,
        output_name: string,
        data_type: dataType,
        dims: repeated(int64),
        initial_state: repeated(
          message(
            'InitialState',
            {
              data_type: dataType,
              dims: repeated(int64),
              zero_data: optionalBool,
              data_file: optionalString,
              name: string,
            },
            [['zero_data', 'data_file']],
          ),
        ),
        use_same_buffer_for_input_output: bool,
        use_growable_memory: bool,
      }),
    ),
    iterative_sequence: bool,
  },
  [['direct', 'oldest']],
);

const ensembleScheduling = message('ModelEnsembling', {
  step: repeated(
    message('Step', {
      model_name: string,
      model_version: int64,
      input_map: mapOf(string),
      output_map: mapOf(string),
      model_namespace: string,
    }),
  ),
  max_inflight_requests: uint32,
});

const instanceGroup = message('ModelInstanceGroup', {
  name: string,
  kind: enumOf('KIND_AUTO', 'KIND_GPU', 'KIND_CPU', 'KIND_MODEL'),
  count: int32,
  rate_limiter: message('ModelRateLimiter', {
    resources: repeated(message('Resource', { name: string, global: bool, count: uint32 })),
    priority: uint32,
  }),
  gpus: repeated(int32),
  secondary_devices: repeated(message('SecondaryDevice', { kind: enumOf('KIND_NVDLA'), device_id: int64 })),
  profile: repeated(string),
  passive: bool,
  host_policy: string,
});

const warmup = message('ModelWarmup', {
  name: string,
  batch_size: uint32,
  inputs: mapOf(
    message(
      'Input',
      {
        data_type: dataType,
        dims: repeated(int64),
        zero_data: optionalBool,
        random_data: optionalBool,
        input_data_file: optionalString,
      },
      [['zero_data', 'random_data', 'input_data_file']],
    ),
  ),
  count: uint32,
});

export const modelConfig = message(
  'ModelConfig',
  {
    name: string,
    platform: string,
    backend: string,
    runtime: string,
    version_policy: versionPolicy,
    max_batch_size: int32,
    input: repeated(input),
    output: repeated(output),
    batch_input: repeated(batchInput),
    batch_output: repeated(batchOutput),
    optimization,
    dynamic_batching: dynamicBatching,
    sequence_batching: sequenceBatching,
    ensemble_scheduling: ensembleScheduling,
    instance_group: repeated(instanceGroup),
    default_model_filename: string,
    cc_model_filenames: mapOf(string),
    metric_tags: mapOf(string),
    parameters: mapOf(message('ModelParameter', { string_value: string })),
    model_warmup: repeated(warmup),
    model_operations: message('ModelOperations', { op_library_filename: repeated(string) }),
    model_transaction_policy: message('ModelTransactionPolicy', { decoupled: bool }),
    model_repository_agents: message('ModelRepositoryAgents', {
      agents: repeated(message('Agent', { name: string, parameters: mapOf(string) })),
    }),
    response_cache: message('ModelResponseCache', { enable: bool }),
    model_metrics: message('ModelMetrics', {
      metric_control: repeated(
        message('MetricControl', {
          metric_identifier: message('MetricIdentifier', { family: string }),
          histogram_options: message('HistogramOptions', { buckets: repeated(double) }),
        }),
      ),
    }),
  },
  [['dynamic_batching', 'sequence_batching', 'ensemble_scheduling']],
);

export type ModelConfig = Message<typeof modelConfig>;
export type ModelInput = ModelConfig['input'][number];
export type ModelOutput = ModelConfig['output'][number];
export type ConfigDataType = ModelInput['data_type'];
export type EnsembleStep = NonNullable<ModelConfig['ensemble_scheduling']>['step'][number];
export type InstanceGroup = ModelConfig['instance_group'][number];
export type Warmup = ModelConfig['model_warmup'][number];
