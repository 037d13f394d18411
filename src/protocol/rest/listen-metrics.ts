import fastify from 'fastify';
import type { Logger } from '../../base/logger.ts';
import { sendError } from './app.ts';
import { listenWith, type RestListener } from './listen.ts';
import { metricsRoutes } from './metrics.ts';
import type { MetricsPage, RestOptions } from './parts.ts';

/** A port with nothing but the metrics. Throws as `listenRest` does. */
export async function listenMetrics(
  options: Pick<RestOptions, 'host' | 'port' | 'metricsPath'>,
  metrics: () => Promise<MetricsPage>,
  logger: Logger,
): Promise<RestListener> {
  const app = fastify({ logger: false, forceCloseConnections: 'idle' });
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, logger));
  await app.register(metricsRoutes, { metrics, path: options.metricsPath });
  return listenWith(app, options, 'metrics');
}
