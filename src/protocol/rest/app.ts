import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { readBodiesAsBuffers } from './body.ts';
import { configRoutes } from './config.ts';
import { generateRoutes } from './generate.ts';
import { healthRoutes } from './health.ts';
import { inferRoutes } from './infer.ts';
import { metricsRoutes } from './metrics.ts';
import { modelRoutes } from './models.ts';
import { openapiRoutes, describeRoutes } from './openapi.ts';
import { DEFAULT_LIMITS, type RestOptions, type RestParts } from './parts.ts';
import { repositoryRoutes } from './repository.ts';
import { RouteTable } from './route-table.ts';
import { serverRoutes } from './server.ts';
import { errorBody, httpStatus } from './status.ts';

/** Fastify refuses longer path parameters as unknown paths; names of servables may be long. */
const MAX_NAME_LENGTH = 1024;

/** The REST front, not yet listening; tests call it with `inject()`. */
export async function buildRestApp(
  options: Omit<RestOptions, 'host' | 'port'>,
  parts: RestParts,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    requestTimeout: options.requestTimeoutMs ?? 300_000,
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    frameworkErrors: (error, _request, reply) => sendError(reply as FastifyReply, error, parts.logger),
    clientErrorHandler: refuseBadHttp,
  });
  // Fastify's default validator drops unknown fields and coerces types; its serializer compiles one per schema. Bodies are
  // checked by the codecs and by zod, so schemas of routes only document.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler<FastifyError>((error, _request, reply) => sendError(reply, error, parts.logger));
  readBodiesAsBuffers(app, {
    maxJsonBytes: options.maxJsonBytes ?? DEFAULT_LIMITS.maxJsonBytes,
    maxBinaryBytes: options.maxBinaryBytes ?? DEFAULT_LIMITS.maxBinaryBytes,
  });
  const origins = options.corsOrigins ?? [];
  if (origins.length > 0) await app.register(cors, { origin: origins.includes('*') ? '*' : [...origins] });
  const hasDocs = options.docs ?? true;
  if (hasDocs) await describeRoutes(app, options.serverVersion ?? '0.0.0');

  const table = new RouteTable(app);
  await app.register(healthRoutes, parts);
  await app.register(serverRoutes, { version: options.serverVersion ?? '0.0.0' });
  await app.register(modelRoutes, parts);
  await app.register(inferRoutes, parts);
  await app.register(generateRoutes, parts);
  await app.register(repositoryRoutes, parts);
  await app.register(configRoutes, parts);
  if (parts.metrics !== undefined) {
    await app.register(metricsRoutes, { metrics: parts.metrics, path: options.metricsPath });
  }
  if (hasDocs) await app.register(openapiRoutes);
  table.refuseTheRest(origins.length > 0, hasDocs);
  return app;
}

/** Answers with the status and JSON of `error`; what is no fault of the client's is logged whole. */
export function sendError(reply: FastifyReply, thrown: unknown, logger: Logger): void {
  const error = fromFastify(thrown) ?? MillraceError.from(thrown);
  if (error.reason === 'INTERNAL') {
    logger.error({ err: error.cause ?? error, url: reply.request.url }, 'request failed');
  }
  if (error.reason === 'UNSUPPORTED_ENCODING') void reply.header('accept-encoding', 'gzip, deflate');
  void reply
    .code(httpStatus(error))
    .header('content-type', 'application/json')
    .send(errorBody(error.message, error.reason));
}

/** Fastify's own errors are about the request; their messages are fit to be sent. */
function fromFastify(error: unknown): MillraceError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  if (typeof error.code !== 'string' || !error.code.startsWith('FST_')) return undefined;
  if (typeof error.statusCode !== 'number' || error.statusCode >= 500) return undefined;
  return new MillraceError('MALFORMED_REQUEST', error.message);
}

/** What is not HTTP gets an answer in our form, if there is still somebody to read it. */
function refuseBadHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? '408 Request Timeout'
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request';
  const body = errorBody(`not a valid HTTP request: ${status.slice(4)}`, 'BAD_HTTP');
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
}
