import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { didYouMean } from '../../base/nearest.ts';
import { errorBody, type TransportReason } from './status.ts';
import { pathOf } from './root-path.ts';

/** The body of a refusal. */
export type RefusalForm = (text: string, reason: TransportReason) => string;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** Answers a request for which there is no route, or says which methods it would with. */
type Answer = (
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply> | { readonly allow: readonly string[] } | undefined;

/** Collects routes as they are added, so that a wrong verb is a 405 and an unknown path names the nearest one. */
export class RouteTable {
  readonly #app: FastifyInstance;
  readonly #form: RefusalForm;
  readonly #methods = new Map<string, Set<string>>();

  constructor(app: FastifyInstance, form: RefusalForm = errorBody) {
    this.#app = app;
    this.#form = form;
    app.addHook('onRoute', ({ url, method }) => {
      if (url.startsWith('/docs')) return;
      const known = this.#methods.get(url) ?? new Set<string>();
      this.#methods.set(url, known);
      for (const each of [method].flat()) known.add(each);
    });
  }

  /** The patterns of all routes. */
  get urls(): readonly string[] {
    return [...this.#methods.keys()];
  }

  /**
   * Call once, after all routes.
   * @param hasCors OPTIONS belongs to the CORS plugin
   * @param hasDocs there is a page at /docs
   * @param answer what else may answer; undefined: nothing does
   */
  refuseTheRest(hasCors: boolean, hasDocs: boolean, answer: Answer): void {
    const routes = [...this.#methods];
    for (const [url, known] of routes) {
      const others = METHODS.filter((method) => !known.has(method) && !(hasCors && method === 'OPTIONS'));
      const allow = [...known].join(', ');
      const refuse = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
        refuseMethod(request, reply, allow, this.#form);
      this.#app.route({
        method: [...others],
        url,
        schema: { hide: true },
        config: { isRefusal: true },
        // Answers before the body is read.
        onRequest: async (request: FastifyRequest, reply: FastifyReply) => refuse(request, reply),
        handler: async (request, reply) => refuse(request, reply),
      });
    }
    const urls = routes.map(([url]) => url);
    const elsewhere = hasDocs ? '; /docs shows all paths' : '';
    const instead = (path: string): string => v1Suggestion(path) ?? (suggestion(path, urls) || elsewhere);
    this.#app.setNotFoundHandler((request, reply) => {
      const answered = answer(request, reply);
      if (answered instanceof Promise) return answered;
      if (answered !== undefined) return refuseMethod(request, reply, answered.allow.join(', '), this.#form);
      const path = pathOf(request);
      return reply
        .code(404)
        .header('content-type', 'application/json')
        .send(this.#form(`no such path: ${path}${instead(path)}`, 'PATH_NOT_FOUND'));
    });
  }
}

function refuseMethod(request: FastifyRequest, reply: FastifyReply, allow: string, form: RefusalForm): FastifyReply {
  const path = pathOf(request);
  return reply
    .code(405)
    .headers({ allow, 'content-type': 'application/json' })
    .send(form(`method ${request.method} is not allowed for ${path}; ${allow} expected`, 'METHOD_NOT_ALLOWED'));
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
