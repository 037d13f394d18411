import type { TensorSpec } from '../tensor/tensor.ts';

/** A route of a runtime's own. */
export interface RouteDescription {
  /** In capitals. */
  readonly method: string;
  /** As `PathPattern` (`base/path-pattern.ts`) reads it: "/explain/{name}". */
  readonly path: string;
  /** An OpenAPI operation, as far as the runtime knows: its parameters and body. */
  readonly operation?: Readonly<Record<string, unknown>>;
}

/** What a host says of a servable that it loaded. Plain JSON. */
export interface ServableDescription {
  /** KServe `platform`. */
  readonly platform: string;
  readonly decoupled: boolean;
  /** Of a runtime: it has no code for streams; each request is answered by itself, wherever it comes from. */
  readonly answersEach?: boolean;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Free text that a runtime gives in the place of versions (MLServer's `versions`). */
  readonly declaredVersions?: readonly string[];
  /** JSON that its metadata has beside all that (MLServer's `content_type`). */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Routes of a runtime's own, on the port of REST. */
  readonly routes?: readonly RouteDescription[];
  /** Of a graph: its nodes and streams after validation, as `GraphDescription` in `graph/`. */
  readonly graph?: object;
  /** The execution provider of a model. */
  readonly provider?: string;
  /** Names of the models that a graph runs, and whose tensors its description tells. */
  readonly models?: readonly string[];
  /** For the log: what works, but perhaps not as meant. */
  readonly warnings?: readonly string[];
}
