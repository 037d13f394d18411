import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { MillraceError, messageOf } from '../../base/errors.ts';
import { conversionHint, isModelFile, MODEL_EXTENSIONS } from '../../base/model-files.ts';
import type { BrokenServable, ModelSpec } from '../servable-spec.ts';
import type { EntryContext, EntryResult } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import { instancesOf, toDynamicBatching, toRequestLimit } from './model-scheduling-entry.ts';
import { toExecutionProviders, toParallelism } from './ovms-device.ts';
import { stateFiles, toSequences } from './stateful-entry.ts';
import { GRAPH_ONLY_KEYS, type ModelEntry, type VersionPolicy } from './ovms-schema.ts';

/**
 * The versions of a model that its entry asks for.
 * @throws MillraceError CONFIG_INVALID where the entry as a whole cannot be honoured
 */
export async function readModelEntry(entry: ModelEntry, context: EntryContext): Promise<EntryResult> {
  refuseUnsupported(entry);
  const { intraOpThreads, atOnce } = toParallelism(entry.plugin_config, entry.nireq);
  if (atOnce !== undefined) {
    context.warn(`${context.where}: ${atOnce} inferences at once asked for; each host runs one (see the option hosts)`);
  }
  const settings = {
    maxSessions: entry.max_sessions,
    executionProviders: toExecutionProviders(entry.target_device),
    intraOpThreads,
    runDeadlineMs: entry.run_deadline_ms ?? context.runDeadlineMs,
    dynamicBatching: toDynamicBatching(entry.batching),
    sequenceBatching: toSequences(entry, context.folder),
    requestLimit: toRequestLimit(entry.rate_limit),
  };
  const basePath = resolve(context.folder, requiredBasePath(entry));
  const specs: ModelSpec[] = [];
  const broken: BrokenServable[] = [];
  const watched = [basePath];
  for (const { version, place } of await findVersions(basePath, entry, context)) {
    try {
      const { path, files } = await modelFiles(place);
      const instances = await instancesOf(entry.instances, settings, files);
      const spec = { kind: 'model' as const, name: entry.name, version, path, ...settings, instances };
      const fingerprint = await fingerprintOf(spec, [...files, ...stateFiles(settings.sequenceBatching)]);
      specs.push({ ...spec, files, fingerprint });
    } catch (error) {
      watched.push(place);
      broken.push({ kind: 'model', name: entry.name, version, reason: `${context.where}: ${messageOf(error)}` });
    }
  }
  return { name: entry.name, where: context.where, specs, broken, files: watched };
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}

/** Keys that would change results if they were not honoured pass only at what Millrace does anyway. */
function refuseUnsupported(entry: ModelEntry): void {
  const graphKey = GRAPH_ONLY_KEYS.find((key) => key in entry);
  if (graphKey !== undefined) throw invalid(`"${graphKey}" is for graphs, and there is no graph file here`);
  const { shape, layout, batch_size: batchSize } = entry;
  if (shape !== undefined && shape !== 'auto') {
    throw invalid(
      `shape: ${JSON.stringify(shape)} given, "auto" expected: the shapes are those of the ONNX file; export it with these, or with dynamic dimensions`,
    );
  }
  if (batchSize !== undefined && batchSize !== 'auto' && String(batchSize) !== '0') {
    throw invalid(
      `batch_size: ${batchSize} given, "auto" expected: the batch is that of the request; export the ONNX file with this first dimension to fix it`,
    );
  }
  if (layout !== undefined && layout !== '') {
    throw invalid('layout: cannot be changed here; add a Transpose to the ONNX file, or transpose in a graph');
  }
  if (entry.custom_loader_options !== undefined) {
    throw invalid(
      'custom_loader_options: there are no custom loaders; decrypt or fetch the file before the server starts',
    );
  }
}

function requiredBasePath(entry: ModelEntry): string {
  if (entry.base_path === undefined || entry.base_path === '')
    throw invalid('base_path: missing, the path of the model expected');
  if (/^(s3|gs|az|azfs|https?):\/\//.test(entry.base_path)) {
    throw invalid(`base_path: "${entry.base_path}" is not on this machine; download it first`);
  }
  return entry.base_path;
}

interface Version {
  readonly version: string;
  /** Folder of the version, or the model's file. */
  readonly place: string;
}

async function findVersions(basePath: string, entry: ModelEntry, context: EntryContext): Promise<Version[]> {
  const found = await stat(basePath).catch(() => undefined);
  if (found === undefined) throw invalid(`base_path: "${basePath}" does not exist`);
  if (!found.isDirectory()) return [{ version: '1', place: basePath }];
  const children = await readdir(basePath, { withFileTypes: true });
  const isFolder = await Promise.all(
    children.map(
      async (child) =>
        child.isDirectory() || (child.isSymbolicLink() && (await isDirectory(join(basePath, child.name)))),
    ),
  );
  const folders = children.filter((_, i) => isFolder[i]).map(({ name }) => name);
  const numbers = folders.filter((name) => /^[1-9]\d*$/.test(name)).sort((a, b) => Number(a) - Number(b));
  const others = folders.filter((name) => !numbers.includes(name) && !name.startsWith('.'));
  const unnumbered = (version: string): Version => ({
    version,
    place: version === '1' ? basePath : join(basePath, version),
  });
  if (others.length > 0) context.warn(`${context.where}: not version numbers, so ignored: ${others.join(', ')}`);
  if (numbers.length === 0) {
    const names = children.filter((_, i) => isFolder[i] === false).map(({ name }) => name);
    // As KServe's storage initializer leaves a file, or a folder that has no versions, at /mnt/models.
    if (names.some(isModelFile)) return chosenVersions(['1'], entry.model_version_policy).map(unnumbered);
    const hint =
      conversionHint(names) ??
      `sub-folders 1, 2, … with an ONNX file each, or an ONNX file, or the path of one, expected`;
    throw invalid(`base_path: no version of the model in "${basePath}": ${hint}`);
  }
  return chosenVersions(numbers, entry.model_version_policy).map((version) => ({
    version,
    place: join(basePath, version),
  }));
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

/** @param numbers increasing */
function chosenVersions(numbers: readonly string[], policy: VersionPolicy = { latest: {} }): string[] {
  if ('all' in policy) return [...numbers];
  if ('latest' in policy) return numbers.slice(-(policy.latest.num_versions ?? 1));
  // One that is not there stays, to be listed as unavailable.
  return [...new Set(policy.specific.versions.map(String))].sort((a, b) => Number(a) - Number(b));
}

/** The ONNX file of a version, and with it what it may keep beside it (weights as external data). */
async function modelFiles(place: string): Promise<{ path: string; files: string[] }> {
  if (!(await isDirectory(place))) {
    const name = basename(place);
    const siblings = await readdir(dirname(place)).catch(() => [] as string[]);
    if (!siblings.includes(name)) throw invalid(`"${place}" does not exist`);
    if (!isModelFile(name))
      throw invalid(
        conversionHint([name]) ?? `"${name}" given, a file that ends in ${MODEL_EXTENSIONS.join(' or ')} expected`,
      );
    const data = siblings.filter((file) => file.startsWith(`${name}.`) || file.startsWith(`${name}_`));
    return { path: place, files: [place, ...data.sort().map((file) => join(dirname(place), file))] };
  }
  const names = (await readdir(place, { withFileTypes: true }))
    .filter((child) => !child.isDirectory())
    .map(({ name }) => name);
  const models = names.filter(isModelFile);
  const model = models.length === 1 ? models[0] : models.find((name) => name === 'model.onnx');
  if (model === undefined) {
    if (models.length > 1)
      throw invalid(`"${place}" holds several ONNX files (${models.sort().join(', ')}); name one model.onnx`);
    throw invalid(conversionHint(names) ?? `"${place}" holds no ONNX file`);
  }
  const others = names.filter((name) => name !== model).sort();
  return { path: join(place, model), files: [model, ...others].map((name) => join(place, name)) };
}
