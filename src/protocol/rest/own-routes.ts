import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import type { OtherMethods, OwnRoute, OwnRoutes } from '../../serving/own-routes.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { bodyOf } from './body.ts';
import { cancelOnDisconnect } from './disconnect.ts';
import type { FailureForm } from './failure.ts';
import { replyHeaders, requestHeaders } from './headers.ts';
import type { RestParts } from './parts.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who has a route of its own for it, once that was looked up. */
    ownRoute?: { readonly found: OwnRoute | OtherMethods | undefined };
  }
}

/** The runtime that has a route of its own for a request for which the server has none. Looked up once. */
export function ownRouteOf(request: FastifyRequest, routes: OwnRoutes | undefined): OwnRoute | undefined {
  const found = lookUp(request, routes);
  return found !== undefined && 'servable' in found ? found : undefined;
}

/**
 * Answers from the route of a runtime's own (MLServer's `custom_handler`, its sheet, §1): the whole request goes to it, the whole
 * answer back. A failure is answered as one of an inference is.
 * @returns undefined, or the methods that are taken: no runtime has such a route
 */
export function answerOwnRoute(
  request: FastifyRequest,
  reply: FastifyReply,
  { dataPlane, logger, ownRoutes }: RestParts,
  form: FailureForm,
): Promise<FastifyReply> | OtherMethods | undefined {
  const found = lookUp(request, ownRoutes);
  if (found === undefined || !('servable' in found)) return found;
  const call = { interface: 'REST', cancellation: cancelOnDisconnect(reply.raw) } as const;
  return dataPlane.infer(asInference(request, found), call).then(
    (answer) => send(reply, answer),
    (thrown: unknown) => {
      const error = MillraceError.from(thrown);
      if (error.reason === 'INTERNAL') logger.error({ err: error.cause ?? error, url: request.url }, 'request failed');
      const { status, body } = form(error, { ref: undefined, body: undefined });
      return reply.code(status).header('content-type', 'application/json').send(body);
    },
  );
}

function lookUp(request: FastifyRequest, routes: OwnRoutes | undefined): OwnRoute | OtherMethods | undefined {
  if (routes === undefined) return undefined;
  request.ownRoute ??= { found: routes.find(request.method, request.url.split('?', 1)[0] ?? '') };
  return request.ownRoute.found;
}

function asInference(request: FastifyRequest, { servable, version }: OwnRoute): InferenceRequest {
  const data = bodyOf(request);
  // The body comes decompressed.
  const { 'content-encoding': _, 'content-length': __, 'transfer-encoding': ___, ...headers } = requestHeaders(request);
  return {
    servable,
    version,
    id: randomUUID(),
    inputs: [{ name: 'body', datatype: 'UINT8', shape: [data.length], data }],
    outputs: [],
    headers,
    route: `${request.method} ${request.url}`,
  };
}

function send(reply: FastifyReply, { outputs, parameters, headers }: InferenceResponse): FastifyReply {
  const { 'set-cookie': cookies, ...rest } = headers ?? {};
  void reply.code(Number(parameters?.['status'] ?? 200)).headers(replyHeaders(rest));
  // The one header that may not be joined by commas; a line each.
  for (const cookie of cookies?.split('\n') ?? []) void reply.header('set-cookie', cookie);
  return reply.send(outputs[0]?.data ?? '');
}
