import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { visible } from '../../security/grant.ts';
import { readLoadOverride, refuseRepositoryName, toLoadFailure, unloadsDependents } from '../wire/repository-calls.ts';
import { repositoryIndex } from '../wire/repository-index.ts';
import { done, DONE } from './done.ts';
import { readBodyAs } from './json-body.ts';
import type { RestParts } from './parts.ts';
import { failures, IndexRequest, jsonSchema, RepositoryIndex } from './schemas.ts';

const LoadRequest = z.looseObject({
  parameters: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      '`config`: a ModelConfig as JSON text; `file:PATH`: a file of the model in base64. They count in the place of its own.',
    ),
});
const UnloadRequest = z.looseObject({
  parameters: z
    .looseObject({
      unload_dependents: z.boolean().optional().describe('Of an ensemble: the models of its steps go, too.'),
    })
    .optional(),
});
const tags = ['repository'];

/** Triton's model repository extension: every servable with its state, load and unload. A repository has no name. */
export async function repositoryRoutes(app: FastifyInstance, parts: RestParts): Promise<void> {
  for (const base of ['/v2/repository', '/v2/repository/:repository']) {
    indexRoute(app, base, parts);
    loadRoutes(app, base, parts);
  }
}

function indexRoute(app: FastifyInstance, base: string, { dataPlane }: RestParts): void {
  const schema = {
    summary: 'Every servable with its state',
    tags,
    body: jsonSchema(IndexRequest),
    response: { 200: jsonSchema(RepositoryIndex), ...failures },
  };
  app.post(`${base}/index`, { schema }, async (request) => {
    const { ready } = readBodyAs(request, 'index request', IndexRequest, true);
    return repositoryIndex(visible(request.grant, dataPlane.list()), ready === true);
  });
}

interface Params {
  readonly repository?: string;
  readonly model: string;
}

function loadRoutes(app: FastifyInstance, base: string, { dataPlane }: RestParts): void {
  const modelOf = (request: FastifyRequest): string => {
    const { repository = '', model } = request.params as Params;
    refuseRepositoryName(repository);
    return model;
  };
  const load = { summary: 'Load or reload a servable', tags, body: jsonSchema(LoadRequest) };
  app.post(
    `${base}/models/:model/load`,
    { schema: { ...load, response: { 200: DONE, ...failures } } },
    async (request, reply) => {
      const model = modelOf(request);
      const { parameters } = readBodyAs(request, 'load request', LoadRequest, true);
      const override = readLoadOverride(parameters ?? {});
      try {
        await dataPlane.load(model, override, (each) => request.grant?.check(each));
      } catch (error) {
        throw toLoadFailure(error, model);
      }
      return done(reply);
    },
  );
  const unload = { summary: 'Unload a servable', tags, body: jsonSchema(UnloadRequest) };
  app.post(
    `${base}/models/:model/unload`,
    { schema: { ...unload, response: { 200: DONE, ...failures } } },
    async (request, reply) => {
      const model = modelOf(request);
      const { parameters } = readBodyAs(request, 'unload request', UnloadRequest, true);
      try {
        const isWhole = unloadsDependents(parameters ?? {});
        await dataPlane.unload(model, isWhole ? (each) => request.grant?.check(each) : undefined);
      } catch (error) {
        // What is not there need not go.
        if (MillraceError.from(error).reason !== 'SERVABLE_NOT_FOUND') throw error;
      }
      return done(reply);
    },
  );
}
