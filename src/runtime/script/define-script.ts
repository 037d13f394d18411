import type { Logger } from '../../base/logger.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** What a script is told before its first `execute`. */
export interface ScriptSetup {
  /** The node's name in the graph. */
  readonly node: string;
  /** Names of the graph streams that it reads, in the order in which `execute` gets their tensors; without LOOPBACK. */
  readonly inputs: readonly string[];
  /** Names of the graph streams that it writes, without LOOPBACK. */
  readonly outputs: readonly string[];
  /** Absolute path of the graph file's folder. */
  readonly folder: string;
  /** Of the session's first request; none where all sessions share the script. */
  readonly parameters: Parameters;
  readonly logger: Logger;
}

/** What `execute` is given beside the tensors. */
export interface ScriptContext {
  /** Of the inputs, in microseconds. */
  readonly timestamp: bigint;
  /** Of the request that brought the inputs; none when nodes before this one chose another timestamp. */
  readonly parameters: Parameters;
  /** Aborted when the client left or the run failed: end soon, nobody listens any more. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** A list of tensors, each named after the output stream that it is for, or after that one's tag. Outputs may be left out. */
export type ScriptOutputs = readonly Tensor[];

/**
 * A user's code in a graph node: the default export of the module that a ScriptCalculator's `handler_path` names, either
 * this object or a class whose objects are this. Of a class each session has an object of its own.
 */
export interface ScriptHandler {
  /** Once, before any `execute`. A failure ends the session with its message. */
  initialize?(setup: ScriptSetup): void | Promise<void>;
  /**
   * Once per input set: the tensors that are there, named after their streams, in the order of their tags.
   *
   * A list goes out at the inputs' timestamp. A generator needs LOOPBACK on both sides of the node: what it yields goes
   * out at the inputs' timestamp, the next at that + 1, and so on, each at once; inputs that come before its end fail the
   * session. A failure ends the session with its message.
   */
  execute(
    inputs: readonly Tensor[],
    context: ScriptContext,
  ):
    | ScriptOutputs
    | Promise<ScriptOutputs | Iterator<ScriptOutputs> | AsyncIterator<ScriptOutputs>>
    | Iterator<ScriptOutputs>
    | AsyncIterator<ScriptOutputs>;
  /** Once, after the last `execute`, however the session ended. A failure is only logged. */
  finalize?(): void | Promise<void>;
}

/** Gives a script its types; the object itself comes back, so that a module need not import anything to be one. */
export function defineScript(handler: ScriptHandler): ScriptHandler {
  return handler;
}
