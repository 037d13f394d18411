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
    return this.#routes.map(({ method, path, operation }) => ({ method, path, ...(operation && { operation }) }));
  }

  /**
   * The answer, in one response or several: a generator's pieces as they come.
   * @throws whatever the route's code does, and Error where its answer is none
   */
  async *answer({ route = '', inputs }: InferenceRequest, context: RuntimeContext): AsyncGenerator<RuntimeResponse> {
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
      yield* toResponses(`${method} ${own.path}`, await own.route.handle(request, context));
      return;
    }
    throw new MillraceError('INTERNAL', `no route of the runtime is ${method} ${path}`);
  }
}

function compiled(route: RuntimeRoute, at: number): Compiled {
  const { method = 'POST', path, handle, openapi } = (route ?? {}) as Partial<Record<keyof RuntimeRoute, unknown>>;
  const capitals = typeof method === 'string' ? method.toUpperCase() : '';
  if (!METHODS.has(capitals)) {
    const given = typeof method === 'string' ? `"${method}"` : kindOf(method);
    throw new Error(`routes[${at}].method: ${given} given, one of ${[...METHODS].join(', ')} expected`);
  }
  if (typeof path !== 'string') throw new Error(`routes[${at}].path: ${kindOf(path)} given, string expected`);
  if (typeof handle !== 'function') throw new Error(`routes[${at}].handle: ${kindOf(handle)} given, function expected`);
  if (openapi !== undefined && (typeof openapi !== 'object' || openapi === null || Array.isArray(openapi))) {
    throw new Error(`routes[${at}].openapi: ${kindOf(openapi)} given, an object expected`);
  }
  const operation = openapi === undefined ? undefined : { operation: openapi as Readonly<Record<string, unknown>> };
  try {
    return { method: capitals, path, ...operation, pattern: new PathPattern(path), route };
  } catch (error) {
    throw new Error(`routes[${at}].path: ${messageOf(error)}`, { cause: error });
  }
}

async function* toResponses(route: string, answer: RouteResponse): AsyncGenerator<RuntimeResponse> {
  const fault = answerFault(answer);
  if (fault !== undefined) throw new Error(`answer of route ${route}: ${fault}`);
  const { json, body } = answer;
  if (!isInPieces(body)) {
    yield headed(answer, ...contentOf(json, body), {});
    return;
  }
  let hasBegun = false;
  for await (const piece of body as AsyncIterable<unknown>) {
    if (!isContent(piece)) {
      throw new Error(`answer of route ${route}: piece: ${kindOf(piece)} given, string or Uint8Array expected`);
    }
    if (hasBegun) yield { outputs: [tensorOf(piece)] };
    else yield headed(answer, ...contentOf(undefined, piece), { more: true });
    hasBegun = true;
  }
  if (!hasBegun) yield headed(answer, undefined, '', {});
}

/** The first response: status, headers, and what there is of the body. */
function headed(
  { status = 200, headers }: RouteResponse,
  type: string | undefined,
  content: string | Uint8Array,
  parameters: Readonly<Record<string, ParameterValue>>,
): RuntimeResponse {
  const lower = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    outputs: [tensorOf(content)],
    parameters: { status: BigInt(status), ...parameters },
    headers: { ...(type !== undefined && { 'content-type': type }), ...lower },
  };
}

function tensorOf(content: string | Uint8Array): RuntimeResponse['outputs'][number] {
  const data = typeof content === 'string' ? Buffer.from(content) : content;
  return { name: 'body', datatype: 'UINT8', shape: [data.byteLength], data };
}

function isContent(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || value instanceof Uint8Array;
}

function isInPieces(body: RouteResponse['body']): body is AsyncIterable<string | Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

function contentOf(json: unknown, body: string | Uint8Array | undefined): [string | undefined, string | Uint8Array] {
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
  if (body !== undefined && !isContent(body) && !isInPieces(body as RouteResponse['body'])) {
    return `body: ${kindOf(body)} given, string, Uint8Array or an async generator of them expected`;
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
