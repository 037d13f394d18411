import type { ResourceNeed } from '../ipc/resource-need.ts';
import type { ExecutionProvider } from '../runtime/model-session.ts';
import type { DetectorInfo } from '../pipelines/common/detector-info.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import type { ServableKind } from './data-plane.ts';
import type { DynamicBatching, RequestLimit, SequenceBatching } from './model-scheduling.ts';

/** What every kind of servable has. All of a spec is plain JSON: it is sent to the hosts that load it. Paths are absolute. */
interface SpecBase {
  readonly name: string;
  /** Any text; "" is none. A decimal number above 0 in layouts other than MLServer's. */
  readonly version: string;
  /** Hash over all that the servable is made of, contents of its files included: another fingerprint means reload. */
  readonly fingerprint: string;
  /** What to watch: a change in one of them may change the fingerprint. */
  readonly files: readonly string[];
  /** Sessions that may be open at once; undefined: as many as the server takes. */
  readonly maxSessions?: number | undefined;
  /** Triton's configuration of it, completed, as `ModelConfig` tells it; undefined in other layouts. */
  readonly config?: object | undefined;
  /** Requests that it must answer before it is ready. */
  readonly warmup?: readonly WarmupSample[] | undefined;
  /** For requests that want classes; undefined: no batch, and no labels. */
  readonly classes?: ClassTraits | undefined;
}

/** How the elements of an output are classes. */
export interface ClassTraits {
  /** The first dimension is a batch: each row has classes of its own. */
  readonly hasBatch: boolean;
  /** By output: the name of each element. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** A made-up request that runs at load, one after another. */
export interface WarmupSample {
  readonly name: string;
  /** How often, at least 1. */
  readonly count: number;
  readonly inputs: readonly WarmupInput[];
}

export interface WarmupInput {
  readonly name: string;
  readonly datatype: Exclude<TensorSpec['datatype'], 'INVALID'>;
  /** With the batch, where there is one. */
  readonly shape: readonly number[];
  /** Where its bytes come from; those of a file are repeated until the tensor is full. The path is absolute. */
  readonly data: 'zero' | 'random' | { readonly file: string };
}

/** When a request without `OVMS_MP_TIMESTAMP` happens: previous + 1 from 0, the wall clock in µs, or previous + `stepUs`. */
type AutomaticTimestamps = 'request' | 'wall_clock' | { readonly stepUs: number };

/** What one session may take; 0: no limit. */
export interface SessionQuota {
  /** Without requests and responses. */
  readonly idleTimeoutMs: number;
  readonly maxDurationMs: number;
  /** Requests of a graph's session whose outputs are still to come. */
  readonly maxInFlightRequests: number;
  /** Packets in the queues of a session's graph, and in front of them. */
  readonly maxQueuedPackets: number;
}

export const NO_QUOTA: SessionQuota = {
  idleTimeoutMs: 0,
  maxDurationMs: 0,
  maxInFlightRequests: 0,
  maxQueuedPackets: 0,
};

/** What a busy graph does with a waiting packet when a newer one comes: keep it, or drop it with its request. */
type InputPolicy = 'queue' | 'newest';

export interface GraphSpec extends SpecBase {
  readonly kind: 'graph';
  /** The `*.pbtxt` file. */
  readonly graphPath: string;
  /** Undefined: the graph's calculators decide. */
  readonly automaticTimestamps: AutomaticTimestamps | undefined;
  /** For all graph inputs or by name; undefined: `queue`. */
  readonly inputPolicy?: InputPolicy | Readonly<Record<string, InputPolicy>> | undefined;
  readonly quota: SessionQuota;
  /** Users' modules whose calculators the graph may name. */
  readonly calculators: readonly string[];
  /** `own`: a host process of its own. */
  readonly isolation: 'own' | 'shared';
  /** Longest call of a user's code; 0: none. */
  readonly callDeadlineMs: number;
  /** Longest import of a user's module, and `initialize` of a script that all sessions share; 0: none. */
  readonly loadTimeoutMs: number;
  /** Where it has a host of its own: what that must load beside it, the models that the graph names. */
  readonly models: readonly ModelSpec[];
}

export interface ModelSpec extends SpecBase {
  readonly kind: 'model';
  /** The model's file. */
  readonly path: string;
  /** Tried in order; the first that loads the model wins. */
  readonly executionProviders: readonly ExecutionProvider[];
  /** Undefined: cores ÷ hosts. */
  readonly intraOpThreads?: number | undefined;
  /** A graph names it: other models may run at the same time. */
  readonly isOfGraph?: boolean | undefined;
  /** 0: none. A run past it costs the host. */
  readonly runDeadlineMs: number;
  /** What its configuration says of its tensors; undefined: the file says it all. */
  readonly signature?: ModelSignature | undefined;
  readonly dynamicBatching?: DynamicBatching | undefined;
  readonly sequenceBatching?: SequenceBatching | undefined;
  /** How frames of video are made its input and its outputs detections; undefined: its shapes tell. */
  readonly detector?: DetectorInfo | undefined;
  /** How many of the shared hosts load it; the graphs of the others reach it through the front. Undefined: all of them. */
  readonly instances?: number | undefined;
  readonly requestLimit?: RequestLimit | undefined;
  /** What each of its runs holds of resources that runs share; undefined: it waits for none. */
  readonly rateLimiter?: ResourceNeed | undefined;
  /** Responses to equal unary requests are remembered, where the server has room for any. */
  readonly cachesResponses?: boolean | undefined;
}

/** A model's tensors as requests have them, where a configuration says more than the model's file. */
export interface ModelSignature {
  /** Largest first dimension of a request's tensors; 0: their first dimension is no batch. */
  readonly maxBatchSize: number;
  readonly inputs: readonly ConfiguredTensor[];
  /** Those that are served; the model may have more. */
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
  /** Of a step that gives any number of responses: how many may be under way at once; 0, undefined: the host's own limit. */
  readonly maxInflight?: number | undefined;
}

/** Models joined by tensors that they exchange; a stream on one is as on a model. */
export interface EnsembleSpec extends SpecBase {
  readonly kind: 'ensemble';
  /** As protobuf text: a graph whose streams carry the ensemble's tensors. */
  readonly graphText: string;
  /** What runs. */
  readonly steps: readonly EnsembleStep[];
  /** The graph's stream of each tensor that requests and responses name. */
  readonly streams: Readonly<Record<string, string>>;
  readonly signature: ModelSignature;
  /** The models of its steps; it is loaded only where all of them are. */
  readonly models: readonly { readonly name: string; readonly version: string }[];
}

/** Unary calls that come at about the same time and run as one (MLServer's adaptive batching). */
export interface BatchingSpec {
  /** Requests in one batch, at least 2. */
  readonly maxSize: number;
  /** How long the first one waits for others. */
  readonly maxTimeMs: number;
}

/** What an MLServer folder says of a model in place of its code: none of it is checked against requests. */
export interface DeclaredMetadata {
  readonly platform: string;
  /** Free text (MLServer's `versions`), not versions of the servable. */
  readonly versions: readonly string[];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
}

export interface RuntimeSpec extends SpecBase {
  readonly kind: 'runtime';
  readonly language: 'javascript' | 'python';
  /** The user's module, absolute: `.js`, `.mjs`, `.ts`, or `.py`; or a dotted name that Python finds on its path. */
  readonly module: string;
  /** Which of its exports, or of its classes, is the runtime. */
  readonly export: string;
  /** The user's own settings, as in the file. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** `own`: host processes of its own. */
  readonly isolation: 'own' | 'shared';
  /** Runtimes of one group share their own hosts; undefined: each has its own. */
  readonly hostGroup?: string | undefined;
  /** How many own hosts load it, each with one instance. */
  readonly instances: number;
  /** Longest `load`, the import of the module included; 0: none. */
  readonly loadTimeoutMs: number;
  /** Longest call of its code without a response; 0: none. */
  readonly callDeadlineMs: number;
  readonly batching?: BatchingSpec | undefined;
  /** Responses to equal unary requests are remembered, where the server has room for any. */
  readonly cachesResponses?: boolean | undefined;
  /** The whole `model-settings.json`, for the runtime to read; undefined in other layouts. */
  readonly modelSettings?: Readonly<Record<string, unknown>> | undefined;
  readonly declared?: DeclaredMetadata | undefined;
  /** Python only: its interpreter (undefined: `MILLRACE_PYTHON`, else the one found) and folders for `sys.path`. */
  readonly python?: { readonly interpreter?: string | undefined; readonly importPaths: readonly string[] } | undefined;
}

/** One servable as it should be loaded; every repository layout yields these, and nothing else knows the layouts. */
export type ServableSpec = GraphSpec | ModelSpec | RuntimeSpec | EnsembleSpec;

/** An entry that could not be made into a spec: it is listed as unavailable, with the reason. */
export interface BrokenServable {
  readonly name: string;
  readonly version: string;
  readonly kind: ServableKind;
  readonly reason: string;
}

/** What a repository holds now. */
export interface LoadedServables {
  readonly specs: readonly ServableSpec[];
  readonly broken: readonly BrokenServable[];
  /** Files to watch besides those of the specs, e.g. the configuration itself. */
  readonly files: readonly string[];
  /** For the log: entries that were ignored or read in a way that may surprise. */
  readonly warnings: readonly string[];
}

/** What a client gave in the place of a model's files; see `LoadOverride`. */
export interface ModelOverride {
  /** A `ModelConfig` as protobuf JSON. */
  readonly config: string;
  /** Stands in for the model's folder; undefined: that stays. */
  readonly folder: string | undefined;
}

/** By the name of the model. */
export type Overrides = ReadonlyMap<string, ModelOverride>;
