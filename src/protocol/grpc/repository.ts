import { MillraceError } from '../../base/errors.ts';
import { visible } from '../../security/grant.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import type { ModelRepositoryParameter__Output } from '../wire/generated/inference/ModelRepositoryParameter.ts';
import type { RepositoryIndexRequest__Output } from '../wire/generated/inference/RepositoryIndexRequest.ts';
import type { RepositoryIndexResponse } from '../wire/generated/inference/RepositoryIndexResponse.ts';
import type { RepositoryModelLoadRequest__Output } from '../wire/generated/inference/RepositoryModelLoadRequest.ts';
import type { RepositoryModelUnloadRequest__Output } from '../wire/generated/inference/RepositoryModelUnloadRequest.ts';
import {
  readLoadOverride,
  refuseRepositoryName,
  toLoadFailure,
  unloadsDependents,
  type LoadParameters,
} from '../wire/repository-calls.ts';
import { repositoryIndex } from '../wire/repository-index.ts';
import type { Messages } from './messages.ts';
import type { Methods, UnaryHandler } from './transport.ts';

/** Triton's model repository extension: the list of servables, load and unload. */
export function repositoryMethods(messages: Messages, dataPlane: DataPlane): Methods {
  const unary = (name: string, handler: UnaryHandler): Methods => ({
    [`/inference.GRPCInferenceService/${name}`]: { kind: 'unary', handler },
  });
  const index = messages.unary(
    'inference.RepositoryIndex',
    ({ repository_name: repository, ready }: RepositoryIndexRequest__Output, { grant }): RepositoryIndexResponse => {
      refuseRepositoryName(repository);
      return { models: repositoryIndex(visible(grant, dataPlane.list()), ready) };
    },
  );
  const load = messages.unary(
    'inference.RepositoryModelLoad',
    async (request: RepositoryModelLoadRequest__Output, { grant }) => {
      refuseRepositoryName(request.repository_name);
      const override = readLoadOverride(bytesFor(request.parameters));
      try {
        await dataPlane.load(request.model_name, override, (model) => grant?.check(model));
      } catch (error) {
        throw toLoadFailure(error, request.model_name);
      }
      return {};
    },
  );
  const unload = messages.unary(
    'inference.RepositoryModelUnload',
    async (request: RepositoryModelUnloadRequest__Output, { grant }) => {
      refuseRepositoryName(request.repository_name);
      const isWhole = unloadsDependents(valuesOf(request.parameters));
      try {
        await dataPlane.unload(request.model_name, isWhole ? (model) => grant?.check(model) : undefined);
      } catch (error) {
        // What is not there need not go.
        if (MillraceError.from(error).reason !== 'SERVABLE_NOT_FOUND') throw error;
      }
      return {};
    },
  );
  return {
    ...unary('RepositoryIndex', index),
    ...unary('RepositoryModelLoad', load),
    ...unary('RepositoryModelUnload', unload),
  };
}

function valuesOf(parameters: Readonly<Record<string, ModelRepositoryParameter__Output>>): LoadParameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      value.parameter_choice === undefined ? null : value[value.parameter_choice],
    ]),
  );
}

/** A text where bytes are expected is no file: over REST it would be base64. */
function bytesFor(parameters: Readonly<Record<string, ModelRepositoryParameter__Output>>): LoadParameters {
  return Object.fromEntries(
    Object.entries(valuesOf(parameters)).map(([name, value]) => [
      name,
      name.startsWith('file:') && typeof value === 'string' ? null : value,
    ]),
  );
}
