import type { Logger } from '../../base/logger.ts';
import type { Headers, InferenceRequest } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';

/** Labels of a custom metric besides `model_name` and `model_version`, which every one has. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * Custom metrics of a runtime, in the server's registry beside its own. A name is declared by its first use, with its type
 * and its labels' names; asked for again, the same metric comes back. Values of several instances are added up.
 * @throws TypeError where a name is none of Prometheus's, or is declared as something else; also beyond 100 metrics
 */
export interface RuntimeMeter {
  counter(name: string, help?: string): { add(amount?: number, labels?: MetricLabels): void };
  gauge(name: string, help?: string): { set(value: number, labels?: MetricLabels): void };
  /** @param bounds upper bounds of its buckets, increasing; Prometheus's usual ones, 0.005 to 10, where not said */
  histogram(
    name: string,
    help?: string,
    bounds?: readonly number[],
  ): { observe(value: number, labels?: MetricLabels): void };
}

/** The servable that a runtime is. */
export interface RuntimeModel {
  readonly name: string;
  readonly version: string;
  /** The whole `model-settings.json`; of an entry in a configuration its `name` and `parameters`. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a runtime is given with each call. */
export interface RuntimeContext {
  /** Aborted when the client left, its deadline passed or the server stops: end soon, nobody listens any more. */
  readonly signal: AbortSignal;
  /** HTTP headers or gRPC metadata of the request, of a stream's first one, names in lower case; empty in `load`. */
  readonly headers: Headers;
  readonly logger: Logger;
  readonly meter: RuntimeMeter;
  /** The entry's `parameters` in the configuration, as written there. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly model: RuntimeModel;
  /** Where the model's files are: `parameters.uri` of its settings, else the folder of its module. Absolute. */
  readonly uri: string;
}

/** What a runtime answers; the server adds servable and version. */
export interface RuntimeResponse {
  readonly outputs: readonly Tensor[];
  readonly parameters?: Parameters | undefined;
  /** Absent: the id of the request; in a stream, of the one last taken. */
  readonly id?: string | undefined;
  /** HTTP headers of the answer, or trailing metadata of the call. */
  readonly headers?: Headers | undefined;
}

/** What a runtime says of itself to those who ask for its metadata. */
export interface RuntimeMetadata {
  readonly platform?: string | undefined;
  /** Free text, not versions of the servable. */
  readonly versions?: readonly string[] | undefined;
  readonly inputs?: readonly TensorSpec[] | undefined;
  readonly outputs?: readonly TensorSpec[] | undefined;
}

/** A request to a route of a runtime's own. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  /** What stands in the place of the path's placeholders, by their names. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Decompressed; empty where there is none. */
  readonly body: Buffer;
  /** The body as JSON. @throws MillraceError MALFORMED_REQUEST where it is none */
  json(): unknown;
}

/** What a route answers: `json`, or `body`, or neither. */
export interface RouteResponse {
  /** Default 200. */
  readonly status?: number | undefined;
  readonly headers?: Headers | undefined;
  readonly json?: unknown;
  /**
   * A text is sent as text/plain, unless `headers` say otherwise; bytes as application/octet-stream. An async generator's
   * pieces are sent as they come, no faster than the client reads; when it leaves, the generator is returned. Status and
   * headers wait for the first piece.
   */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array> | undefined;
}

/** A route of a runtime's own on the port of REST, beside those of inference (MLServer's `custom_handler`). */
export interface RuntimeRoute {
  /** @default "POST" */
  readonly method?: string | undefined;
  /** With placeholders like FastAPI's: "/explain/{name}", "/files/{rest:path}". None that the server answers itself. */
  readonly path: string;
  /**
   * What `/openapi.json` says of it, an OpenAPI operation: `summary`, `parameters`, `requestBody`, `responses`. Without it
   * the parameters in its path are told.
   */
  readonly openapi?: Readonly<Record<string, unknown>> | undefined;
  /** What it throws is answered as a failure of `predict` is. */
  handle(request: RouteRequest, context: RuntimeContext): RouteResponse | Promise<RouteResponse>;
}

/**
 * A servable in JavaScript or TypeScript: such an object, or a class whose instances are such objects; it is made once, with
 * the model's settings (`RuntimeModel.settings`). What it throws reaches the client with its message: a `MillraceError`
 * under its own reason, anything else as RUNTIME_FAILED.
 */
export interface RuntimeDefinition {
  /** For the log; the servable's name is in the configuration. */
  readonly name?: string | undefined;
  /** Requests are checked against them before they come here; absent: they are not checked. `load` may set both. */
  readonly inputs?: readonly TensorSpec[] | undefined;
  readonly outputs?: readonly TensorSpec[] | undefined;
  /** Routes of its own; `load` may set them. */
  readonly routes?: readonly RuntimeRoute[] | undefined;
  /** Zero or many responses to a request: no unary inference. Default: whether there is no `predict`. */
  readonly decoupled?: boolean | undefined;
  /**
   * Once, before any request; a failure makes the servable unavailable with its message, and so does `false`. Its signal
   * is aborted when it takes longer than `load_timeout_ms`, and when the servable is unloaded.
   */
  load?(context: RuntimeContext): void | boolean | Promise<void | boolean>;
  /** One response to one request. Calls may overlap. Needed unless there is `predictStream`. */
  predict?(request: InferenceRequest, context: RuntimeContext): RuntimeResponse | Promise<RuntimeResponse>;
  /**
   * One call per stream: `requests` ends when the client half-closes, each yielded response is sent at once, and the
   * stream ends when this does. Absent: `predict` answers each request in turn. It is asked for the next response when the
   * client can take it, and ends at its `yield`, through `finally`, when the client has left.
   */
  predictStream?(requests: AsyncIterable<InferenceRequest>, context: RuntimeContext): AsyncIterable<RuntimeResponse>;
  /** After `load`: where absent, `inputs` and `outputs` are told, and what the model's settings say. */
  metadata?(): RuntimeMetadata | Promise<RuntimeMetadata>;
  /** Once, after the last call ended. */
  unload?(): unknown;
}

/** Gives a runtime its types; the object itself comes back, so that a module need not import anything to be one. */
export function defineRuntime<Definition extends RuntimeDefinition>(definition: Definition): Definition {
  return definition;
}
