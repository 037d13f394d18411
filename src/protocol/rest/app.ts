import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import cors from '@fastify/cors';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { Tls } from '../../security/tls.ts';
import { readBodiesAsBuffers } from './body.ts';
import { EXTENSIONS, TRITON_EXTENSIONS } from '../wire/extensions.ts';
import { CloudEvents } from '../wire/cloud-events.ts';
import { configRoutes } from './config.ts';
import { toCors } from './cors.ts';
import { tritonFailure, type FailureForm } from './failure.ts';
import { generateRoutes } from './generate.ts';
import { checkRoutes, guardRequests } from './guard.ts';
import { healthRoutes } from './health.ts';
import { inferRoutes } from './infer.ts';
import { metricsRoutes } from './metrics.ts';
import { mlserverDocsRoutes } from './mlserver/docs.ts';
import { mlserverFailure } from './mlserver/failure.ts';
import { mlserverInferRoutes } from './mlserver/infer.ts';
import { mlserverModelRoutes } from './mlserver/models.ts';
import { mlserverRepositoryRoutes } from './mlserver/repository.ts';
import { answerOwnRoute, ownRouteOf } from './own-routes.ts';
import { cleanPath, ownPath, pathOf } from './root-path.ts';
import { metadataRoutes, modelRoutes } from './models.ts';
import { allPipelineRoutes } from './pipelines/index.ts';
import { openapiRoutes, describeRoutes } from './openapi.ts';
import { DEFAULT_LIMITS, type RestOptions, type RestParts } from './parts.ts';
import { repositoryRoutes } from './repository.ts';
import { countRequests } from './request-metrics.ts';
import { RouteTable } from './route-table.ts';
import { modelOf } from './schemas.ts';
import { serverRoutes, type ServerIdentity } from './server.ts';
import { settingRoutes } from './settings.ts';
import { sharedMemoryRoutes } from './shared-memory.ts';
import { errorBody } from './status.ts';

/** Fastify refuses longer path parameters as unknown paths; names of servables may be long. */
const MAX_NAME_LENGTH = 1024;

/** The REST front, not yet listening; tests call it with `inject()`. */
export async function buildRestApp(
  options: Omit<RestOptions, 'host' | 'port'>,
  parts: RestParts,
): Promise<FastifyInstance> {
  const isMlserver = options.dialect === 'mlserver';
  const form = isMlserver ? mlserverFailure : tritonFailure;
  const rootPath = cleanPath(options.rootPath ?? '');
  const rewriting: { rewriteUrl?: (request: { readonly url?: string | undefined }) => string } =
    isMlserver || rootPath !== '' ? { rewriteUrl: ({ url = '/' }) => ownPath(url, rootPath, isMlserver) } : {};
  const app = fastify({
    logger: false,
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    requestTimeout: options.requestTimeoutMs ?? 300_000,
    routerOptions: { maxParamLength: MAX_NAME_LENGTH },
    ...rewriting,
    frameworkErrors: (error, _request, reply) => sendError(reply as FastifyReply, error, parts.logger, form),
    clientErrorHandler: refuseBadHttp,
    ...httpsOf(options.tls),
  });
  checkRoutes(app, options);
  // Fastify's default validator drops unknown fields and coerces types; its serializer compiles one per schema. Bodies are
  // checked by the codecs and by zod, so schemas of routes only document.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler<FastifyError>((error, _request, reply) => sendError(reply, error, parts.logger, form));
  const routeOf = (request: FastifyRequest) => ownRouteOf(request, parts.ownRoutes);
  if (parts.meter !== undefined) countRequests(app, parts.meter, options.metricsPrefix ?? 'rest_server', routeOf);
  readBodiesAsBuffers(app, {
    maxJsonBytes: options.maxJsonBytes ?? DEFAULT_LIMITS.maxJsonBytes,
    maxBinaryBytes: options.maxBinaryBytes ?? DEFAULT_LIMITS.maxBinaryBytes,
  });
  const corsOptions = toCors(options);
  if (corsOptions !== undefined) await app.register(cors, corsOptions);
  // Behind CORS: browsers ask for leave without a token, and read refusals only with its headers.
  if (parts.guard !== undefined) guardRequests(app, parts.guard, options, routeOf);
  const hasDocs = options.docs ?? true;
  if (hasDocs) await describeRoutes(app, options.serverVersion ?? '0.0.0', rootPath);

  const table = isMlserver ? new RouteTable(app, (detail) => JSON.stringify({ detail })) : new RouteTable(app);
  await app.register(isMlserver ? mlserverRoutes : tritonRoutes, { options, parts, hasDocs });
  await app.register(modelRoutes, parts);
  await app.register(configRoutes, parts);
  if (parts.pipelines !== undefined) await app.register(allPipelineRoutes, parts.pipelines);
  if (parts.metrics !== undefined) {
    await app.register(metricsRoutes, { metrics: parts.metrics, path: options.metricsPath });
  }
  if (hasDocs) await app.register(openapiRoutes, parts);
  table.refuseTheRest(corsOptions !== undefined, hasDocs, (request, reply) =>
    answerOwnRoute(request, reply, parts, form),
  );
  parts.ownRoutes?.reserve(table.urls);
  return app;
}

/** Fastify's option for HTTPS. Its types would carry the kind of server into every route, none of which minds. */
export function httpsOf(tls: Tls | undefined): object {
  return tls === undefined ? {} : { https: tls.serverOptions };
}

interface DialectParts {
  readonly options: Omit<RestOptions, 'host' | 'port'>;
  readonly parts: RestParts;
  readonly hasDocs: boolean;
}

/** What Triton's and OVMS's clients call. */
async function tritonRoutes(app: FastifyInstance, { options, parts }: DialectParts): Promise<void> {
  await app.register(healthRoutes, parts);
  await app.register(serverRoutes, identityOf(options));
  await app.register(metadataRoutes, parts);
  await app.register(inferRoutes, parts);
  await app.register(generateRoutes, parts);
  await app.register(repositoryRoutes, parts);
  await app.register(sharedMemoryRoutes, parts);
  await app.register(settingRoutes, parts);
}

/** The same paths as MLServer has them, and its own. */
async function mlserverRoutes(app: FastifyInstance, { options, parts, hasDocs }: DialectParts): Promise<void> {
  const identity = identityOf(options);
  await app.register(serverRoutes, identity);
  await app.register(mlserverModelRoutes, parts);
  await app.register(mlserverInferRoutes, {
    ...parts,
    events: new CloudEvents(identity.name),
    gzip: options.gzip ?? true,
  });
  await app.register(mlserverRepositoryRoutes, parts);
  if (hasDocs) await app.register(mlserverDocsRoutes, parts);
}

function identityOf({ serverName, serverVersion, extensions = [], dialect }: DialectParts['options']): ServerIdentity {
  const known = dialect === 'mlserver' ? EXTENSIONS : TRITON_EXTENSIONS;
  return {
    name: serverName ?? 'millrace',
    version: serverVersion ?? '0.0.0',
    extensions: [...known, ...extensions],
  };
}

/** Answers with the status and JSON of `error`; what is no fault of the client's is logged whole. */
export function sendError(
  reply: FastifyReply,
  thrown: unknown,
  logger: Logger,
  form: FailureForm = tritonFailure,
): void {
  const error = fromFastify(thrown) ?? MillraceError.from(thrown);
  const { request } = reply;
  if (error.reason === 'INTERNAL') {
    logger.error({ err: error.cause ?? error, path: pathOf(request) }, 'request failed');
  }
  if (error.reason === 'UNSUPPORTED_ENCODING') void reply.header('accept-encoding', 'gzip, deflate');
  const params = request.params as { readonly model?: string } | undefined;
  const { status, body } = form(error, {
    ref: params?.model === undefined ? undefined : modelOf(request),
    body: hasNoBody(request) ? Buffer.alloc(0) : (request.body as Buffer | undefined),
  });
  void reply.code(status).header('content-type', 'application/json').send(body);
}

function hasNoBody({ raw }: FastifyRequest): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = raw.headers;
  return length === '0' && encoding === undefined;
}

/** Fastify's own errors are about the request; their messages are fit to be sent. */
function fromFastify(error: unknown): MillraceError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('statusCode' in error)) return undefined;
  if (typeof error.code !== 'string' || !error.code.startsWith('FST_')) return undefined;
  if (typeof error.statusCode !== 'number' || error.statusCode >= 500) return undefined;
  return new MillraceError('MALFORMED_REQUEST', error.message);
}

/** What is not HTTP gets an answer in our form, if there is still somebody to read it. */
export function refuseBadHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  // Whoever has failed to set up TLS could not read an answer.
  const isUnencrypted = socket instanceof TLSSocket && socket.getCipher() === undefined;
  if (error.code === 'ECONNRESET' || !socket.writable || isUnencrypted) return void socket.destroy();
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
