import type { ExecutionProvider } from '../runtime/model-session.ts';
import type { TensorSpec } from '../tensor/tensor.ts';
import type { ServableKind } from './data-plane.ts';

/** What every kind of servable has. All of a spec is plain JSON: it is sent to the hosts that load it. Paths are absolute. */
interface SpecBase {
  readonly name: string;
  /**
   * Any text; "" is none. A decimal number above 0 in layouts other than MLServer's, where a graph's and a runtime's is "1".
   */
  readonly version: string;
  /** Hash over all that the servable is made of, contents of its files included: another fingerprint means reload. */
  readonly fingerprint: string;
  /** What to watch: a change in one of them may change the fingerprint. */
  readonly files: readonly string[];
  /** Sessions that may be open at once; undefined: as many as the server takes. */
  readonly maxSessions?: number | undefined;
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
  /** 0: none. A run past it costs the host. */
  readonly runDeadlineMs: number;
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
export type ServableSpec = GraphSpec | ModelSpec | RuntimeSpec;

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
