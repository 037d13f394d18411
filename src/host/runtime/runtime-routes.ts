import { messageOf, MillraceError } from '../../base/errors.ts';
import { decodedPath, PathPattern } from '../../base/path-pattern.ts';
import type { RouteDescription } from '../../ipc/description.ts';
import type {
  RouteRequest,
  RouteResponse,
  RuntimeContext,
  RuntimeResponse,
  RuntimeRoute,
} from '../../runtime/script/define-runtime.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { ParameterValue } from '../../tensor/parameters.ts';
import { headersFault, kindOf } from '../../tensor/tensor-fault.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

interface Compiled extends RouteDescription {
  readonly pattern: PathPattern;
  readonly route: RuntimeRoute;
}

/** The routes that a runtime in JavaScript has of its own. */
export class RuntimeRoutes {
  readonly #routes: readonly Compiled[];

  /** @throws Error naming the route that is none */
  constructor(routes: readonly RuntimeRoute[] = []) {
    if (!Array.isArray(routes)) throw new Error(`routes: ${kindOf(routes)} given, an array expected`);
    this.#routes = routes.map(compiled);
    for (const [at, { method, path }] of this.#routes.entries()) {
      const first = this.#routes.findIndex((each) => each.method === method && each.path === path);
      if (first !== at) throw new Error(`routes[${at}]: ${method} ${path} is there already as routes[${first}]`);
    }
  }

  get description(): readonly RouteDescription[] {
    return this.#routes.map(({ method, path }) => ({ method, path }));
  }

  /** @throws whatever the route's code does, and Error where its answer is none */
  async answer({ route = '', inputs }: InferenceRequest, context: RuntimeContext): Promise<RuntimeResponse> {
    const [, method = '', encoded = '', query = ''] = /^(\S+) ([^?]*)\??(.*)$/.exec(route) ?? [];
    const path = decodedPath(encoded);
    for (const own of this.#routes) {
      const params = own.method === method ? own.pattern.match(path) : undefined;
      if (params === undefined) continue;
      const { buffer, byteOffset, byteLength } = inputs[0]?.data ?? Buffer.alloc(0);
      const body = Buffer.from(buffer, byteOffset, byteLength);
      const request: RouteRequest = {
        method,
        path,
        params,
        query: new URLSearchParams(query),
        body,
        json: () => parse(body),
      };
      return toResponse(`${method} ${own.path}`, await own.route.handle(request, context));
    }
    throw new MillraceError('INTERNAL', `no route of the runtime is ${method} ${path}`);
  }
}

function compiled(route: RuntimeRoute, at: number): Compiled {
  const { method = 'POST', path, handle } = (route ?? {}) as Partial<Record<keyof RuntimeRoute, unknown>>;
  const capitals = typeof method === 'string' ? method.toUpperCase() : '';
  if (!METHODS.has(capitals)) {
    const given = typeof method === 'string' ? `"${method}"` : kindOf(method);
    throw new Error(`routes[${at}].method: ${given} given, one of ${[...METHODS].join(', ')} expected`);
  }
  if (typeof path !== 'string') throw new Error(`routes[${at}].path: ${kindOf(path)} given, string expected`);
  if (typeof handle !== 'function') throw new Error(`routes[${at}].handle: ${kindOf(handle)} given, function expected`);
  try {
    return { method: capitals, path, pattern: new PathPattern(path), route };
  } catch (error) {
    throw new Error(`routes[${at}].path: ${messageOf(error)}`, { cause: error });
  }
}

function toResponse(route: string, answer: RouteResponse): RuntimeResponse {
  const fault = answerFault(answer);
  if (fault !== undefined) throw new Error(`answer of route ${route}: ${fault}`);
  const { status = 200, headers, json, body } = answer;
  const [type, content] = contentOf(json, body);
  const data = typeof content === 'string' ? Buffer.from(content) : content;
  const lower = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const parameters: Record<string, ParameterValue> = { status: BigInt(status) };
  return {
    outputs: [{ name: 'body', datatype: 'UINT8', shape: [data.byteLength], data }],
    parameters,
    headers: { ...(type !== undefined && { 'content-type': type }), ...lower },
  };
}

function contentOf(json: unknown, body: RouteResponse['body']): [string | undefined, string | Uint8Array] {
  if (json !== undefined) return ['application/json', JSON.stringify(json)];
  if (body === undefined) return [undefined, ''];
  return [typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream', body];
}

function answerFault(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null)
    return `${kindOf(answer)} given, an object with json or body expected`;
  const { status, headers, json, body } = answer as Partial<Record<keyof RouteResponse, unknown>>;
  if (status !== undefined && !(Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599)) {
    return `status: ${typeof status === 'number' ? status : kindOf(status)} given, a number from 200 to 599 expected`;
  }
  if (json !== undefined && body !== undefined) return 'json and body are both given, one of them expected';
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    return `body: ${kindOf(body)} given, string or Uint8Array expected`;
  }
  return headersFault(headers);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch (error) {
    throw new MillraceError('MALFORMED_REQUEST', `the request body is no JSON: ${messageOf(error)}`, { cause: error });
  }
}
