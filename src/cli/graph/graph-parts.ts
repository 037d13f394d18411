import type { Logger } from '../../base/logger.ts';
import {
  anyPacket,
  readGraphFile,
  validateGraph,
  type CalculatorRegistry,
  type GraphPort,
  type GraphRunOptions,
  type Packet,
  type ValidatedGraph,
} from '../../graph/index.ts';
import type { ModelFile } from '../../graph-tools/models.ts';
import { runGraph, type RunInputs } from '../../graph-tools/run-graph.ts';
import { openServices, registryWith, usesModels } from '../../graph-tools/services.ts';
import type { ServableSpec } from '../../serving/servable-spec.ts';
import { loadSettings, servablesLoader } from '../load-settings.ts';
import { UsageError } from '../usage-error.ts';
import type { GraphArguments } from './graph-arguments.ts';
import { graphFileOf } from './graph-files.ts';

type Flags = GraphArguments['flags'];
type Variables = Readonly<Record<string, string | undefined>>;

/** A graph that may be run, with the models that it may name. */
export interface LoadedGraph {
  readonly file: string;
  readonly graph: ValidatedGraph;
  readonly models: readonly ModelFile[];
}

/** The calculators that graphs may name: ours, and with `--config_path` those of that configuration. */
export async function loadRegistry(flags: Flags, variables: Variables): Promise<CalculatorRegistry> {
  const specs = flags['config_path'] === undefined ? [] : await readSpecs(flags, variables);
  const modules = specs.flatMap((spec) => (spec.kind === 'graph' ? spec.calculators : []));
  return registryWith([...new Set(modules)]);
}

/** The graph of a file, or of a folder's graph.pbtxt. @throws GraphError with all faults */
export async function loadGraph(path: string, flags: Flags, variables: Variables): Promise<LoadedGraph> {
  const file = await graphFileOf(path);
  const { config, registry } = await readGraphFile(file, await loadRegistry(flags, variables));
  const graph = validateGraph(config, registry);
  // Reading a configuration hashes the models' files, so only where it is needed.
  const specs = usesModels(graph) ? await readSpecs(flags, variables) : [];
  return { file, graph, models: specs.filter((spec) => spec.kind === 'model') };
}

/** Runs a graph with its models and scripts, which are closed afterwards. Throws as `runGraph` and `openServices`. */
export async function runWithServices(
  { file, graph, models }: LoadedGraph,
  inputs: RunInputs,
  logger: Logger,
  options: GraphRunOptions,
  onPacket: (stream: string, packet: Packet) => void,
): Promise<void> {
  await using opened = await openServices(graph, file, models, logger);
  await runGraph(graph, inputs, { ...options, services: opened.services }, onPacket);
}

/** What the flags `--input`, `--side_packet` and `--observe` say. @throws UsageError */
export function runInputs(flags: Flags): RunInputs {
  const files = new Map<string, string[]>();
  for (const [name, file] of pairs('input', flags['input'])) files.set(name, [...(files.get(name) ?? []), file]);
  return { files, sidePackets: new Map(pairs('side_packet', flags['side_packet'])), observe: flags['observe'] ?? [] };
}

/**
 * The graph's inputs that no file feeds, as `"name" (type)`. None where a file is for an input that the graph does not have:
 * the run says so, and which one was probably meant.
 * @throws UsageError where that is all of them
 */
export function unfedInputs({ inputStreams }: ValidatedGraph, { files }: RunInputs): string[] {
  const known = new Set(inputStreams.map(({ name }) => name));
  if ([...files.keys()].some((name) => !known.has(name))) return [];
  const unfed = inputStreams.filter(({ name }) => !files.has(name)).map(described);
  if (unfed.length === 0 || files.size > 0) return unfed;
  const example = inputStreams[0]?.name ?? '';
  throw new UsageError(
    `the graph has inputs and nothing feeds them: ${unfed.join(', ')}; give --input ${example}=FILE, an empty .jsonl file for none`,
  );
}

/** The graph's optional side packets that are not given, as `"name" (type)`; without others it does not start. */
export function optionalSidePackets({ inputSidePackets }: ValidatedGraph, { sidePackets }: RunInputs): string[] {
  return inputSidePackets.filter(({ name, optional }) => optional && !sidePackets.has(name)).map(described);
}

const described = ({ name, type }: Pick<GraphPort, 'name' | 'type'>): string =>
  `"${name}"${type === anyPacket ? '' : ` (${type.name})`}`;

/** What the configuration has that `--config_path` names; without it, the one that comes with Millrace. */
async function readSpecs(flags: Flags, variables: Variables): Promise<readonly ServableSpec[]> {
  const path = flags['config_path']?.at(-1);
  const { settings } = await loadSettings(path === undefined ? {} : { config_path: path }, variables);
  return (await servablesLoader(settings)()).specs;
}

function pairs(flag: string, values: readonly string[] = []): (readonly [string, string])[] {
  return values.map((text) => {
    const at = text.indexOf('=');
    if (at < 1)
      throw new UsageError(`--${flag}: "${text}" given, NAME=${flag === 'input' ? 'FILE' : 'VALUE'} expected`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}
