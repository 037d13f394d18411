import fastify from 'fastify';
import type { Logger } from '../../base/logger.ts';
import type { Guard } from '../../security/guard.ts';
import { httpsOf, refuseBadHttp, sendError } from './app.ts';
import { checkRoutes, guardRequests } from './guard.ts';
import { listenWith, type RestListener } from './listen.ts';
import { metricsRoutes } from './metrics.ts';
import type { MetricsPage, RestOptions } from './parts.ts';

/** A port with nothing but the metrics. Throws as `listenRest` does. */
export async function listenMetrics(
  options: Pick<RestOptions, 'host' | 'port' | 'tls' | 'metricsPath'>,
  metrics: () => Promise<MetricsPage>,
  logger: Logger,
  guard?: Guard,
): Promise<RestListener> {
  const settings = { logger: false, forceCloseConnections: 'idle', clientErrorHandler: refuseBadHttp } as const;
  const app = fastify({ ...settings, ...httpsOf(options.tls) });
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, logger));
  checkRoutes(app, options);
  if (guard !== undefined) guardRequests(app, guard, options);
  await app.register(metricsRoutes, { metrics, path: options.metricsPath });
  return listenWith(app, options, 'metrics');
}
