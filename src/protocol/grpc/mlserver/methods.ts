import type { DataPlane, ServableMetadata } from '../../../serving/data-plane.ts';
import { answered } from '../../../serving/questions.ts';
import type { TensorSpec } from '../../../tensor/tensor.ts';
import { CloudEvents } from '../../wire/cloud-events.ts';
import type { ModelMetadataRequest__Output } from '../../wire/generated/inference/ModelMetadataRequest.ts';
import type { ModelReadyRequest__Output } from '../../wire/generated/inference/ModelReadyRequest.ts';
import type { ModelReadyResponse } from '../../wire/generated/inference/ModelReadyResponse.ts';
import type { RepositoryModelLoadRequest__Output } from '../../wire/generated/inference/RepositoryModelLoadRequest.ts';
import { toMlserverError } from '../../wire/mlserver-faults.ts';
import type { Messages } from '../messages.ts';
import { serverMethods, type ServerIdentity } from '../server.ts';
import type { Methods, UnaryHandler } from '../transport.ts';
import { mlserverInferHandler } from './infer.ts';
import { mlserverStreamHandler } from './stream.ts';

const SERVICE = '/inference.GRPCInferenceService/';
/** Deprecated in MLServer: the same calls of the repository. */
const REPOSITORY_SERVICE = '/inference.model_repository.ModelRepositoryService/';

/** MLServer's gRPC service, and its older one for the repository (its sheet, §8). */
export function mlserverMethods(messages: Messages, dataPlane: DataPlane, identity: ServerIdentity): Methods {
  const events = new CloudEvents(identity.name);
  const unary = (handler: UnaryHandler) => ({ kind: 'unary', handler }) as const;
  const common = serverMethods(messages, dataPlane, identity);
  return {
    ...common,
    [`${SERVICE}ModelReady`]: unary(modelReady(messages, dataPlane)),
    [`${SERVICE}ModelMetadata`]: unary(modelMetadata(messages, dataPlane)),
    [`${SERVICE}ModelInfer`]: unary(mlserverInferHandler(dataPlane, events)),
    [`${SERVICE}ModelStreamInfer`]: { kind: 'stream', handler: mlserverStreamHandler(dataPlane, events) },
    ...repositoryMethods(messages, dataPlane, SERVICE, 'inference.'),
    ...repositoryMethods(messages, dataPlane, REPOSITORY_SERVICE, 'inference.model_repository.'),
    [`${REPOSITORY_SERVICE}RepositoryIndex`]: common[`${SERVICE}RepositoryIndex`] as Methods[string],
  };
}

function modelReady(messages: Messages, dataPlane: DataPlane): UnaryHandler {
  return messages.unary('inference.ModelReady', ({ name, version }: ModelReadyRequest__Output): ModelReadyResponse => {
    const question = { method: 'ModelReady', name, version, via: 'gRPC' } as const;
    const ready = answered(dataPlane, question, () => dataPlane.isServableReady(name, version));
    if (!ready && !dataPlane.list().some((each) => each.name === name)) {
      asMlserver(name, version, () => dataPlane.metadata(name, version));
    }
    return { ready };
  });
}

function modelMetadata(messages: Messages, dataPlane: DataPlane): UnaryHandler {
  return messages.unary('inference.ModelMetadata', ({ name, version }: ModelMetadataRequest__Output) => {
    const question = { method: 'ModelMetadata', name, version, via: 'gRPC' } as const;
    const answer = () => asMlserver(name, version, () => dataPlane.metadata(name, version));
    return toMetadata(answered(dataPlane, question, answer));
  });
}

/** What `call` gives; its errors in MLServer's texts. */
function asMlserver<Result>(servable: string, version: string, call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw toMlserverError(error, { servable, version });
  }
}

interface InferParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: number;
  readonly string_param?: string;
  readonly double_param?: number;
}

function toMetadata(metadata: ServableMetadata): object {
  const { name, platform, inputs, outputs, parameters } = metadata;
  const versions = metadata.declaredVersions ?? metadata.versions;
  return {
    name,
    versions: [...versions],
    platform,
    inputs: inputs.map(tensorMetadata),
    outputs: outputs.map(tensorMetadata),
    parameters: toParameters(parameters),
  };
}

function tensorMetadata({ name, datatype, shape, parameters }: TensorSpec): object {
  return { name, datatype, shape: [...shape], parameters: toParameters(parameters) };
}

/** JSON that no InferParameter can hold is left out. */
function toParameters(parameters: Readonly<Record<string, unknown>> = {}): Record<string, InferParameter> {
  const out: Record<string, InferParameter> = {};
  for (const [key, value] of Object.entries(parameters)) {
    if (typeof value === 'boolean') out[key] = { bool_param: value };
    else if (typeof value === 'string') out[key] = { string_param: value };
    else if (Number.isSafeInteger(value)) out[key] = { int64_param: value as number };
    else if (typeof value === 'number') out[key] = { double_param: value };
  }
  return out;
}

function repositoryMethods(messages: Messages, dataPlane: DataPlane, service: string, prefix: string): Methods {
  const method = (name: string, run: (model: string) => Promise<void>) =>
    ({
      kind: 'unary',
      handler: messages.unary(`${prefix}${name}`, async ({ model_name: model }: RepositoryModelLoadRequest__Output) => {
        try {
          await run(model);
        } catch (error) {
          throw toMlserverError(error, { servable: model, version: '' });
        }
        return {};
      }),
    }) as const;
  return {
    [`${service}RepositoryModelLoad`]: method('RepositoryModelLoad', (model) => dataPlane.load(model)),
    [`${service}RepositoryModelUnload`]: method('RepositoryModelUnload', (model) => dataPlane.unload(model)),
  };
}
