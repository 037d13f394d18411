import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { messageOf, MillraceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { settledWithin } from '../../base/settled-within.ts';
import { pythonExecutor, type PythonOptions } from '../../calculators/script/python-executor.ts';
import { scriptCalculator, type ScriptOptions } from '../../calculators/script/script-calculator.ts';
import type { NodePlan, ValidatedGraph } from '../../graph/index.ts';
import { launchPython } from '../../runtime/python/python-launcher.ts';
import { PythonNodes } from '../../runtime/python/python-nodes.ts';
import type { ScriptHandler, ScriptSetup } from '../../runtime/script/define-script.ts';
import type { ScriptService } from '../../runtime/script/script-service.ts';
import { exportOf, type ImportModule } from '../../runtime/script/user-modules.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { calledWithin } from './call-deadline.ts';

export interface GraphScriptsParts {
  /** Absolute path of the graph file, from whose folder `handler_path` starts. */
  readonly graphPath: string;
  readonly importModule: ImportModule;
  /** Longest `initialize` of a shared script; 0: no limit. */
  readonly loadTimeoutMs: number;
  /** Longest `finalize` of a shared script; 0: no limit. */
  readonly callDeadlineMs: number;
  readonly logger: Logger;
}

/** The scripts of a loaded graph, by its ScriptCalculator and PythonExecutorCalculator nodes. */
export class GraphScripts {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #callDeadlineMs: number;
  readonly #makers = new Map<string, () => ScriptHandler>();
  readonly #shared: ScriptHandler[] = [];
  #python: PythonNodes | undefined;

  private constructor({ graphPath, callDeadlineMs, logger }: GraphScriptsParts) {
    this.#folder = dirname(graphPath);
    this.#callDeadlineMs = callDeadlineMs;
    this.#logger = logger;
  }

  /**
   * Undefined where the graph has no such node.
   * @throws MillraceError GRAPH_INVALID naming the node, the module and the fault; nothing stays initialized then
   */
  static async load(graph: ValidatedGraph, parts: GraphScriptsParts): Promise<GraphScripts | undefined> {
    const nodes = graph.nodes.filter(({ definition }) => definition.name === scriptCalculator.name);
    const python = graph.nodes.filter(({ definition }) => definition.name === pythonExecutor.name);
    if (nodes.length + python.length === 0) return undefined;
    const scripts = new GraphScripts(parts);
    for (const node of nodes) {
      const path = resolve(dirname(parts.graphPath), (node.options as ScriptOptions).handlerPath);
      try {
        await scripts.#add(node, path, parts);
      } catch (error) {
        await scripts.close();
        const problem = `node "${node.name}": script ${path}: ${messageOf(error)}`;
        throw new MillraceError('GRAPH_INVALID', problem, { details: { file: path }, cause: error });
      }
    }
    if (python.length > 0) await scripts.#addPython(python, parts);
    return scripts;
  }

  /**
   * For one run.
   * @param parameters of the first request
   * @param parametersAt of the request at a timestamp
   */
  service(parameters: Parameters, parametersAt: (timestamp: bigint) => Parameters | undefined): ScriptService {
    return {
      folder: this.#folder,
      logger: this.#logger,
      parameters,
      script: (node) => {
        const make = this.#makers.get(node);
        if (make === undefined) throw new MillraceError('INTERNAL', `node "${node}" has no script: this is a bug`);
        return make();
      },
      parametersAt: (timestamp) => parametersAt(timestamp) ?? {},
    };
  }

  /** Finalizes those that all sessions share; failures are only logged. */
  async close(): Promise<void> {
    await this.#python?.close();
    for (const handler of this.#shared.splice(0)) await this.#finalize(handler);
  }

  async #finalize(handler: ScriptHandler): Promise<void> {
    try {
      await calledWithin(Promise.resolve(handler.finalize?.()), this.#callDeadlineMs, 'finalize');
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, 'script failed to finalize');
    }
  }

  async #add(node: NodePlan, path: string, parts: GraphScriptsParts): Promise<void> {
    const { export: name, shared } = node.options as ScriptOptions;
    if ((await stat(path).catch(() => undefined))?.isFile() !== true) throw new Error('there is no such file');
    const make = makerOf(exportOf(await parts.importModule(path), name), name);
    if (!shared) {
      this.#makers.set(node.name, make);
      return;
    }
    const handler = make();
    const setup = { node: node.name, ...streamsOf(node), folder: this.#folder, parameters: {}, logger: this.#logger };
    await this.#initialize(handler, setup, parts.loadTimeoutMs);
    this.#shared.push(handler);
    this.#makers.set(node.name, () => handler);
  }

  async #addPython(nodes: readonly NodePlan[], parts: GraphScriptsParts): Promise<void> {
    const { loadTimeoutMs, callDeadlineMs } = parts;
    const name = `Python of ${parts.graphPath}`;
    const folder = this.#folder;
    const wanted = nodes.map((node) => {
      const path = resolve(folder, (node.options as PythonOptions).handlerPath);
      return { node: node.name, path, folder, ...streamsOf(node) };
    });
    const launch = () => launchPython(undefined, process.env, this.#logger);
    try {
      const python = await PythonNodes.start(wanted, { name, launch, callDeadlineMs, loadTimeoutMs }, this.#logger);
      this.#python = python;
      for (const { node } of wanted) {
        const handler = python.handler(node);
        this.#makers.set(node, () => handler);
      }
    } catch (error) {
      await this.close();
      throw new MillraceError('GRAPH_INVALID', messageOf(error), { details: { file: parts.graphPath }, cause: error });
    }
  }

  async #initialize(handler: ScriptHandler, setup: ScriptSetup, timeoutMs: number): Promise<void> {
    const initializing = Promise.resolve(handler.initialize?.(setup));
    await settledWithin(initializing, timeoutMs, () => {
      // What is initialized too late is finalized again.
      void initializing.then(() => this.#finalize(handler)).catch(() => {});
      return new Error(`initialize did not end within ${timeoutMs} ms (load_timeout_ms)`);
    });
  }
}

/** Names of the graph streams that a node reads and writes, without LOOPBACK. */
function streamsOf(node: NodePlan): { readonly inputs: readonly string[]; readonly outputs: readonly string[] } {
  const [inputs, outputs] = [node.inputs, node.outputs].map((ports) =>
    ports.filter(({ tag }) => tag !== 'LOOPBACK').map((port) => port.name),
  ) as [string[], string[]];
  return { inputs, outputs };
}

/** @throws Error when it is no script */
function makerOf(exported: unknown, name: string): () => ScriptHandler {
  const isClass = typeof exported === 'function';
  const methods: unknown = isClass ? exported.prototype : exported;
  if (typeof methods !== 'object' || methods === null || typeof (methods as ScriptHandler).execute !== 'function') {
    throw new Error(`export "${name}" has no method execute; a class or an object with one expected`);
  }
  if (!isClass) return () => exported as ScriptHandler;
  return () => new (exported as new () => ScriptHandler)();
}
