import type { Logger } from '../../base/logger.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import type { Tensor, TensorSpec } from '../../tensor/tensor.ts';

/** What a runtime is given with each call. */
export interface RuntimeContext {
  /** Aborted when the client left, its deadline passed or the server stops: end soon, nobody listens any more. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** The entry's `parameters` in the configuration, as written there. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** What a runtime answers; the server adds servable and version. */
export interface RuntimeResponse {
  readonly outputs: readonly Tensor[];
  readonly parameters?: Parameters | undefined;
  /** Absent: the id of the request; in a stream, of the one last taken. */
  readonly id?: string | undefined;
}

/**
 * A servable in JavaScript or TypeScript. Requests are checked against `inputs` before they come here. What it throws
 * reaches the client with its message: a `MillraceError` under its own reason, anything else as RUNTIME_FAILED.
 */
export interface RuntimeDefinition {
  /** For the log; the servable's name is in the configuration. */
  readonly name?: string | undefined;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Zero or many responses to a request: no unary inference. Default false. */
  readonly decoupled?: boolean | undefined;
  /** Once, before any request; a failure makes the servable unavailable with its message. */
  load?(context: RuntimeContext): void | Promise<void>;
  /** One response to one request. Calls may overlap. Needed unless `decoupled`. */
  predict?(request: InferenceRequest, context: RuntimeContext): RuntimeResponse | Promise<RuntimeResponse>;
  /**
   * One call per stream: `requests` ends when the client half-closes, each yielded response is sent at once, and the
   * stream ends when this does. Absent: `predict` answers each request in turn.
   */
  predictStream?(requests: AsyncIterable<InferenceRequest>, context: RuntimeContext): AsyncIterable<RuntimeResponse>;
  /** Once, after the last call ended. */
  unload?(): void | Promise<void>;
}

/** Gives a runtime its types; the object itself comes back, so that a module need not import anything to be one. */
export function defineRuntime(definition: RuntimeDefinition): RuntimeDefinition {
  return definition;
}
