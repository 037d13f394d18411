import type { FastifyInstance } from 'fastify';
import type { MetricsPage } from './parts.ts';

/** Prometheus metrics, with and without a trailing slash as Triton has them. */
export async function metricsRoutes(
  app: FastifyInstance,
  { metrics, path = '/metrics' }: { readonly metrics: () => Promise<MetricsPage>; readonly path?: string | undefined },
): Promise<void> {
  const bare = `/${path.replace(/^\/+|\/+$/g, '')}`;
  for (const each of new Set([bare, bare === '/' ? bare : `${bare}/`])) {
    const schema = { summary: 'Metrics in Prometheus text form', tags: ['metrics'], hide: each.endsWith('/') };
    app.get(each, { schema }, async (_, reply) => {
      const { contentType, body } = await metrics();
      return reply.header('content-type', contentType).send(body);
    });
  }
}
