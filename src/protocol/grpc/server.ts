import { visible } from '../../security/grant.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import { answered } from '../../serving/questions.ts';
import type { TensorSpec } from '../../tensor/tensor.ts';
import type { ModelMetadataRequest__Output } from '../wire/generated/inference/ModelMetadataRequest.ts';
import type { ModelMetadataResponse } from '../wire/generated/inference/ModelMetadataResponse.ts';
import type { ModelReadyRequest__Output } from '../wire/generated/inference/ModelReadyRequest.ts';
import type { ModelReadyResponse } from '../wire/generated/inference/ModelReadyResponse.ts';
import type { RepositoryIndexRequest__Output } from '../wire/generated/inference/RepositoryIndexRequest.ts';
import type { RepositoryIndexResponse } from '../wire/generated/inference/RepositoryIndexResponse.ts';
import type { ServerLiveResponse } from '../wire/generated/inference/ServerLiveResponse.ts';
import type { ServerMetadataResponse } from '../wire/generated/inference/ServerMetadataResponse.ts';
import type { ServerReadyResponse } from '../wire/generated/inference/ServerReadyResponse.ts';
import { repositoryIndex } from '../wire/repository-index.ts';
import type { Messages } from './messages.ts';
import type { Methods, UnaryHandler } from './transport.ts';

/** What ServerMetadata answers. */
export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** Health, readiness and metadata of the server and its servables, and their list. */
export function serverMethods(messages: Messages, dataPlane: DataPlane, identity: ServerIdentity): Methods {
  const unary = (handler: UnaryHandler) => ({ kind: 'unary', handler }) as const;
  return {
    '/inference.GRPCInferenceService/ServerLive': unary(
      messages.unary('inference.ServerLive', (): ServerLiveResponse => ({ live: dataPlane.isLive() })),
    ),
    '/inference.GRPCInferenceService/ServerReady': unary(
      messages.unary('inference.ServerReady', (): ServerReadyResponse => ({ ready: dataPlane.isReady() })),
    ),
    '/inference.GRPCInferenceService/ModelReady': unary(
      messages.unary('inference.ModelReady', ({ name, version }: ModelReadyRequest__Output): ModelReadyResponse => ({
        ready: answered(dataPlane, { method: 'ModelReady', name, version, via: 'gRPC' }, () =>
          dataPlane.isServableReady(name, version),
        ),
      })),
    ),
    '/inference.GRPCInferenceService/ServerMetadata': unary(
      messages.unary('inference.ServerMetadata', (): ServerMetadataResponse => ({
        ...identity,
        extensions: [...identity.extensions],
      })),
    ),
    '/inference.GRPCInferenceService/ModelMetadata': unary(
      messages.unary('inference.ModelMetadata', ({ name, version }: ModelMetadataRequest__Output) =>
        modelMetadata(dataPlane, name, version),
      ),
    ),
    '/inference.GRPCInferenceService/RepositoryIndex': unary(
      messages.unary(
        'inference.RepositoryIndex',
        ({ ready }: RepositoryIndexRequest__Output, { grant }): RepositoryIndexResponse => ({
          models: repositoryIndex(visible(grant, dataPlane.list()), ready),
        }),
      ),
    ),
  };
}

function modelMetadata(dataPlane: DataPlane, name: string, version: string): ModelMetadataResponse {
  const question = { method: 'ModelMetadata', name, version, via: 'gRPC' } as const;
  const metadata = answered(dataPlane, question, () => dataPlane.metadata(name, version));
  return {
    name: metadata.name,
    versions: [...metadata.versions],
    platform: metadata.platform,
    inputs: metadata.inputs.map(tensorMetadata),
    outputs: metadata.outputs.map(tensorMetadata),
  };
}

function tensorMetadata({ name, datatype, shape }: TensorSpec): { name: string; datatype: string; shape: number[] } {
  return { name, datatype, shape: [...shape] };
}
