import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

export const MODEL_SETTINGS = 'model-settings.json';

/** Folders that are looked at; a folder with more is not one of models. */
const MAX_FOLDERS = 10_000;

/** Never a model's: MLServer's search skips hidden folders, too. */
const SKIPPED = new Set(['node_modules', '__pycache__']);

export interface FoundModels {
  /** Every model-settings.json, in the order of their paths. */
  readonly files: readonly string[];
  /** Every folder that was looked at: a change in one of them may mean another model. */
  readonly folders: readonly string[];
  readonly isWhole: boolean;
}

/** Every model-settings.json below `root`, at any depth, links followed, hidden folders left out (MLServer sheet §5). */
export async function findModels(root: string): Promise<FoundModels> {
  const files: string[] = [];
  const folders: string[] = [];
  const seen = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    const real = await realpath(folder).catch(() => folder);
    if (seen.has(real) || seen.size >= MAX_FOLDERS) return;
    seen.add(real);
    folders.push(folder);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.name === MODEL_SETTINGS) files.push(path);
      else if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue;
      else if (entry.isDirectory() || (entry.isSymbolicLink() && (await isFolder(path)))) await visit(path);
    }
  };
  await visit(root);
  return { files, folders, isWhole: seen.size < MAX_FOLDERS };
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

const MAX_SOURCES = 1000;

/**
 * The sources of a model: files below its folder that end in one of `extensions`, without those of models further down.
 * At most {@link MAX_SOURCES}.
 */
export async function sourcesBelow(folder: string, extensions: readonly string[]): Promise<string[]> {
  const sources: string[] = [];
  const visit = async (at: string): Promise<void> => {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => []);
    if (at !== folder && entries.some(({ name }) => name === MODEL_SETTINGS)) return;
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.') || SKIPPED.has(entry.name) || sources.length >= MAX_SOURCES) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await visit(path);
      else if (extensions.some((extension) => entry.name.endsWith(extension))) sources.push(path);
    }
  };
  await visit(folder);
  return sources;
}
