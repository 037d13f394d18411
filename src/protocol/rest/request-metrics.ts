import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Counter, Gauge, Histogram, Meter } from '../../base/meter.ts';
import type { OwnRoute } from '../../serving/own-routes.ts';

/** starlette-exporter's, in seconds. */
const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Not counted, as in MLServer. */
const SKIPPED: ReadonlySet<string> = new Set(['/metrics', '/metrics/', '/v2/health/live', '/v2/health/ready']);
/** MLServer's names of the parameters in its paths. */
const PARAMETERS: Readonly<Record<string, string>> = { model: 'model_name', version: 'model_version' };
const APP = 'mlserver';
/** The client left before there was an answer (nginx's number). */
const NO_ANSWER = 499;

interface Outcome {
  readonly requests: Counter;
  readonly seconds: Histogram;
}

/**
 * Counts requests by MLServer's names and labels (its sheet, §10): by method, path template and status; a stream until its
 * end. Series are bound once for each of them.
 * @param prefix first part of the names
 * @param ownRouteOf who answers what no route of ours does
 */
export function countRequests(
  app: FastifyInstance,
  meter: Meter,
  prefix: string,
  ownRouteOf: (request: FastifyRequest) => OwnRoute | undefined,
): void {
  const labels = ['app_name', 'method', 'path', 'status_code'];
  const requests = meter.counter(`${prefix}_requests_total`, 'Total HTTP requests', labels);
  const seconds = meter.histogram(
    `${prefix}_request_duration_seconds`,
    'HTTP request duration, in seconds',
    labels,
    BOUNDS_S,
  );
  const inProgress = meter.gauge(`${prefix}_requests_in_progress`, 'Total HTTP requests currently in progress', [
    'app_name',
    'method',
  ]);
  const gauges = new Map<string, Gauge>();
  const outcomes = new Map<string, Map<number, Outcome>>();

  app.addHook('onRequest', (request, reply, done) => {
    done();
    const { method } = request;
    const url = request.routeOptions.url ?? ownRouteOf(request)?.pattern ?? '';
    if (SKIPPED.has(url)) return;
    const startedAt = performance.now();
    let gauge = gauges.get(method);
    if (gauge === undefined) gauges.set(method, (gauge = inProgress.with({ app_name: APP, method })));
    gauge.add(1);
    reply.raw.once('close', () => {
      gauge.add(-1);
      const { headersSent, statusCode } = reply.raw;
      const outcome = outcomeOf(method, url, headersSent ? statusCode : NO_ANSWER);
      outcome.requests.add(1);
      outcome.seconds.observe((performance.now() - startedAt) / 1000);
    });
  });

  function outcomeOf(method: string, url: string, status: number): Outcome {
    const key = `${method} ${url}`;
    let byStatus = outcomes.get(key);
    if (byStatus === undefined) outcomes.set(key, (byStatus = new Map()));
    let outcome = byStatus.get(status);
    if (outcome === undefined) {
      const own = { app_name: APP, method, path: templateOf(url), status_code: String(status) };
      byStatus.set(status, (outcome = { requests: requests.with(own), seconds: seconds.with(own) }));
    }
    return outcome;
  }
}

function templateOf(url: string): string {
  return url.replace(/:(\w+)/g, (_, name: string) => `{${PARAMETERS[name] ?? name}}`);
}
