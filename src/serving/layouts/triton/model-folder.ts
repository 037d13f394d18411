import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, MillraceError } from '../../../base/errors.ts';
import { conversionHint } from '../../../base/model-files.ts';
import type { ServableKind } from '../../data-plane.ts';
import type { BrokenServable, ModelOverride, ServableSpec, SessionQuota } from '../../servable-spec.ts';
import { configFaults } from './check-config.ts';
import { completeConfig } from './complete-config.ts';
import { readConfigFile, readGivenConfig, type ConfigFile } from './config-file.ts';
import type { ModelConfig } from './model-config.ts';
import { readOnnxSignature } from './onnx-signature.ts';
import { DEFAULT_FILES, NAMES, serverOf, type Server } from './platform.ts';
import { graphVersion, onnxVersion, runtimeVersion } from './specs.ts';
import { unsupported } from './unsupported.ts';
import { chosenVersions, versionFolders } from './versions.ts';

/** What holds for all models of a repository. */
export interface RepositoryContext {
  /** Of models; 0: none. */
  readonly runDeadlineMs: number;
  /** Of graphs. */
  readonly quota: SessionQuota;
  readonly hasGpu: boolean;
  /** How much there is of resources that runs share, by name; undefined: runs wait for none. */
  readonly resources: ReadonlyMap<string, number> | undefined;
  readonly warn: (message: string) => void;
}

/** One version of a model, with what its spec is made of. */
export interface ModelVersion {
  readonly name: string;
  readonly version: string;
  /** Of the model, with config.pbtxt. */
  readonly folder: string;
  readonly file: ConfigFile;
  readonly server: Server;
  /** Completed. */
  readonly config: ModelConfig;
  /** Absolute; "" where the version has no file of its own. */
  readonly path: string;
  /** Absolute: all that the version is made of, config.pbtxt too. */
  readonly files: readonly string[];
}

/** All that came of one folder of a repository. */
export interface ModelFolder {
  readonly name: string;
  /** Ensembles are made of them when all models are known. */
  readonly versions: readonly ModelVersion[];
  readonly specs: readonly ServableSpec[];
  readonly broken: readonly BrokenServable[];
  /** To watch besides those of the specs. */
  readonly files: readonly string[];
  /** Names of the models that its graphs name, by version. */
  readonly modelsOf: ReadonlyMap<string, readonly string[]>;
}

const KINDS: Readonly<Record<Server, ServableKind>> = {
  onnx: 'model',
  graph: 'graph',
  runtime: 'runtime',
  ensemble: 'ensemble',
};

/**
 * Reads a model's folder: its configuration and the versions that are served. What cannot be is told as broken.
 * @param override what a client gave in the place of the folder or of its configuration
 */
export async function readModelFolder(
  root: string,
  name: string,
  context: RepositoryContext,
  override?: ModelOverride,
): Promise<ModelFolder> {
  const folder = override?.folder ?? join(root, name);
  const watched = override === undefined ? [folder, join(folder, 'config.pbtxt')] : [folder];
  /** All that there are, until it is known which are served. */
  let versions: string[] = [];
  try {
    versions = await versionFolders(folder);
    const file = override === undefined ? await readConfigFile(folder, name) : readGivenConfig(override.config);
    const faults = configFaults(file, name);
    if (faults.length > 0) throw invalid(faults.join('; '));
    versions = wantedVersions(file, name, versions, context);
    const newest = join(folder, versions.at(-1) ?? '');
    const server = serverOf(file, name, await filesIn(newest));
    if (override?.folder !== undefined) refuseCode(name, server);
    const { refused, warnings } = unsupported(file, server);
    for (const warning of warnings) context.warn(warning);
    if (refused.length > 0) throw invalid(refused.join('; '));
    watched.push(...versions.map((version) => join(folder, version)));
    return { ...(await readVersions({ name, folder, file, server }, versions, context)), name, files: watched };
  } catch (error) {
    const reason = messageOf(error);
    const broken = (versions.length === 0 ? ['1'] : versions).map((version) => ({
      name,
      version,
      kind: 'model' as const,
      reason,
    }));
    return { name, versions: [], specs: [], broken, files: watched, modelsOf: new Map() };
  }
}

/** Graphs may name scripts, and runtimes are code: who may load models must not thereby run programs. */
function refuseCode(name: string, server: Server): void {
  if (server === 'onnx' || server === 'ensemble') return;
  throw invalid(
    `load parameter 'file:': the files of '${name}' make a ${NAMES[server].platform}, an ONNX model expected; put code into the model repository`,
  );
}

/** An ensemble without folders has version 1: there is nothing to be in them. */
function wantedVersions(
  { config, place }: ConfigFile,
  name: string,
  found: readonly string[],
  context: RepositoryContext,
): string[] {
  if (found.length === 0 && config.platform === 'ensemble') return ['1'];
  const policy = config.version_policy ?? { latest: { num_versions: 1 }, all: undefined, specific: undefined };
  const { chosen, missing } = chosenVersions(found, policy);
  if (chosen.length === 0) {
    const there = found.length === 0 ? 'there is no folder 1, 2, …' : `there are ${found.join(', ')}`;
    throw invalid(`at least one version must be available under the version policy of model '${name}': ${there}`);
  }
  for (const version of missing) {
    context.warn(
      `${place('version_policy')}: version ${version} is specified for model '${name}', but the version directory is not present`,
    );
  }
  return chosen;
}

async function readVersions(
  model: Pick<ModelVersion, 'name' | 'folder' | 'file' | 'server'>,
  versions: readonly string[],
  context: RepositoryContext,
): Promise<Pick<ModelFolder, 'versions' | 'specs' | 'broken' | 'modelsOf'>> {
  const read: ModelVersion[] = [];
  const specs: ServableSpec[] = [];
  const broken: BrokenServable[] = [];
  const modelsOf = new Map<string, readonly string[]>();
  for (const version of versions) {
    try {
      const one = await readVersion(model, version, context);
      if (model.server === 'onnx') specs.push(await onnxVersion(one, context));
      else if (model.server === 'runtime') specs.push(await runtimeVersion(one, context));
      else if (model.server === 'graph') {
        const { spec, models } = await graphVersion(one, context);
        specs.push(spec);
        modelsOf.set(version, models);
      }
      read.push(one);
    } catch (error) {
      broken.push({ name: model.name, version, kind: KINDS[model.server], reason: messageOf(error) });
    }
  }
  return { versions: read, specs, broken, modelsOf };
}

async function readVersion(
  { name, folder, file, server }: Pick<ModelVersion, 'name' | 'folder' | 'file' | 'server'>,
  version: string,
  context: RepositoryContext,
): Promise<ModelVersion> {
  const own = file.isGiven ? [join(folder, 'config.pbtxt')] : [];
  const place = join(folder, version);
  const names = server === 'ensemble' ? [] : await filesIn(place);
  const model = server === 'ensemble' ? '' : modelFile(file, server, `${name}/${version}`, names);
  const path = model === '' ? '' : join(place, model);
  const signature = server === 'onnx' ? await readOnnxSignature(path) : undefined;
  const config = completeConfig(file.config, { name, server, file: model, signature, hasGpu: context.hasGpu });
  if (config.max_batch_size !== file.config.max_batch_size) {
    context.warn(
      `autofilled max_batch_size to ${config.max_batch_size} for model '${name}' since batching is supported but no max_batch_size is specified in model configuration`,
    );
  }
  const others = names.filter((each) => each !== model).sort();
  const files = [...own, ...(path === '' ? [] : [path]), ...others.map((each) => join(place, each))];
  return { name, version, folder, file, server, config, path, files };
}

function modelFile({ config, place }: ConfigFile, server: Server, where: string, names: readonly string[]): string {
  const { default_model_filename: given } = config;
  if (given !== '') {
    if (given.includes('/') || given.includes('\\') || given === '..') {
      throw invalid(
        `${place('default_model_filename')}: "${given}" given, the name of a file in the version's folder expected`,
      );
    }
    if (names.includes(given)) return given;
    throw invalid(`${place('default_model_filename')}: "${where}/${given}" does not exist`);
  }
  const found = DEFAULT_FILES[server].find((name) => names.includes(name));
  if (found !== undefined) return found;
  const hint = server === 'onnx' ? conversionHint(names) : undefined;
  const expected = DEFAULT_FILES[server].join(' or ');
  throw invalid(hint ?? `${where}: it holds no ${expected}; set default_model_filename where it is called otherwise`);
}

async function filesIn(folder: string): Promise<string[]> {
  const children = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return children.filter((child) => !child.isDirectory()).map(({ name }) => name);
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
