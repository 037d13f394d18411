import { basename, dirname, join, relative, resolve } from 'node:path';
import { messageOf } from '../../../base/errors.ts';
import type { BrokenServable, LoadedServables, ServableSpec } from '../../servable-spec.ts';
import { readJsonFile } from '../json-file.ts';
import { readVariables, type Variables } from './environment.ts';
import { findModels } from './find-models.ts';
import { nameOf, parseModelSettings } from './model-settings.ts';
import { modelSpec, type FolderContext } from './model-spec.ts';
import type { ServerFields } from './server-schema.ts';
import { MODEL_PREFIX } from './server-settings.ts';

export interface FolderOptions {
  /** Folder with the models. */
  readonly root: string;
  /** Of the process: `.env` is there, and Python looks for modules in it. */
  readonly workingFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly server: ServerFields;
  /** Of ONNX files; 0: none. */
  readonly runDeadlineMs: number;
}

/** What came of one model's settings. */
interface Result {
  /** The file, as messages name it. */
  readonly where: string;
  readonly outcome: ServableSpec | BrokenServable;
}

/**
 * The models of an MLServer folder: every `model-settings.json` at any depth, or else the one that `MLSERVER_MODEL_*` variables
 * describe (MLServer sheet §5). A settings file that cannot be taken is listed as broken, and the others go on.
 */
export async function loadMlserverFolder(options: FolderOptions): Promise<LoadedServables> {
  const { root, workingFolder, environment } = options;
  const variables = await readVariables(environment, workingFolder);
  const context = contextOf(options);
  const { files, folders, isWhole } = await findModels(root);
  const warnings: string[] = isWhole ? [] : [`${root}: it has too many folders, not all were searched for models`];
  const results: Result[] = [];
  for (const file of files) results.push(await readModel(file, context, variables, warnings));
  if (results.every(({ outcome }) => 'reason' in outcome)) {
    results.push(...(await environmentModel(context, variables, warnings)));
  }
  if (results.length === 0) warnings.push(nothingFound(root));
  const { specs, broken } = withoutTwins(results);
  return { specs, broken, files: [...files, ...folders, variables.dotenvPath], warnings };
}

function contextOf(options: FolderOptions): FolderContext {
  const { server, root, workingFolder, environment, runDeadlineMs } = options;
  return {
    root,
    workingFolder,
    instances: Math.max(1, server.parallel_workers ?? 1),
    environmentsFolder: resolve(workingFolder, server.environments_dir ?? '.envs'),
    hasPython: (environment['MILLRACE_PYTHON'] ?? '') !== '',
    environment,
    cachesResponses: server.cache_enabled === true,
    runDeadlineMs,
  };
}

async function readModel(
  path: string,
  context: FolderContext,
  variables: Variables,
  warnings: string[],
): Promise<Result> {
  const where = relative(context.root, path);
  let content: unknown;
  try {
    content = await readJsonFile(path);
    const settings = parseModelSettings(content, where, dirname(path), path, variables);
    warnings.push(...settings.warnings);
    const spec = await modelSpec(settings, dirname(path), path, context).catch((error: unknown) => {
      throw new Error(`${where}: ${messageOf(error)}`, { cause: error });
    });
    return { where, outcome: spec };
  } catch (error) {
    // Reasons reach clients, so they name the file without the folder.
    const reason = messageOf(error).replaceAll(path, where);
    return { where, outcome: { ...nameOf(content, path), kind: 'runtime', reason } };
  }
}

/** The one model of a server without settings files; none where no implementation is named. */
async function environmentModel(context: FolderContext, variables: Variables, warnings: string[]): Promise<Result[]> {
  const key = `${MODEL_PREFIX}IMPLEMENTATION`;
  if (!variables.process.has(key) && !variables.dotenv.has(key)) return [];
  const where = `${MODEL_PREFIX}*`;
  try {
    const settings = parseModelSettings({}, where, context.root, undefined, variables);
    warnings.push(...settings.warnings);
    return [{ where, outcome: await modelSpec(settings, context.root, undefined, context) }];
  } catch (error) {
    const reason = `${where}: ${messageOf(error)}`;
    return [{ where, outcome: { name: basename(context.root), version: '', kind: 'runtime', reason } }];
  }
}

/** Of several models with one name and version none is served: which one was meant cannot be told. */
function withoutTwins(results: readonly Result[]): Pick<LoadedServables, 'specs' | 'broken'> {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    const key = JSON.stringify([result.outcome.name, result.outcome.version]);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const specs: ServableSpec[] = [];
  const broken: BrokenServable[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { outcome } = first;
    if (group.length > 1) broken.push(twins(outcome, group));
    else if ('reason' in outcome) broken.push(outcome);
    else specs.push(outcome);
  }
  return { specs, broken };
}

function twins({ name, version, kind }: ServableSpec | BrokenServable, group: readonly Result[]): BrokenServable {
  const places = group.map(({ where }) => where).join(' and ');
  const what = version === '' ? 'and no version' : `and version "${version}"`;
  const faults = group.flatMap(({ outcome }) => ('reason' in outcome ? [outcome.reason] : []));
  const reason = `${places} both have the name "${name}" ${what}: give one of them another name or parameters.version`;
  return { name, version, kind, reason: [reason, ...faults].join('; ') };
}

function nothingFound(root: string): string {
  return `no model-settings.json below ${root}, and no ${MODEL_PREFIX}IMPLEMENTATION: nothing is served (of OVMS's layout: millrace serve --config_path ${join(root, 'config.json')})`;
}
