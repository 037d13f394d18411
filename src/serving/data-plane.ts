import type { Cancellation } from '../base/cancellation.ts';
import type { SessionPort, SessionSink } from '../ipc/session.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import type { LoadOverride } from './load-override.ts';
import type { Question } from './questions.ts';

export type { SessionSink } from '../ipc/session.ts';

export type ServableKind = 'graph' | 'model' | 'runtime' | 'ensemble';
/** `unloaded`: it was asked to go, and stays away until it is asked to load. */
export type ServableState = 'loading' | 'ready' | 'unavailable' | 'unloaded';

export interface ServableMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  /** KServe `platform`: "millrace_graph", "onnxruntime_onnx", "millrace_runtime", "ensemble". */
  readonly platform: string;
  readonly kind: ServableKind;
  /** Zero or many responses to a request: no unary infer. */
  readonly decoupled: boolean;
  /** Of a runtime: it has no code for streams; each request is answered by itself, wherever it comes from. */
  readonly answersEach?: boolean | undefined;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Free text that a runtime gives in the place of versions (MLServer's `versions`). */
  readonly declaredVersions?: readonly string[] | undefined;
  /** JSON, as declared (MLServer's `content_type`); only told. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Of a graph: its nodes and streams after validation. */
  readonly graph?: object | undefined;
  /** Triton's `ModelConfig` as JSON, where the servable has one of its own. */
  readonly config?: object | undefined;
}

export interface ServableStatus {
  readonly name: string;
  readonly version: string;
  readonly kind: ServableKind;
  readonly state: ServableState;
  /** Why it is not ready; "" otherwise. */
  readonly reason: string;
}

export interface Duration {
  readonly count: number;
  readonly ns: number;
}

/** Executions of one batch size. */
export interface BatchStatistics {
  /** Rows. */
  readonly batchSize: number;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
}

/** What became of the responses at one place among those to a request. */
export interface ResponseStatistics {
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
  readonly success: Duration;
  readonly fail: Duration;
  /** A final response without outputs. */
  readonly emptyResponse: Duration;
  readonly cancel: Duration;
}

/** KServe `ModelStatistics`, in numbers (exact up to 2^53 ns). */
export interface ServableStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch; 0 if none yet. */
  readonly lastInference: number;
  readonly inferenceCount: number;
  readonly executionCount: number;
  readonly success: Duration;
  readonly fail: Duration;
  readonly queue: Duration;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
  readonly cacheHit: Duration;
  readonly cacheMiss: Duration;
  /** Of a model, the smallest first. */
  readonly batches: readonly BatchStatistics[];
  /** Of a servable with any number of responses to a request: of the first response to one, the second, and so on. */
  readonly responses: readonly ResponseStatistics[];
}

/** Where a call came from: the labels of its metrics, and how it ends early. */
export interface CallContext {
  readonly interface: 'gRPC' | 'REST';
  readonly cancellation: Cancellation;
}

/** What a session has done so far. */
export interface SessionSummary {
  /** Of the requests that its servable took. */
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** Packets that newer ones took the place of. */
  readonly packetsDropped: number;
  /** Since it was opened. */
  readonly durationMs: number;
}

/** One live conversation with a servable: a graph run, a queue of inferences, or a runtime's `predictStream`. */
export interface Session extends SessionPort {
  readonly kind: ServableKind;
  readonly servable: string;
  readonly version: string;
  readonly summary: SessionSummary;
}

/** All that the protocols know of serving. Every method that names a servable throws `SERVABLE_NOT_FOUND` and its like. */
export interface DataPlane {
  isLive(): boolean;
  isReady(): boolean;
  /** Unknown names and versions are not ready. */
  isServableReady(name: string, version: string): boolean;
  metadata(name: string, version: string): ServableMetadata;
  /** Counts a request of metadata or readiness; of what there is not, nothing. Left out: nobody counts them. */
  countQuestion?(question: Question, isAnswered: boolean): void;
  /** Of a servable that is ready; throws as `metadata`. For every request that needs no more than this. */
  kind(name: string, version: string): ServableKind;
  /** Every servable, ready or not, by name and version. */
  list(): readonly ServableStatus[];
  /** `name` "" means all. Brings the hosts' own counters in. */
  statistics(name: string, version: string): Promise<readonly ServableStatistics[]>;
  infer(request: InferenceRequest, context: CallContext): Promise<InferenceResponse>;
  /**
   * What a first request waits for before it opens a session: resolves when the graph that it names has loaded or failed, but
   * not for long. Undefined: nothing, which is so for all that is ready. `infer` waits by itself.
   */
  graphToCome(name: string): Promise<void> | undefined;
  /**
   * Opens a session on the servable that `first` names; `first` itself is not pushed, only its parameters are taken (a
   * graph's side packets). Cancelling `context` aborts the session.
   */
  openSession(first: InferenceRequest, context: CallContext, sink: SessionSink): Session;
  /**
   * Counts a stream of inferences, whose first request names this model, among the sessions. It is refused as one is,
   * with LIMIT_REACHED.
   * @returns to be called once, when the stream has ended
   */
  openModelStream(name: string, version: string): () => void;
  /** Re-reads the configuration; true when something changed. */
  reload(): Promise<boolean>;
  /**
   * Re-reads the configuration and loads every version of the name, also one that is loaded: it serves until the new
   * generation is ready.
   * @param override what counts in the place of the model's files until it is loaded with another one, without the files that it had, or unloaded
   * @param checkModel called, before anything is loaded, with each model of an ensemble's steps that `override` names, or that was
   * unloaded and is now loaded too; it throws what keeps that from being done
   * @throws MillraceError when one of them cannot be loaded; what served before goes on. NOT_SUPPORTED: no overrides are taken
   */
  load(name: string, override?: LoadOverride, checkModel?: (model: string) => void): Promise<void>;
  /**
   * Every version of the name takes no more calls until `load`; its sessions go on to their end.
   * @param checkModel the models of an ensemble's steps go too; it is called with each before anything is unloaded, and throws
   * what keeps that from being done
   */
  unload(name: string, checkModel?: (model: string) => void): Promise<void>;
}
