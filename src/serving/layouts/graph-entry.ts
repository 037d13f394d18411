import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import type { GraphSpec } from '../servable-spec.ts';
import type { EntryContext } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import { MODEL_ONLY_KEYS, type GraphEntry, type ModelEntry } from './ovms-schema.ts';

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
  const automatic = entry.automatic_timestamps;
  const spec = {
    kind: 'graph' as const,
    name: entry.name,
    version: '1',
    graphPath,
    automaticTimestamps: typeof automatic === 'object' ? { stepUs: automatic.step_us } : automatic,
  };
  const files = [graphPath];
  return { spec: { ...spec, files, fingerprint: await fingerprintOf(spec, files) }, subconfigPath };
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
