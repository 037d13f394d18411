import type { FastifyInstance } from 'fastify';
import { jsonSchema, ServerMetadata } from './schemas.ts';

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}

/** `GET /v2`: name, version and extensions of the server. */
export async function serverRoutes(app: FastifyInstance, { name, version, extensions }: ServerIdentity): Promise<void> {
  const schema = {
    summary: 'Name, version and extensions',
    tags: ['server'],
    response: { 200: jsonSchema(ServerMetadata) },
  };
  app.get('/v2', { schema }, () => ({ name, version, extensions }));
}
