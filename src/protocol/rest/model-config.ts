import type { TensorSpec } from '../../tensor/tensor.ts';
import type { ServableMetadata } from '../../serving/data-plane.ts';
import { BACKENDS, configDatatype, ownConfig } from '../wire/model-config.ts';

/**
 * Triton's `ModelConfig` as JSON, every scalar with its default as Triton prints it (KServe sheet §1.4): what a servable's
 * metadata tells, and the defaults for the rest.
 */
export function modelConfig(metadata: ServableMetadata): object {
  const { config: own } = metadata;
  const generated = generatedConfig(metadata);
  return own === undefined ? generated : ownConfig(own, metadata, generated);
}

function generatedConfig({ name, platform, kind, decoupled, inputs, outputs }: ServableMetadata) {
  return {
    name,
    platform,
    backend: BACKENDS[kind],
    runtime: '',
    version_policy: { latest: { num_versions: 1 } },
    // Shapes in our metadata include the batch dimension.
    max_batch_size: 0,
    input: inputs.map(configInput),
    output: outputs.map(configOutput),
    batch_input: [],
    batch_output: [],
    optimization: {
      priority: 'PRIORITY_DEFAULT',
      input_pinned_memory: { enable: false },
      output_pinned_memory: { enable: false },
      gather_kernel_buffer_threshold: 0,
      eager_batching: false,
    },
    instance_group: [
      {
        name: `${name}_0`,
        kind: 'KIND_CPU',
        count: 1,
        gpus: [],
        secondary_devices: [],
        profile: [],
        passive: false,
        host_policy: '',
      },
    ],
    default_model_filename: kind === 'model' ? 'model.onnx' : '',
    cc_model_filenames: {},
    metric_tags: {},
    parameters: {},
    model_warmup: [],
    model_transaction_policy: { decoupled },
  };
}

function configInput({ name, datatype, shape, optional = false }: TensorSpec): object {
  return {
    name,
    data_type: configDatatype(datatype),
    format: 'FORMAT_NONE',
    dims: shape,
    is_shape_tensor: false,
    allow_ragged_batch: false,
    optional,
    is_non_linear_format_io: false,
  };
}

function configOutput({ name, datatype, shape }: TensorSpec): object {
  return {
    name,
    data_type: configDatatype(datatype),
    dims: shape,
    label_filename: '',
    is_shape_tensor: false,
    is_non_linear_format_io: false,
  };
}
