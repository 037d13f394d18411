import type { BatchingOptions } from '../runtime/batching/batching-options.ts';
import type { ResourceNeed } from '../ipc/resource-need.ts';
import type { ExecutionProvider } from '../runtime/model-session.ts';
import type { SequenceOptions } from '../runtime/sequences/sequence-options.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { TensorSpec } from '../tensor/tensor.ts';

/**
 * What the front sends to have a servable loaded: the part of its `ServableSpec` that a host needs. The two are declared
 * apart because a host knows nothing of the front; `test/contracts/host-spec.test.ts` compares them.
 */
export type HostSpec = GraphLoad | ModelLoad | RuntimeLoad | EnsembleLoad | RemoteModelLoad;

interface Load {
  readonly name: string;
  readonly version: string;
  /** Requests that it must answer before it is ready. */
  readonly warmup?: readonly WarmupSample[] | undefined;
}

export interface WarmupSample {
  readonly name: string;
  readonly count: number;
  readonly inputs: readonly WarmupInput[];
}

export interface WarmupInput {
  readonly name: string;
  readonly datatype: Datatype;
  /** With the batch, where there is one. */
  readonly shape: readonly number[];
  readonly data: 'zero' | 'random' | { readonly file: string };
}

export interface GraphLoad extends Load {
  readonly kind: 'graph';
  /** The `*.pbtxt` file. */
  readonly graphPath: string;
  readonly automaticTimestamps?: 'request' | 'wall_clock' | { readonly stepUs: number } | undefined;
  /** Users' modules whose calculators the graph may name. */
  readonly calculators?: readonly string[] | undefined;
  /** Longest call of a user's code; 0 and undefined: none. */
  readonly callDeadlineMs?: number | undefined;
  /** Longest import of a user's module, and `initialize` of a script that all sessions share; 0 and undefined: none. */
  readonly loadTimeoutMs?: number | undefined;
  /** Of a graph with a host of its own, which must load itself what the graph names. */
  readonly models?: readonly ModelLoad[] | undefined;
  /** What a busy graph does with waiting packets, for all graph inputs or by name; `queue` where not said. */
  readonly inputPolicy?: InputPolicy | Readonly<Record<string, InputPolicy>> | undefined;
  /** What a session may have under way; 0, and where not said: no limit. */
  readonly quota?: { readonly maxInFlightRequests: number; readonly maxQueuedPackets: number } | undefined;
}

/** `newest`: a waiting packet gives way to a newer one. */
type InputPolicy = 'queue' | 'newest';

export interface ModelLoad extends Load {
  readonly kind: 'model';
  readonly path: string;
  readonly executionProviders: readonly ExecutionProvider[];
  readonly intraOpThreads?: number | undefined;
  /** A graph names it: other models may run at the same time. */
  readonly isOfGraph?: boolean | undefined;
  readonly runDeadlineMs: number;
  /** What its configuration says of its tensors; undefined: the file says it all. */
  readonly signature?: ModelSignature | undefined;
  readonly dynamicBatching?: ModelBatching | undefined;
  /** Its requests belong to sequences. */
  readonly sequenceBatching?: SequenceOptions | undefined;
  /** What each of its runs holds of resources that runs share; undefined: it waits for none. */
  readonly rateLimiter?: ResourceNeed | undefined;
}

export interface ModelBatching extends BatchingOptions {
  /** Rows in one batch; undefined: the `maxBatchSize` of the signature. */
  readonly maxBatchSize?: number | undefined;
}

/** A model that another host loads, for graphs to run from here; or a graph or runtime that ensembles run. */
export interface RemoteModelLoad extends Load {
  readonly kind: 'remote';
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly provider?: string | undefined;
  /** It is no model, but may be the step of an ensemble. */
  readonly step?: StepTraits | undefined;
}

export interface StepTraits {
  readonly kind: 'graph' | 'runtime';
  /** Zero or many responses to a request. */
  readonly decoupled: boolean;
}

export interface ModelSignature {
  /** Largest first dimension of a request's tensors; 0: their first dimension is no batch. */
  readonly maxBatchSize: number;
  readonly inputs: readonly ConfiguredTensor[];
  readonly outputs: readonly ConfiguredTensor[];
}

/** Its shape has the batch, where there is one, as a first −1. */
export interface ConfiguredTensor extends TensorSpec {
  /** The shape that the model itself has in its place, without the batch. */
  readonly reshape?: readonly number[] | undefined;
}

/** One inference of an ensemble: the stream that carries each of the model's tensors. */
export interface EnsembleStep {
  readonly model: string;
  /** "" is the highest. */
  readonly version: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** Of a step that gives any number of responses: how many may be under way at once; 0, undefined: `MAX_ROWS`. */
  readonly maxInflight?: number | undefined;
}

export interface EnsembleLoad extends Load {
  readonly kind: 'ensemble';
  /** The same as a graph, in protobuf text, to be looked at. */
  readonly graphText: string;
  readonly steps: readonly EnsembleStep[];
  /** Its stream for each tensor of requests and responses. */
  readonly streams: Readonly<Record<string, string>>;
  readonly signature: ModelSignature;
  /** What must be loaded; a version "" is the highest. */
  readonly models: readonly { readonly name: string; readonly version: string }[];
}

export interface RuntimeLoad extends Load {
  readonly kind: 'runtime';
  readonly module: string;
  readonly export: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Longest `load`, the import of the module included; 0 and undefined: none. */
  readonly loadTimeoutMs?: number | undefined;
  /** Longest call of its code without a response; 0 and undefined: none. */
  readonly callDeadlineMs?: number | undefined;
  /** Of requests, before they run as one; a stream is not batched, which the log tells. */
  readonly batching?: object | undefined;
  /** The whole `model-settings.json` with `parameters.uri` absolute; undefined in other layouts. */
  readonly modelSettings?: Readonly<Record<string, unknown>> | undefined;
  /** What the runtime is said to take and give, where it says nothing itself; requests are not checked against it. */
  readonly declared?: DeclaredMetadata | undefined;
}

export interface DeclaredMetadata {
  readonly platform: string;
  readonly versions: readonly string[];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}
