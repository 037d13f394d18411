import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import { subgraphFiles } from '../../base/subgraph-files.ts';
import type { GraphSpec, ServableSpec, SessionQuota } from '../servable-spec.ts';
import type { EntryContext } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import { graphNames, type GraphNames } from './graph-names.ts';
import { MODEL_ONLY_KEYS, type GraphEntry, type ModelEntry } from './ovms-schema.ts';
import { mentions, sourcesBeside } from './user-code.ts';

const CALL_DEADLINE_MS = 60_000;
const LOAD_TIMEOUT_MS = 60_000;

/** The graph file that an entry means; base_path defaults to a folder of the graph's name. */
export function graphPathOf(entry: GraphEntry, folder: string): { basePath: string; graphPath: string } {
  const basePath = resolve(
    folder,
    entry.base_path === undefined || entry.base_path === '' ? entry.name : entry.base_path,
  );
  return { basePath, graphPath: resolve(basePath, entry.graph_path ?? 'graph.pbtxt') };
}

/** Whether an entry of `model_config_list` is a graph. */
export async function isGraphEntry(entry: ModelEntry, folder: string): Promise<boolean> {
  return entry.graph_path !== undefined || (await isFile(graphPathOf(entry, folder).graphPath));
}

/** A graph's spec and the file of the models that belong to it, if it has one. */
export interface GraphResult {
  readonly spec: GraphSpec;
  readonly subconfigPath: string | undefined;
  /** Names of the models that the graph file names. */
  readonly models: readonly string[];
}

/**
 * @param configPath the file that the entry is in, which is never its own subconfig
 * @throws MillraceError CONFIG_INVALID
 */
export async function readGraphEntry(
  entry: GraphEntry | ModelEntry,
  context: EntryContext,
  configPath: string,
): Promise<GraphResult> {
  const modelKey = MODEL_ONLY_KEYS.find((key) => key in entry);
  if (modelKey !== undefined) {
    throw invalid(`"${modelKey}" is for models, and this is a graph; set it at the models that the graph uses`);
  }
  const { basePath, graphPath } = graphPathOf(entry, context.folder);
  if (!(await isFile(graphPath))) throw invalid(`graph file "${graphPath}" does not exist`);
  const subconfigPath = await findSubconfig(entry.subconfig, basePath, configPath);
  const subgraphs = await subgraphFiles(graphPath);
  const texts = [await readFile(graphPath, 'utf8'), ...subgraphs.map(({ text }) => text)];
  const names = graphNames(texts.join('\n'));
  const { calculators, files: userFiles } = await userCode(entry, names, context, graphPath);
  const automatic = entry.automatic_timestamps;
  const spec = {
    kind: 'graph' as const,
    name: entry.name,
    version: '1',
    maxSessions: entry.max_sessions,
    graphPath,
    automaticTimestamps: typeof automatic === 'object' ? { stepUs: automatic.step_us } : automatic,
    inputPolicy: entry.input_policy,
    quota: quotaOf(entry, context.quota),
    calculators,
    isolation: entry.isolation ?? (userFiles.length > 0 ? ('own' as const) : ('shared' as const)),
    callDeadlineMs: entry.call_deadline_ms ?? CALL_DEADLINE_MS,
    loadTimeoutMs: entry.load_timeout_ms ?? LOAD_TIMEOUT_MS,
    models: [],
  };
  const files = [graphPath, ...subgraphs.map(({ path }) => path), ...userFiles];
  const fingerprint = await fingerprintOf(spec, files);
  return { spec: { ...spec, files, fingerprint }, subconfigPath, models: names.models };
}

/**
 * A graph with a host of its own takes the models that it names with it, and is another when they are; but not those that only
 * some hosts load, which it runs there.
 * @param names of the models that its file names
 */
export async function withOwnModels(
  spec: ServableSpec,
  names: readonly string[],
  all: readonly ServableSpec[],
): Promise<ServableSpec> {
  if (spec.kind !== 'graph' || spec.isolation !== 'own') return spec;
  const models = all
    .filter((other) => other.kind === 'model')
    .filter(({ name, instances }) => names.includes(name) && instances === undefined);
  const parts = [spec.fingerprint, ...models.map(({ fingerprint }) => fingerprint)];
  return models.length === 0 ? spec : { ...spec, models, fingerprint: await fingerprintOf(parts, []) };
}

/**
 * The users' code of a graph: scripts that its nodes name, and modules with calculators when one of its calculators' names
 * is in their folders; the front runs no user's code, so it cannot ask them.
 * @returns the modules, and all files that may change the graph
 */
async function userCode(
  entry: GraphEntry | ModelEntry,
  names: GraphNames,
  context: EntryContext,
  graphPath: string,
): Promise<{ calculators: readonly string[]; files: readonly string[] }> {
  const scripts = names.handlers.map((handler) => resolve(dirname(graphPath), handler));
  const scriptFiles = await withSiblings(scripts);
  const moduleFiles = await withSiblings(context.calculators);
  const isUsing = entry.isolation !== undefined || (await mentions(moduleFiles, names.calculators));
  if (!isUsing) return { calculators: [], files: scriptFiles };
  return { calculators: context.calculators, files: [...new Set([...scriptFiles, ...moduleFiles])] };
}

async function withSiblings(modules: readonly string[]): Promise<string[]> {
  const files = new Set(modules);
  for (const module of modules) for (const sibling of await sourcesBeside(module)) files.add(sibling);
  return [...files];
}

function quotaOf(entry: GraphEntry | ModelEntry, defaults: SessionQuota): SessionQuota {
  return {
    idleTimeoutMs: entry.session_idle_timeout_ms ?? defaults.idleTimeoutMs,
    maxDurationMs: entry.session_max_duration_ms ?? defaults.maxDurationMs,
    maxInFlightRequests: entry.max_in_flight_requests ?? defaults.maxInFlightRequests,
    maxQueuedPackets: entry.max_queued_packets ?? defaults.maxQueuedPackets,
  };
}

async function findSubconfig(
  given: string | undefined,
  basePath: string,
  configPath: string,
): Promise<string | undefined> {
  if (given !== undefined && given !== '') {
    const path = resolve(basePath, given);
    if (await isFile(path)) return path;
    throw invalid(`subconfig: "${path}" does not exist`);
  }
  for (const name of ['subconfig.json', 'config.json']) {
    const path = join(basePath, name);
    if (path !== configPath && (await isFile(path))) return path;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
