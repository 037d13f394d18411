import type { DataPlane } from '../../serving/data-plane.ts';
import type { ModelConfigRequest__Output } from '../wire/generated/inference/ModelConfigRequest.ts';
import type { ModelConfigResponse } from '../wire/generated/inference/ModelConfigResponse.ts';
import { BACKENDS, configDatatype, ownConfig } from '../wire/model-config.ts';
import type { Messages } from './messages.ts';
import type { UnaryHandler } from './transport.ts';

/** ModelConfig: what perf_analyzer and tritonclient read of a model's configuration. Batching is never in the shapes. */
export function modelConfigHandler(messages: Messages, dataPlane: DataPlane): UnaryHandler {
  return messages.unary('inference.ModelConfig', ({ name, version }: ModelConfigRequest__Output) =>
    modelConfig(dataPlane, name, version),
  );
}

function modelConfig(dataPlane: DataPlane, name: string, version: string): ModelConfigResponse {
  const metadata = dataPlane.metadata(name, version);
  const generated = {
    name: metadata.name,
    platform: metadata.platform,
    backend: BACKENDS[metadata.kind],
    version_policy: { latest: { num_versions: 1 } },
    max_batch_size: 0,
    input: metadata.inputs.map((input) => ({
      name: input.name,
      data_type: configDatatype(input.datatype),
      dims: [...input.shape],
      optional: input.optional === true,
    })),
    output: metadata.outputs.map((output) => ({
      name: output.name,
      data_type: configDatatype(output.datatype),
      dims: [...output.shape],
    })),
    model_transaction_policy: { decoupled: metadata.decoupled },
  };
  const { config: own } = metadata;
  return { config: own === undefined ? generated : ownConfig(own, metadata, generated) };
}
