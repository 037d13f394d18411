import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import { OWN_ROUTE_ACCESS, REFUSED_ACCESS, restAccess, type Access } from '../../security/access.ts';
import type { Grant } from '../../security/grant.ts';
import type { OwnRoute } from '../../serving/own-routes.ts';
import { challengeOf, type Guard } from '../../security/guard.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route only says that there is none for this method. */
    isRefusal?: boolean;
    /** The route itself looks at `authorization`, which is hidden from all others. */
    readsAuthorization?: boolean;
  }
  interface FastifyRequest {
    /** Where tokens are asked for: what this request may do. */
    grant?: Grant | undefined;
    /** Where tokens are asked for: cancelled when the request's token ends. */
    revocation?: Cancellation | undefined;
  }
}

/** How long a reply may take to end by itself after its token did. */
const GOODBYE_MS = 1000;

/** Where the metrics are, which the table has under their usual path. */
interface MetricsPlace {
  readonly metricsPath?: string | undefined;
}

/** The runtime whose own route answers a request that no other does. */
type OwnRouteOf = (request: FastifyRequest) => OwnRoute | undefined;

/** Every route of `app`, later ones too, must have its entry in the table. @throws TypeError when one is added that has none */
export function checkRoutes(app: FastifyInstance, place: MetricsPlace): void {
  app.addHook('onRoute', ({ url, method, config }) => {
    for (const each of [method].flat()) accessOf(each, url, config?.isRefusal, place);
  });
}

/** Lets requests in by their token, before their body is read. What is behind sees no `authorization`. */
export function guardRequests(
  app: FastifyInstance,
  guard: Guard,
  place: MetricsPlace,
  ownRouteOf: OwnRouteOf = () => undefined,
): void {
  app.addHook('onRequest', (request, reply, done) => {
    try {
      enter(request, reply, guard, { place, own: request.is404 ? ownRouteOf(request) : undefined });
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      const challenge = challengeOf(error);
      if (challenge !== undefined) void reply.header('www-authenticate', challenge);
      const retryAfter = error.details['retryAfterS'];
      // A source that fails too often pays for a connection each time.
      if (retryAfter !== undefined) void reply.headers({ 'retry-after': String(retryAfter), connection: 'close' });
      return done(error);
    }
    done();
  });
}

/** What cancels a stream that has no other reason to be cancelled. */
export function revocationOf(request: FastifyRequest): Cancellation {
  return request.revocation ?? new Cancellation();
}

interface Wanted {
  readonly place: MetricsPlace;
  readonly own: OwnRoute | undefined;
}

function enter(request: FastifyRequest, reply: FastifyReply, guard: Guard, { place, own }: Wanted): void {
  const { raw, routeOptions, params } = request;
  const { url = own?.pattern ?? '', config } = routeOptions;
  const refusal = own === undefined ? REFUSED_ACCESS : OWN_ROUTE_ACCESS;
  const access = request.is404 ? refusal : accessOf(request.method, url, config.isRefusal, place);
  const caller = {
    authorization: raw.headers.authorization,
    address: raw.socket.remoteAddress ?? '',
    call: `${request.method} ${url}`,
    servable: own?.servable ?? (params as { readonly model?: string } | undefined)?.model,
  };
  const revocation = new Cancellation();
  const grant = guard.enter(access, caller, (error) => end(reply, revocation, error));
  request.grant = grant;
  request.revocation = revocation;
  const over = (): void => grant[Symbol.dispose]();
  reply.raw.once('finish', over).once('close', over);
  if (config.readsAuthorization !== true) hideAuthorization(request);
}

/** Cancels what runs; a connection that then stays open is cut. */
function end({ raw }: FastifyReply, revocation: Cancellation, error: MillraceError): void {
  revocation.cancel(error);
  const cut = setTimeout(() => {
    if (!raw.writableEnded) raw.destroy();
  }, GOODBYE_MS);
  cut.unref();
  raw.once('close', () => clearTimeout(cut));
}

/** Runtimes get a request's headers; the token is none of theirs. */
function hideAuthorization({ raw }: FastifyRequest): void {
  delete raw.headers.authorization; // which also fills `headers`, before what it is made from changes
  const { rawHeaders } = raw;
  for (let i = rawHeaders.length - 2; i >= 0; i -= 2) {
    if (rawHeaders[i]?.toLowerCase() === 'authorization') rawHeaders.splice(i, 2);
  }
}

function accessOf(method: string, url: string, isRefusal: boolean | undefined, { metricsPath }: MetricsPlace): Access {
  if (isRefusal === true) return REFUSED_ACCESS;
  const bare = `/${(metricsPath ?? '/metrics').replace(/^\/+|\/+$/g, '')}`;
  return restAccess(method, url === bare || url === `${bare}/` ? '/metrics' : url);
}
