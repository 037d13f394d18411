import type { FastifyInstance } from 'fastify';
import { jsonSchema, ServerMetadata } from './schemas.ts';

/** Protocol extensions as Triton names them. */
const EXTENSIONS = ['binary_tensor_data', 'generate', 'model_configuration', 'parameters', 'statistics'] as const;

/** `GET /v2`: name, version and extensions of the server. */
export async function serverRoutes(app: FastifyInstance, { version }: { readonly version: string }): Promise<void> {
  const schema = {
    summary: 'Name, version and extensions',
    tags: ['server'],
    response: { 200: jsonSchema(ServerMetadata) },
  };
  app.get('/v2', { schema }, () => ({ name: 'millrace', version, extensions: EXTENSIONS }));
}
