import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { didYouMean } from '../../base/nearest.ts';
import { errorBody } from './status.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Collects routes as they are added, so that a wrong verb is a 405 and an unknown path names the nearest one. */
export class RouteTable {
  readonly #app: FastifyInstance;
  readonly #methods = new Map<string, Set<string>>();

  constructor(app: FastifyInstance) {
    this.#app = app;
    app.addHook('onRoute', ({ url, method }) => {
      if (url.startsWith('/docs')) return;
      const known = this.#methods.get(url) ?? new Set<string>();
      this.#methods.set(url, known);
      for (const each of [method].flat()) known.add(each);
    });
  }

  /**
   * Call once, after all routes.
   * @param hasCors OPTIONS belongs to the CORS plugin
   * @param hasDocs there is a page at /docs
   */
  refuseTheRest(hasCors: boolean, hasDocs: boolean): void {
    const routes = [...this.#methods];
    for (const [url, known] of routes) {
      const others = METHODS.filter((method) => !known.has(method) && !(hasCors && method === 'OPTIONS'));
      const allow = [...known].join(', ');
      this.#app.route({
        method: [...others],
        url,
        schema: { hide: true },
        // Answers before the body is read.
        onRequest: (request: FastifyRequest, reply: FastifyReply) => refuseMethod(request, reply, allow),
        handler: (request, reply) => refuseMethod(request, reply, allow),
      });
    }
    const urls = routes.map(([url]) => url);
    const elsewhere = hasDocs ? '; /docs shows all paths' : '';
    const instead = (path: string): string => v1Suggestion(path) ?? (suggestion(path, urls) || elsewhere);
    this.#app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0] ?? '';
      return reply
        .code(404)
        .header('content-type', 'application/json')
        .send(errorBody(`no such path: ${path}${instead(path)}`, 'PATH_NOT_FOUND'));
    });
  }
}

async function refuseMethod(request: FastifyRequest, reply: FastifyReply, allow: string): Promise<FastifyReply> {
  const path = request.url.split('?', 1)[0] ?? '';
  return reply
    .code(405)
    .headers({ allow, 'content-type': 'application/json' })
    .send(errorBody(`method ${request.method} is not allowed for ${path}; ${allow} expected`, 'METHOD_NOT_ALLOWED'));
}

/** A model's path in TensorFlow Serving's API, which OVMS and KServe have too, and what is asked of the model. */
const V1_PATH = /^\/v1(\/models\/[^/:]+(?:\/versions\/[^/:]+)?)(?:\/labels\/[^/:]+)?(:\w+|\/metadata)?$/;

/** What to ask instead of a path of the v1 API. */
function v1Suggestion(path: string): string | undefined {
  const [, model, verb] = V1_PATH.exec(path.slice(0, 2000)) ?? [];
  if (model === undefined) return undefined;
  const instead = { undefined: `${model}/ready`, '/metadata': model }[String(verb)] ?? `${model}/infer`;
  return `; the v1 API is not served, use /v2${instead}`;
}

/** The nearest route, its parameters filled in from the path's own segments. */
function suggestion(path: string, urls: readonly string[]): string {
  const given = path.slice(0, 200).split('/');
  const candidates = urls.map((url) =>
    url
      .split('/')
      .map((segment, i) => (segment.startsWith(':') && given[i] !== '' ? (given[i] ?? segment) : segment))
      .join('/'),
  );
  return didYouMean(path.slice(0, 200), candidates);
}
