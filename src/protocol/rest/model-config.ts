import type { Datatype } from '../../tensor/datatype.ts';
import type { TensorSpec } from '../../tensor/tensor.ts';
import type { ServableMetadata } from '../../serving/data-plane.ts';

/** Triton's `ModelConfig` as JSON, as far as a servable's metadata tells: what perf_analyzer and clients ask for. */
export function modelConfig(metadata: ServableMetadata): object {
  return {
    name: metadata.name,
    platform: metadata.platform,
    backend: metadata.kind === 'model' ? 'onnxruntime' : 'millrace',
    version_policy: { latest: { num_versions: 1 } },
    // Shapes in our metadata include the batch dimension.
    max_batch_size: 0,
    input: metadata.inputs.map(toConfigTensor),
    output: metadata.outputs.map(toConfigTensor),
    model_transaction_policy: { decoupled: metadata.decoupled },
  };
}

function toConfigTensor({ name, datatype, shape, optional }: TensorSpec): object {
  const common = { name, data_type: configDatatype(datatype), dims: shape };
  return optional === true ? { ...common, optional } : common;
}

function configDatatype(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`;
}
