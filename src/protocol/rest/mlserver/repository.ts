import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../../base/errors.ts';
import { visible } from '../../../security/grant.ts';
import { repositoryIndex } from '../../wire/repository-index.ts';
import { bodyOf } from '../body.ts';
import type { RestParts } from '../parts.ts';
import { failures, IndexRequest, jsonSchema, RepositoryIndex } from '../schemas.ts';
import { mlserverFailure, unprocessable } from './failure.ts';
import { missingBody, type SchemaFault } from './schema-faults.ts';

/** MLServer's calls of the model repository (its sheet, §7): the index wants a body; load and unload have none. */
export async function mlserverRepositoryRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const index = {
    summary: 'Every servable with its state',
    tags: ['repository'],
    body: jsonSchema(IndexRequest),
    response: { 200: jsonSchema(RepositoryIndex), ...failures },
  };
  app.post('/v2/repository/index', { schema: index }, async (request, reply) => {
    const wanted = readIndexRequest(bodyOf(request));
    if (typeof wanted !== 'boolean') return refuse(reply, unprocessable([wanted]));
    return repositoryIndex(visible(request.grant, dataPlane.list()), wanted).map(({ version, ...entry }) =>
      version === '' ? entry : { name: entry.name, version, state: entry.state, reason: entry.reason },
    );
  });
  for (const verb of ['load', 'unload'] as const) {
    const schema = { summary: `${verb} a model`, tags: ['repository'], response: { ...failures } };
    app.post(`/v2/repository/models/:model/${verb}`, { schema }, async (request: FastifyRequest, reply) => {
      const { model } = request.params as { readonly model: string };
      try {
        await dataPlane[verb](model);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        const failure = mlserverFailure(error, { ref: { servable: model, version: '' }, body: undefined });
        return refuse(reply, { ...failure, status: failure.status === 404 ? 404 : 500 });
      }
      return reply.code(200).send();
    });
  }
}

function refuse(reply: FastifyReply, { status, body }: { status: number; body: string }): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(body);
}

/** Whether only those are wanted that are ready; or what is wrong with the body. */
function readIndexRequest(body: Buffer): boolean | SchemaFault {
  if (body.length === 0) return missingBody();
  let input: unknown;
  try {
    input = JSON.parse(body.toString('utf8'));
  } catch (error) {
    const { message } = error as Error;
    return { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {}, ctx: { error: message } };
  }
  if (input === null) return missingBody();
  if (typeof input !== 'object' || Array.isArray(input)) {
    const msg = 'Input should be a valid dictionary or object to extract fields from';
    return { type: 'model_attributes_type', loc: ['body'], msg, input };
  }
  const ready: unknown = 'ready' in input ? input.ready : null;
  if (ready === null || typeof ready === 'boolean') return ready === true;
  return {
    type: 'bool_type',
    loc: ['body', 'ready'],
    msg: 'Input should be a valid boolean',
    input: ready,
  };
}
