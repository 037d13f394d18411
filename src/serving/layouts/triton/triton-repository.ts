import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MillraceError } from '../../../base/errors.ts';
import { fileFault } from '../../../base/file-fault.ts';
import {
  NO_QUOTA,
  type BrokenServable,
  type LoadedServables,
  type ModelOverride,
  type Overrides,
  type ServableSpec,
  type SessionQuota,
} from '../../servable-spec.ts';
import { withOwnModels } from '../graph-entry.ts';
import { ensembleSpecs } from './ensembles.ts';
import { readModelFolder, type ModelFolder, type RepositoryContext } from './model-folder.ts';
import { foldersAmong } from './versions.ts';

export interface RepositoryOptions {
  /** Folders whose sub-folders are models. */
  readonly roots: readonly string[];
  /** For models; 0: none. */
  readonly runDeadlineMs?: number | undefined;
  /** For graphs. */
  readonly quota?: SessionQuota | undefined;
  /** Whether KIND_AUTO means the GPU. Default: whether there is NVIDIA's driver. */
  readonly hasGpu?: boolean | undefined;
  /** How much there is of resources that runs share, where they are limited at all. */
  readonly resources?: ReadonlyMap<string, number> | undefined;
  /** What clients gave in the place of models' files. */
  readonly overrides?: Overrides | undefined;
}

/**
 * Reads Triton model repositories: each sub-folder is a model with numbered versions and perhaps a `config.pbtxt`. One that
 * cannot be taken is broken; the others load.
 * @throws MillraceError CONFIG_INVALID where a repository itself cannot be read
 */
export async function loadTritonRepository(options: RepositoryOptions): Promise<LoadedServables> {
  const warnings: string[] = [];
  const context: RepositoryContext = {
    runDeadlineMs: options.runDeadlineMs ?? 0,
    quota: options.quota ?? NO_QUOTA,
    resources: options.resources,
    hasGpu: options.hasGpu ?? existsSync('/proc/driver/nvidia/version'),
    warn: (message) => warnings.push(message),
  };
  const roots = options.roots.map((root) => resolve(root));
  const found: { readonly root: string; readonly name: string }[] = [];
  for (const root of roots) for (const name of await modelNames(root)) found.push({ root, name });
  const { overrides = new Map<string, ModelOverride>() } = options;
  for (const [name, { folder }] of overrides) {
    if (folder !== undefined && found.every((other) => other.name !== name)) found.push({ root: folder, name });
  }
  if (found.length === 0)
    warnings.push(`no models in ${roots.join(', ')}: a folder for each is expected, with versions 1, 2, …`);
  const folders: ModelFolder[] = [];
  for (const { root, name } of found) {
    if (found.some((other) => other.name === name && other.root !== root)) {
      if (folders.every((other) => other.name !== name)) folders.push(twice(name, roots));
    } else folders.push(await readModelFolder(root, name, context, overrides.get(name)));
  }
  return { ...(await joined(folders)), files: [...roots, ...folders.flatMap(({ files }) => files)], warnings };
}

async function joined(folders: readonly ModelFolder[]): Promise<{ specs: ServableSpec[]; broken: BrokenServable[] }> {
  const specs = folders.flatMap((folder) => folder.specs);
  const ensembles = await ensembleSpecs(folders);
  const whole = await Promise.all(
    folders.flatMap((folder) =>
      folder.specs.map((spec) => withOwnModels(spec, folder.modelsOf.get(spec.version) ?? [], specs)),
    ),
  );
  return {
    specs: [...whole, ...ensembles.specs],
    broken: [...folders.flatMap(({ broken }) => broken), ...ensembles.broken],
  };
}

/** Folders that begin with a dot are no models. */
async function modelNames(root: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(root);
  } catch (error) {
    throw new MillraceError('CONFIG_INVALID', `model_repository: "${root}": ${fileFault(error)}`);
  }
  const candidates = names.filter((name) => !name.startsWith('.')).sort();
  return foldersAmong(root, candidates);
}

function twice(name: string, roots: readonly string[]): ModelFolder {
  const reason = `model appears in two or more repositories: ${roots.join(', ')}`;
  const broken = [{ name, version: '1', kind: 'model' as const, reason }];
  return { name, versions: [], specs: [], broken, files: [], modelsOf: new Map() };
}
