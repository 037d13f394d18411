import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { MillraceError } from '../../base/errors.ts';
import { visible } from '../../security/grant.ts';
import type { JsonValue } from '../wire/json-reader.ts';
import { parseJson } from '../wire/json-reader.ts';
import { repositoryIndex } from '../wire/repository-index.ts';
import { bodyOf } from './body.ts';
import type { RestParts } from './parts.ts';
import { failures, IndexRequest, jsonSchema, RepositoryIndex } from './schemas.ts';

/** `POST /v2/repository/index`: every servable with its state. */
export async function repositoryRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const schema = {
    summary: 'Every servable with its state',
    tags: ['repository'],
    body: jsonSchema(IndexRequest),
    response: { 200: jsonSchema(RepositoryIndex), ...failures },
  };
  app.post('/v2/repository/index', { schema }, async (request) => {
    const body = bodyOf(request);
    const { ready } = body.length === 0 ? {} : parseIndexRequest(parseJson(body));
    return repositoryIndex(visible(request.grant, dataPlane.list()), ready === true);
  });
}

function parseIndexRequest(value: JsonValue): z.infer<typeof IndexRequest> {
  const result = IndexRequest.safeParse(value);
  if (result.success) return result.data;
  throw new MillraceError(
    'MALFORMED_REQUEST',
    `the request body is not an index request: ${z.prettifyError(result.error)}`,
  );
}
