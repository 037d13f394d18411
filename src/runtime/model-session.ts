import type { Logger } from '../base/logger.ts';
import type { RunTiming } from '../ipc/run-timing.ts';
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
  /**
   * Runs the model once. The caller has checked the inputs with `checkInputs`; they may come in any order.
   * @param isWanted asked right before the run starts, since it cannot be stopped; absent: it is wanted
   * @returns the outputs in the model's order, over memory of their own
   * @throws MillraceError MODEL_FAILED with the backend's message, CANCELLED for a run that nobody wants any more
   */
  run(inputs: readonly Tensor[], isWanted?: () => boolean): Promise<Tensor[]>;
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
  /** 0: none. A run past it costs the host. */
  readonly runDeadlineMs: number;
}

/** Told before and after each run, since a run blocks the process: the supervisor counts only its deadline then. */
export interface RunMonitor {
  /** The run may start once this settles, or at once where nothing is returned. */
  runStarted(deadlineMs: number): Promise<void> | void;
  runEnded(timing: RunTiming): void;
}

export interface Backend {
  readonly name: string;
  /** Whether it is for files like this one, by the name alone. */
  accepts(path: string): boolean;
  /** @throws MillraceError MODEL_INVALID saying what is wrong with the file or why no provider took it */
  load(options: ModelOptions, monitor: RunMonitor, logger: Logger): Promise<ModelSession>;
}
