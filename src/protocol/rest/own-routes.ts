import { randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../base/errors.ts';
import type { Session, SessionSink } from '../../serving/data-plane.ts';
import type { OtherMethods, OwnRoute, OwnRoutes } from '../../serving/own-routes.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { bodyOf } from './body.ts';
import { cancelOnDisconnect } from './disconnect.ts';
import type { FailureForm } from './failure.ts';
import { isHeaderValue, replyHeaders, requestHeaders } from './headers.ts';
import type { RestParts } from './parts.ts';
import { PieceStream } from './piece-stream.ts';
import { pathOf } from './root-path.ts';

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
 * Answers from the route of a runtime's own (MLServer's `custom_handler`, its sheet, §1): the whole request goes to it, the
 * answer back as a whole or in pieces, as they come. A failure before the first piece is answered as one of an inference is;
 * a later one cuts the connection.
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
  const answer = new RouteAnswer(reply, (error) => {
    if (error.reason === 'INTERNAL')
      logger.error({ err: error.cause ?? error, path: pathOf(request) }, 'request failed');
    const { status, body } = form(error, { ref: undefined, body: undefined });
    return reply.code(status).header('content-type', 'application/json').send(body);
  });
  try {
    const call = asInference(request, found);
    const context = { interface: 'REST', cancellation: cancelOnDisconnect(reply.raw) } as const;
    const session = dataPlane.openSession(call, context, answer);
    answer.attach(session);
    session.push(call);
    session.halfClose();
  } catch (thrown) {
    answer.onEnd(MillraceError.from(thrown));
  }
  return answer.begun;
}

/** What the session of a route says, as an HTTP answer. */
class RouteAnswer implements SessionSink {
  readonly #reply: FastifyReply;
  readonly #fail: (error: MillraceError) => FastifyReply;
  #session: Session | undefined;
  #pieces: PieceStream | undefined;
  #settle!: (reply: FastifyReply) => void;
  /** Settles once it is known how the answer begins. */
  readonly begun = new Promise<FastifyReply>((resolve) => (this.#settle = resolve));

  constructor(reply: FastifyReply, fail: (error: MillraceError) => FastifyReply) {
    this.#reply = reply;
    this.#fail = fail;
  }

  attach(session: Session): void {
    this.#session = session;
  }

  onResponse(response: InferenceResponse): void {
    const piece = response.outputs[0]?.data ?? new Uint8Array();
    if (this.#pieces !== undefined) return this.#pieces.add(piece);
    if (response.parameters?.['more'] !== true || this.#session === undefined) {
      return this.#settle(send(this.#reply, response, piece));
    }
    this.#pieces = new PieceStream(this.#session);
    this.#settle(send(this.#reply, response, this.#pieces));
    this.#pieces.add(piece);
  }

  onRequestError(_requestId: string, error: MillraceError): void {
    this.onEnd(error);
  }

  /** After a whole answer it says nothing new. */
  onEnd(error: MillraceError | undefined): void {
    if (this.#pieces !== undefined) this.#pieces.finish(error);
    else if (error !== undefined && !this.#reply.sent) this.#settle(this.#fail(error));
  }

  onDrain(): void {}
}

function lookUp(request: FastifyRequest, routes: OwnRoutes | undefined): OwnRoute | OtherMethods | undefined {
  if (routes === undefined) return undefined;
  request.ownRoute ??= { found: routes.find(request.method, pathOf(request)) };
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

function send(
  reply: FastifyReply,
  { parameters, headers }: InferenceResponse,
  body: Uint8Array | PieceStream,
): FastifyReply {
  const { 'set-cookie': cookies, 'content-encoding': encoding, ...rest } = headers ?? {};
  const status = Number(parameters?.['status'] ?? 200);
  // What HTTP cannot carry would throw, here and again when that is answered.
  void reply.code(status >= 200 && status <= 599 ? status : 500).headers(replyHeaders(rest));
  // Its body goes as it is, so how it is encoded is the runtime's to say.
  if (encoding !== undefined && isHeaderValue(encoding)) void reply.header('content-encoding', encoding);
  // The one header that may not be joined by commas; a line each.
  for (const cookie of cookies?.split('\n') ?? []) if (isHeaderValue(cookie)) void reply.header('set-cookie', cookie);
  return reply.send(body);
}
