import type { Logger } from '../../base/logger.ts';
import { builtinCalculators } from '../../calculators/index.ts';
import {
  CalculatorRegistry,
  readGraphFile,
  validateGraph,
  type GraphRunOptions,
  type Packet,
  type ValidatedGraph,
} from '../../graph/index.ts';
import { loadModels, MODEL_SERVICE, type ModelFile } from '../../graph-tools/models.ts';
import { runGraph, type RunInputs } from '../../graph-tools/run-graph.ts';
import { loadSettings, servablesLoader } from '../load-settings.ts';
import { UsageError } from '../usage-error.ts';
import type { GraphArguments } from './graph-arguments.ts';

/** A graph that may be run, with the models that it may name. */
export interface LoadedGraph {
  readonly graph: ValidatedGraph;
  readonly models: readonly ModelFile[];
}

/** What a configuration gives to graphs that are used without a server. */
export interface GraphParts {
  readonly registry: CalculatorRegistry;
  /** @throws GraphError with all faults */
  load(file: string): Promise<LoadedGraph>;
}

/** The parts of the configuration that `--config_path` names; of the one that comes with Millrace without it. */
export function graphParts(
  flags: GraphArguments['flags'],
  variables: Readonly<Record<string, string | undefined>>,
): GraphParts {
  const registry = new CalculatorRegistry(builtinCalculators);
  return {
    registry,
    async load(file) {
      const read = await readGraphFile(file, registry);
      const graph = validateGraph(read.config, read.registry);
      // Reading a configuration hashes the models' files, so only where it is needed.
      return { graph, models: graph.services.has(MODEL_SERVICE) ? await modelsOf(flags, variables) : [] };
    },
  };
}

async function modelsOf(
  flags: GraphArguments['flags'],
  variables: Readonly<Record<string, string | undefined>>,
): Promise<readonly ModelFile[]> {
  const path = flags['config_path']?.at(-1);
  const { settings } = await loadSettings(path === undefined ? {} : { config_path: path }, variables);
  const { specs } = await servablesLoader(settings)();
  return specs.filter((spec) => spec.kind === 'model');
}

/** Runs a graph with its models, which are closed afterwards. Throws as `runGraph` and `loadModels`. */
export async function runWithModels(
  { graph, models }: LoadedGraph,
  inputs: RunInputs,
  logger: Logger,
  options: GraphRunOptions,
  onPacket: (stream: string, packet: Packet) => void,
): Promise<void> {
  await using loaded = await loadModels(graph, models, logger);
  await runGraph(graph, inputs, { ...options, services: new Map([[MODEL_SERVICE, loaded.service]]) }, onPacket);
}

/** @throws UsageError */
export function runInputs(flags: GraphArguments['flags']): RunInputs {
  const files = new Map<string, string[]>();
  for (const [name, file] of pairs('input', flags['input'])) files.set(name, [...(files.get(name) ?? []), file]);
  return { files, sidePackets: new Map(pairs('side_packet', flags['side_packet'])), observe: flags['observe'] ?? [] };
}

function pairs(flag: string, values: readonly string[] = []): (readonly [string, string])[] {
  return values.map((text) => {
    const at = text.indexOf('=');
    if (at < 1)
      throw new UsageError(`--${flag}: "${text}" given, NAME=${flag === 'input' ? 'FILE' : 'VALUE'} expected`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}
