import { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { HostClient } from '../../ipc/host-client.ts';
import type { Launcher } from '../../ipc/launcher.ts';
import { defaultSupervision, Supervisor } from '../../ipc/supervisor.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { ScriptHandler, ScriptOutputs } from '../script/define-script.ts';

/** A handler of OVMS's (sheet §5.5): the class `OvmsPythonModel` of a file. */
export interface PythonNode {
  /** The node's name in the graph. */
  readonly node: string;
  /** Absolute path of the `.py` file. */
  readonly path: string;
  /** Names of the graph streams that it reads and writes, without LOOPBACK. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Absolute path of the graph file's folder. */
  readonly folder: string;
}

export interface PythonNodesOptions {
  /** For the log. */
  readonly name: string;
  readonly launch: Launcher;
  /** Longest call; 0: none. One that does not return costs the process. */
  readonly callDeadlineMs: number;
  /** Longest load, the import of the module and `initialize` included; 0: none. */
  readonly loadTimeoutMs: number;
}

/** The steps of a generator. */
interface Steps extends AsyncIterator<ScriptOutputs> {
  return(): Promise<IteratorResult<ScriptOutputs, undefined>>;
}

/** A call carries one set of inputs and one of outputs, and these may be as big as they like. */
const LIMITS = { maxMessages: 1, maxBytes: Infinity };
const MAX_SILENCE_MS = 10_000;
/** How long `finalize` may take together. */
const CLOSE_MS = 5000;

/**
 * The Python nodes of a graph, all in one Python process, which is replaced when it ends: their state is then lost, and
 * sessions that were in a call fail. What a node holds it holds for all sessions; only a generator is a session's own.
 */
export class PythonNodes {
  readonly #nodes: readonly PythonNode[];
  readonly #options: PythonNodesOptions;
  readonly #logger: Logger;
  readonly #supervisor: Supervisor;
  readonly #loaded: Promise<void>;
  #client: HostClient | undefined;
  #downReason = 'its Python process is starting';

  private constructor(nodes: readonly PythonNode[], options: PythonNodesOptions, logger: Logger) {
    this.#nodes = nodes;
    this.#options = options;
    this.#logger = logger;
    let settle!: { resolve: () => void; reject: (error: unknown) => void };
    this.#loaded = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.#loaded.catch(() => {}); // whoever started it hears of it
    this.#supervisor = new Supervisor(
      options.launch,
      {
        ...defaultSupervision,
        name: options.name,
        settings: { hosts: 1 },
        limits: LIMITS,
        maxSilenceMs: MAX_SILENCE_MS,
      },
      {
        onUp: (client) => void this.#load(client).then(settle.resolve, settle.reject),
        onRun: () => {},
        onDown: (reason) => {
          this.#client = undefined;
          this.#downReason = reason;
          settle.reject(new Error(reason));
        },
      },
      logger,
    );
    this.#supervisor.start();
  }

  /** @throws Error naming the node and the fault where one of them does not load */
  static async start(nodes: readonly PythonNode[], options: PythonNodesOptions, logger: Logger): Promise<PythonNodes> {
    const started = new PythonNodes(nodes, options, logger);
    try {
      await started.#loaded;
      return started;
    } catch (error) {
      await started.close();
      throw error;
    }
  }

  /** Of a node; `initialize` and `finalize` are the process's own affair. */
  handler(node: string): ScriptHandler {
    const loadId = this.#nodes.findIndex((each) => each.node === node) + 1;
    return {
      execute: (inputs, { signal }) => this.#execute(loadId, inputs, signal),
    };
  }

  /** Aborted, it fails at once, but runs to its answer: a generator that this names is closed, as nobody else will. */
  #execute(loadId: number, inputs: readonly Tensor[], signal: AbortSignal): Promise<ScriptOutputs | Steps> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(runIsOver());
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      const settle = (response: InferenceResponse): void => {
        const generator = response.parameters?.['generator'];
        if (typeof generator !== 'bigint') return resolve(response.outputs);
        const steps = this.#steps(loadId, generator, signal);
        if (signal.aborted)
          void steps.return().catch(() => {}); // its process is gone, and with it the generator
        else resolve(steps);
      };
      this.#call(loadId, { op: 'execute' }, inputs, NEVER)
        .then(settle, reject)
        .finally(() => signal.removeEventListener('abort', abort));
    });
  }

  async close(): Promise<void> {
    await this.#supervisor.close(CLOSE_MS);
  }

  async #load(client: HostClient): Promise<void> {
    const { callDeadlineMs, loadTimeoutMs } = this.#options;
    for (const [at, { node, path, inputs, outputs, folder }] of this.#nodes.entries()) {
      const kwargs = { node_name: node, input_names: inputs, output_names: outputs, base_path: folder };
      const limits = { callDeadlineMs, loadTimeoutMs };
      try {
        const spec = { kind: 'python_node', name: node, version: '1', module: path, kwargs, ...limits };
        await client.loadServable(at + 1, spec);
      } catch (error) {
        const { message } = MillraceError.from(error);
        this.#downReason = message;
        this.#logger.error({ node, reason: message }, 'Python node failed to load');
        throw new Error(`node "${node}": ${message}`, { cause: error });
      }
    }
    this.#client = client;
  }

  async #call(
    loadId: number,
    parameters: Readonly<Record<string, string | bigint>>,
    inputs: readonly Tensor[],
    signal: AbortSignal,
  ): Promise<InferenceResponse> {
    if (this.#client === undefined) throw new MillraceError('HOST_LOST', `Python is not there: ${this.#downReason}`);
    const cancellation = new Cancellation();
    const abort = (): void => cancellation.cancel(runIsOver());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const request = { servable: '', version: '', id: '', parameters, inputs, outputs: [] };
      return await this.#client.infer(loadId, request, cancellation);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** What a generator yields, a step when it is asked for. */
  #steps(loadId: number, generator: bigint, signal: AbortSignal): Steps {
    let isOver = false;
    return {
      next: async () => {
        const response = await this.#call(loadId, { op: 'next', generator }, [], signal);
        isOver = response.parameters?.['done'] === true;
        return isOver ? { done: true, value: undefined } : { done: false, value: response.outputs };
      },
      return: async () => {
        if (!isOver) await this.#call(loadId, { op: 'close', generator }, [], NEVER);
        return { done: true, value: undefined };
      },
    };
  }
}

const NEVER = new AbortController().signal;

const runIsOver = (): MillraceError => new MillraceError('CANCELLED', 'the run is over');
