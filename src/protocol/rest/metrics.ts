import type { FastifyInstance } from 'fastify';
import type { MetricsPage } from './parts.ts';

/** Prometheus metrics, with and without a trailing slash as Triton has them. */
export async function metricsRoutes(
  app: FastifyInstance,
  { metrics }: { readonly metrics: () => Promise<MetricsPage> },
): Promise<void> {
  for (const path of ['/metrics', '/metrics/']) {
    const schema = { summary: 'Metrics in Prometheus text form', tags: ['metrics'], hide: path.endsWith('/') };
    app.get(path, { schema }, async (_, reply) => {
      const { contentType, body } = await metrics();
      return reply.header('content-type', contentType).send(body);
    });
  }
}
