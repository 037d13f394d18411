import type { FastifyInstance } from 'fastify';
import type { RestParts } from './parts.ts';

/**
 * Liveness and readiness: 200 or 503, empty body. Triton answers 400 when not ready; load balancers and Kubernetes take
 * either, but 503 alone means "try elsewhere", and clients look at 200 or not.
 */
export async function healthRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const response = {
    200: { description: 'Yes', type: 'null' },
    503: { description: 'No', type: 'null' },
  };
  app.get(
    '/v2/health/live',
    { schema: { summary: 'Whether the server runs', tags: ['health'], response } },
    (_, reply) => reply.code(dataPlane.isLive() ? 200 : 503).send(),
  );
  app.get(
    '/v2/health/ready',
    { schema: { summary: 'Whether the server takes requests', tags: ['health'], response } },
    (_, reply) => reply.code(dataPlane.isReady() ? 200 : 503).send(),
  );
}
