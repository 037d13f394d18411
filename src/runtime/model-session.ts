import type { Logger } from '../base/logger.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
import type { Headers } from '../tensor/inference.ts';
import type { Parameters } from '../tensor/parameters.ts';
import type { SequenceStep } from '../tensor/sequence.ts';
import type { Tensor, TensorSpec } from '../tensor/tensor.ts';

/** A loaded model. Closing it frees its memory; a run under way ends first. */
export interface ModelSession extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** −1 where a dimension is dynamic. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** The execution provider that it got, e.g. "cpu". */
  readonly provider: string;
  /** Set: it is a graph or a user's code, which looks at its inputs itself; its tensors may not be known. */
  readonly step?: { readonly kind: 'graph' | 'runtime'; readonly decoupled: boolean } | undefined;
  /**
   * Runs the model once. The caller has checked the inputs with `checkInputs`; they may come in any order.
   * @param isWanted asked right before the run starts, since it cannot be stopped; absent: it is wanted
   * @returns the outputs in the model's order, over memory of their own
   * @throws MillraceError MODEL_FAILED with the backend's message, CANCELLED for a run that nobody wants any more,
   *   QUEUE_FULL and QUEUE_TIMEOUT of a model that batches, HOST_LOST of one that is elsewhere
   */
  run(inputs: readonly Tensor[], isWanted?: () => boolean, caller?: RunCaller): Promise<Tensor[]>;
  /**
   * Of a step that is decoupled: its responses to one request, none made long before it is asked for. Who stops asking ends it.
   * @throws MillraceError as `run`, after the responses that came before
   */
  stream?(inputs: readonly Tensor[], caller?: RunCaller): AsyncIterable<readonly Tensor[]>;
}

/** Who waits for a run; a session looks at what concerns it. */
export interface RunCaller {
  /** Of the request, for the texts of faults. */
  readonly requestId?: string | undefined;
  /** Of a model that batches: 1 is served first, 0 and undefined are its default. */
  readonly priority?: number | undefined;
  /** Of a model that batches: the longest wait, in microseconds, which may only shorten its own. */
  readonly timeoutUs?: number | undefined;
  /** How long the request has waited before, in ms. @default 0 */
  readonly waitedMs?: number | undefined;
  /** Aborts when nobody waits any more; asked for by a session that can do something about it. */
  readonly signal?: (() => AbortSignal) | undefined;
  /** Inferences that the run is: the rows of a batch. @default 1 */
  readonly inferences?: number | undefined;
  /**
   * Each run is as long as the last one, as of frames of a video. While runs without a deadline are short nobody is told of
   * their beginning, which saves waking the front; one that hangs on the caller's thread is then a silence of the host. @default false
   */
  readonly isRegular?: boolean | undefined;
  /** All that the request said, for users' code. */
  readonly parameters?: Parameters | undefined;
  readonly headers?: Headers | undefined;
  /** Of a model whose requests belong to sequences. */
  readonly sequence?: SequenceStep | undefined;
}

/** A run as it was put together when its turn had come. */
export interface ChosenRun {
  readonly inputs: readonly Tensor[];
  /** Requests that wait for it. */
  readonly requests: number;
  /** Rows, where the first dimension is a batch; else 1. */
  readonly inferences: number;
  /** The time that its requests have waited, together. */
  readonly queueNs: number;
  /** As {@link RunCaller.isRegular}. */
  readonly isRegular?: boolean | undefined;
}

/** A model as its backend has it. */
export interface BackendSession extends ModelSession {
  /**
   * As `run`, of inputs that are chosen when the turn has come: a batch has then all that came during the run before it.
   * @param choose called once at most; undefined: there is nothing to run any more
   * @returns undefined where nothing was run
   */
  runNext(choose: () => ChosenRun | undefined): Promise<Tensor[] | undefined>;
  /**
   * For who joins requests: one that is at fault would fail the others.
   * @throws MillraceError where a run could not be given these inputs
   */
  check?(inputs: readonly Tensor[]): void;
}

export type ExecutionProvider = 'cpu' | 'cuda' | 'tensorrt' | 'webgpu' | 'coreml';

/** What a backend needs to know to load a model. */
export interface ModelOptions {
  readonly name: string;
  readonly version: string;
  /** Absolute path of the model's file. */
  readonly path: string;
  /** Tried in order; the first that loads the model wins. */
  readonly executionProviders: readonly ExecutionProvider[];
  readonly intraOpThreads: number;
  /**
   * Threads besides the caller's that share the models of the process; the model gets one of them, and the caller's goes on while it
   * runs. 0: it runs on the caller's.
   * @default 0
   */
  readonly inferenceThreads?: number | undefined;
  /** 0: none. A run past it costs the host. */
  readonly runDeadlineMs: number;
}

/**
 * Told before and after each run, since a run on the caller's thread (0) blocks the process: the supervisor counts only its deadline then.
 * A run on another thread blocks nothing: of its beginning it is told when it has passed its deadline, or, where it has none, has
 * become a long one.
 */
export interface RunMonitor {
  /** The run may start once this settles, or at once where nothing is returned. */
  runStarted(deadlineMs: number, thread: number): Promise<void> | void;
  runEnded(timing: RunTiming, thread: number): void;
}

export interface Backend {
  readonly name: string;
  /** Whether it is for files like this one, by the name alone. */
  accepts(path: string): boolean;
  /** @throws MillraceError MODEL_INVALID saying what is wrong with the file or why no provider took it */
  load(options: ModelOptions, monitor: RunMonitor, logger: Logger): Promise<BackendSession>;
}
