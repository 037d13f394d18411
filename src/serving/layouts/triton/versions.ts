import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from './model-config.ts';

/** The numbered sub-folders, increasing; those that begin with 0 and other names are no versions. */
export async function versionFolders(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^[1-9]\d*$/.test(name));
  return (await foldersAmong(folder, names)).sort((a, b) => Number(a) - Number(b));
}

/** Those of `names` in `parent` that are folders, in their order; a link to nothing is none, nor is what has just gone. */
export async function foldersAmong(parent: string, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => stat(join(parent, name)).catch(() => undefined)));
  return names.filter((_, i) => found[i]?.isDirectory());
}

/** Which of the versions are served, and which are asked for and not there. */
export function chosenVersions(
  found: readonly string[],
  { latest, all, specific }: NonNullable<ModelConfig['version_policy']>,
): { readonly chosen: string[]; readonly missing: string[] } {
  if (all !== undefined) return { chosen: [...found], missing: [] };
  if (specific !== undefined) {
    const wanted = [...new Set(specific.versions)].toSorted((a, b) => a - b).map(String);
    return {
      chosen: wanted.filter((version) => found.includes(version)),
      missing: wanted.filter((version) => !found.includes(version)),
    };
  }
  const { num_versions: count } = latest ?? { num_versions: 1 };
  return { chosen: count === 0 ? [] : found.slice(-count), missing: [] };
}
