import { dirname, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { MillraceError, messageOf } from '../../../base/errors.ts';
import type { TensorSpec } from '../../../tensor/tensor.ts';
import type { ModelSpec, RuntimeSpec, ServableSpec } from '../../servable-spec.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { findImplementation, type Implementation } from './implementation.ts';
import { sourcesBelow } from './find-models.ts';
import { parametersSchema } from './model-schema.ts';
import type { ModelSettings } from './model-settings.ts';
import { expandPath, interpreterOf, unpackEnvironment } from './python-environment.ts';

/** Import included; a model that says otherwise has `millrace.load_timeout_ms`. */
const LOAD_TIMEOUT_MS = 600_000;

/** What holds for all models of a folder. */
export interface FolderContext {
  /** Absolute; with the working folder on Python's path (MLServer sheet §5). */
  readonly root: string;
  readonly workingFolder: string;
  /** Of models that do not say; at least 1. */
  readonly instances: number;
  /** Absolute. */
  readonly environmentsFolder: string;
  /** `MILLRACE_PYTHON` is set. */
  readonly hasPython: boolean;
  /** Variables that paths may name. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cachesResponses: boolean;
  /** Of ONNX files; 0: none. */
  readonly runDeadlineMs: number;
}

/**
 * What is to be loaded for a model.
 * @param folder of its settings file
 * @param path the file itself; undefined where the environment alone describes the model
 * @throws MillraceError CONFIG_INVALID, the message naming the field
 */
export async function modelSpec(
  settings: ModelSettings,
  folder: string,
  path: string | undefined,
  context: FolderContext,
): Promise<ServableSpec> {
  const { fields, parameters, name, version } = settings;
  const importPaths = [...new Set([folder, context.root, context.workingFolder])];
  const interpreter = await interpreterFor(settings, folder, context);
  const hasPython = context.hasPython || interpreter !== undefined;
  const found = await findImplementation(fields.implementation, { folder, importPaths, hasPython }).catch(
    withField('implementation'),
  );
  const own = path === undefined ? [] : [path];
  const uri = parameters.uri === null || parameters.uri === undefined ? folder : resolve(folder, parameters.uri);
  const base = { name, version, maxSessions: fields.millrace?.max_sessions };
  if (found.kind === 'onnx') return onnxSpec(found.path, base, own, context);
  const files = [...own, ...(await sourcesOf(found, folder)), ...(await artefact(uri))];
  const spec = {
    ...base,
    kind: 'runtime' as const,
    language: found.kind,
    module: found.module,
    export: found.export,
    parameters: ownParameters(settings),
    isolation: 'own' as const,
    hostGroup: hostGroup(settings, found.kind, interpreter),
    instances: instancesOf(settings, context),
    loadTimeoutMs: fields.millrace?.load_timeout_ms ?? LOAD_TIMEOUT_MS,
    callDeadlineMs: fields.millrace?.call_deadline_ms ?? 0,
    batching: batchingOf(settings),
    cachesResponses: context.cachesResponses && fields.cache_enabled === true,
    modelSettings: { ...settings.given, parameters: { ...(settings.given['parameters'] as object), uri } },
    declared: declaredOf(settings),
    python: found.kind === 'python' ? { interpreter, importPaths } : undefined,
  } satisfies Omit<RuntimeSpec, 'files' | 'fingerprint'>;
  return { ...spec, files, fingerprint: await fingerprintOf(spec, files) };
}

async function onnxSpec(
  path: string,
  base: Pick<ModelSpec, 'name' | 'version' | 'maxSessions'>,
  own: readonly string[],
  { runDeadlineMs }: FolderContext,
): Promise<ModelSpec> {
  const data = await artefact(`${path}.data`);
  const files = [...own, path, ...data];
  const spec = { ...base, kind: 'model' as const, path, executionProviders: ['cpu'] as const, runDeadlineMs };
  return { ...spec, files, fingerprint: await fingerprintOf(spec, files) };
}

/** The interpreter that the model asks for, its environment unpacked; undefined where it does not say. */
async function interpreterFor(
  { parameters }: ModelSettings,
  folder: string,
  { environmentsFolder, workingFolder, environment }: FolderContext,
): Promise<string | undefined> {
  const { environment_path: path, environment_tarball: tarball } = parameters;
  if (typeof path === 'string' && path !== '') {
    const expanded = expandPath(path, environment);
    // MLServer knows the working folder alone.
    return interpreterOf(resolve(workingFolder, expanded))
      .catch(() => interpreterOf(resolve(folder, expanded)))
      .catch(withField('parameters.environment_path'));
  }
  if (typeof tarball !== 'string' || tarball === '') return undefined;
  return unpackEnvironment(resolve(folder, tarball), environmentsFolder)
    .then(interpreterOf)
    .catch(withField('parameters.environment_tarball'));
}

/** Puts the field before the message of what went wrong with it. */
function withField(field: string): (error: unknown) => never {
  return (error) => {
    throw new MillraceError('CONFIG_INVALID', `${field}: ${messageOf(error)}`, { cause: error });
  };
}

const JAVASCRIPT_SOURCES = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'];

/** What the model's code is made of: the sources in its folder, and those beside its module where that is elsewhere. */
async function sourcesOf(found: Exclude<Implementation, { kind: 'onnx' }>, folder: string): Promise<string[]> {
  const extensions = found.kind === 'python' ? ['.py'] : JAVASCRIPT_SOURCES;
  const module = found.kind === 'python' ? found.file : found.module;
  const below = await sourcesBelow(folder, extensions);
  const beside = module === undefined || below.includes(module) ? [] : await sourcesBelow(dirname(module), extensions);
  return [...new Set([...below, ...beside])].filter((file) => !/[/\\](model-)?settings\.json$/.test(file));
}

/** A file of weights is part of the model; a folder is looked at by the runtime alone. */
async function artefact(path: string): Promise<string[]> {
  return (await stat(path).catch(() => undefined))?.isFile() === true ? [path] : [];
}

/** The user's own: `extra`, and the keys of `parameters` that are not MLServer's. */
function ownParameters({ parameters, given }: ModelSettings): Record<string, unknown> {
  const others = Object.entries(given['parameters'] as object).filter(
    ([key]) => !Object.hasOwn(parametersSchema.shape, key),
  );
  return { ...Object.fromEntries<unknown>(others), ...parameters.extra };
}

function hostGroup({ parameters }: ModelSettings, language: string, interpreter = ''): string | undefined {
  const { inference_pool_gid: group } = parameters;
  return typeof group === 'string' && group !== '' ? [language, interpreter, group].join(' ') : undefined;
}

/** 0 takes a model out of the pool in MLServer: one instance. */
function instancesOf({ fields }: ModelSettings, { instances }: FolderContext): number {
  return Math.max(1, fields.parallel_workers ?? instances);
}

function batchingOf({ fields }: ModelSettings): RuntimeSpec['batching'] {
  const { max_batch_size: maxSize = 0, max_batch_time: seconds = 0 } = fields;
  return maxSize > 1 && seconds > 0 ? { maxSize, maxTimeMs: seconds * 1000 } : undefined;
}

function declaredOf({ fields }: ModelSettings): RuntimeSpec['declared'] {
  const tensors = (given: typeof fields.inputs): TensorSpec[] =>
    (given ?? []).map(({ name, datatype, shape, parameters }) => ({
      name,
      datatype: datatype as TensorSpec['datatype'],
      shape,
      parameters: parameters ?? undefined,
    }));
  const { platform = '', versions = [], inputs, outputs } = fields;
  const contentType = fields.parameters?.content_type ?? undefined;
  return {
    platform,
    versions,
    inputs: tensors(inputs),
    outputs: tensors(outputs),
    parameters: contentType === undefined ? undefined : { content_type: contentType },
  };
}
