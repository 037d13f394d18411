import type { FastifyInstance } from 'fastify';
import { EXTENSIONS } from '../wire/extensions.ts';
import { jsonSchema, ServerMetadata } from './schemas.ts';

/** `GET /v2`: name, version and extensions of the server. */
export async function serverRoutes(app: FastifyInstance, { version }: { readonly version: string }): Promise<void> {
  const schema = {
    summary: 'Name, version and extensions',
    tags: ['server'],
    response: { 200: jsonSchema(ServerMetadata) },
  };
  app.get('/v2', { schema }, () => ({ name: 'millrace', version, extensions: EXTENSIONS }));
}
