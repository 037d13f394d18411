import { basename, dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { MillraceError, messageOf } from '../../base/errors.ts';
import { describeIssues, joinPath } from '../../base/schema-issues.ts';
import type { ServableKind } from '../data-plane.ts';
import { NO_QUOTA, type LoadedServables, type ServableSpec, type SessionQuota } from '../servable-spec.ts';
import { brokenEntry, type EntryContext, type EntryResult } from './entry.ts';
import { graphPathOf, isGraphEntry, readGraphEntry, withOwnModels } from './graph-entry.ts';
import { readJsonFile } from './json-file.ts';
import { readModelEntry } from './model-entry.ts';
import { graphEntrySchema, modelEntrySchema, ovmsFileSchema, runtimeEntrySchema } from './ovms-schema.ts';
import type { GraphEntry, ModelEntry } from './ovms-schema.ts';
import { pipelineEntrySchema, readPipelineEntry } from './ovms-pipeline.ts';
import { readModelCache } from './roboflow/model-cache.ts';
import { readRuntimeEntry } from './runtime-entry.ts';
import { moduleFiles } from './user-code.ts';

export interface OvmsConfig extends LoadedServables {
  /** Our `server` section, not yet validated, with what `monitoring` says. */
  readonly server: unknown;
}

export interface LoadOptions {
  /** For models that do not say; 0: none. */
  readonly runDeadlineMs?: number;
  /** For graphs that do not say. */
  readonly quota?: SessionQuota;
}

/**
 * Reads OVMS's config.json with Millrace's own keys. A bad entry becomes `broken`; the others load.
 * @throws MillraceError CONFIG_INVALID where the file as a whole cannot be taken
 */
export async function loadOvmsConfig(path: string, options: LoadOptions = {}): Promise<OvmsConfig> {
  const configPath = resolve(path);
  const file = parseFile(await readJsonFile(configPath), configPath);
  const reader = new EntryReader(configPath, options);
  await reader.readCalculators(file.calculators ?? []);
  await reader.readModels(file.model_config_list ?? []);
  await reader.readModelCaches(file.roboflow_caches ?? []);
  await reader.readGraphs(file.mediapipe_config_list ?? []);
  await reader.readRuntimes(file.runtimes ?? []);
  await reader.readPipelines(file.pipeline_config_list ?? []);
  return { ...(await reader.loaded()), server: serverSection(file) };
}

/** Only the `server` section, before anything is loaded. */
export async function readServerSection(path: string): Promise<unknown> {
  return serverSection(parseFile(await readJsonFile(resolve(path)), path));
}

/** Only the `pipelines` section; undefined where there is none. */
export async function readPipelinesSection(path: string): Promise<unknown> {
  return parseFile(await readJsonFile(resolve(path)), path).pipelines;
}

/** What the flags of a server of one servable say. */
export interface SingleServable {
  readonly modelName: string;
  /** Relative to the working directory. */
  readonly modelPath: string;
  readonly targetDevice?: string | undefined;
  readonly pluginConfig?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly nireq?: number | undefined;
}

/** One model, or graph where `modelPath` is a folder with graph.pbtxt or a .pbtxt file itself. */
export async function singleServable(single: SingleServable, options: LoadOptions = {}): Promise<LoadedServables> {
  const path = resolve(single.modelPath);
  const isGraphFile = path.endsWith('.pbtxt');
  const entry: Record<string, unknown> = { name: single.modelName, base_path: isGraphFile ? dirname(path) : path };
  if (isGraphFile) entry['graph_path'] = basename(path);
  if (single.targetDevice !== undefined) entry['target_device'] = single.targetDevice;
  if (single.pluginConfig !== undefined) entry['plugin_config'] = single.pluginConfig;
  if (single.nireq !== undefined) entry['nireq'] = single.nireq;
  const reader = new EntryReader(undefined, options);
  await reader.readModel(entry, `model_path ${single.modelPath}`, dirname(path));
  return reader.loaded();
}

type OvmsFile = z.infer<typeof ovmsFileSchema>;

function parseFile(value: unknown, path: string): OvmsFile {
  const { data, error } = ovmsFileSchema.safeParse(value);
  if (data === undefined) throw new MillraceError('CONFIG_INVALID', `${path}: ${describeIssues(error, value)}`);
  for (const key of ['custom_loader_config_list', 'custom_node_library_config_list'] as const) {
    if ((data[key] ?? []).length > 0) {
      throw new MillraceError(
        'CONFIG_INVALID',
        `${path}: ${key}: native libraries are not loaded; write a runtime ("runtimes") or a graph, and leave this list empty`,
      );
    }
  }
  return data;
}

function serverSection({ server, monitoring }: OvmsFile): unknown {
  if (monitoring === undefined || (server !== undefined && (server === null || typeof server !== 'object')))
    return server;
  return { metrics_enable: monitoring.metrics.enable, ...server };
}

/** Turns entries into results, in the order in which names are taken: models, their graphs' models, graphs, runtimes. */
class EntryReader {
  readonly #configPath: string | undefined;
  readonly #defaults: Required<LoadOptions>;
  readonly #results: EntryResult[] = [];
  readonly #files: string[];
  readonly #warnings: string[] = [];
  readonly #calculators: string[] = [];
  /** Names of the models that a graph names, by its name. */
  readonly #modelsOf = new Map<string, readonly string[]>();

  constructor(configPath: string | undefined, { runDeadlineMs = 0, quota = NO_QUOTA }: LoadOptions) {
    this.#configPath = configPath;
    this.#defaults = { runDeadlineMs, quota };
    this.#files = configPath === undefined ? [] : [configPath];
  }

  /** Modules for the graphs that are read after this. */
  async readCalculators(given: readonly string[]): Promise<void> {
    for (const [i, file] of given.entries()) {
      const path = resolve(this.#folder(), file);
      this.#files.push(path);
      try {
        await moduleFiles(path, this.#place(`calculators[${i}]`), file);
        this.#calculators.push(path);
      } catch (error) {
        this.#warnings.push(`${messageOf(error)}; graphs that name its calculators will not load`);
      }
    }
  }

  async readModels(entries: readonly unknown[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      const { config, where } = unwrap(entry, `model_config_list[${i}]`);
      await this.readModel(config, this.#place(where), this.#folder());
    }
  }

  /** Folders with models as Roboflow's clients keep them. */
  async readModelCaches(given: readonly string[]): Promise<void> {
    for (const [i, path] of given.entries()) {
      const where = this.#place(`roboflow_caches[${i}]`);
      const folder = resolve(this.#folder(), path);
      this.#files.push(folder);
      try {
        for (const result of await readModelCache(folder, this.#context(where, folder))) this.#add(result);
      } catch (error) {
        this.#warnings.push(`${where}: ${messageOf(error)}`);
      }
    }
  }

  async readGraphs(entries: readonly unknown[]): Promise<void> {
    const graphs: EntryResult[] = [];
    for (const [i, entry] of entries.entries()) {
      const where = this.#place(`mediapipe_config_list[${i}]`);
      const { data, reason } = parse(graphEntrySchema, entry);
      if (data === undefined) graphs.push(brokenEntry('graph', nameOf(entry, where), where, reason));
      else graphs.push(await this.#graph(data, this.#context(where, this.#folder())));
    }
    // After the models of their subconfigs, which #graph has added.
    this.#results.push(...graphs);
  }

  async readRuntimes(entries: readonly unknown[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      const where = this.#place(`runtimes[${i}]`);
      const { data, reason } = parse(runtimeEntrySchema, entry);
      if (data === undefined) this.#add(brokenEntry('runtime', nameOf(entry, where), where, reason));
      else {
        await this.#try(
          'runtime',
          data.name,
          where,
          [resolve(this.#folder(), data.implementation.split('#')[0] ?? '')],
          async () => this.#add(whole(where, await readRuntimeEntry(data, this.#context(where, this.#folder())))),
        );
      }
    }
  }

  /** Of models alone they are ensembles; what else they may have is refused, with what to write instead. */
  async readPipelines(entries: readonly unknown[]): Promise<void> {
    for (const [i, entry] of entries.entries()) {
      const where = this.#place(`pipeline_config_list[${i}]`);
      const { data, reason } = parse(pipelineEntrySchema, entry);
      if (data === undefined) {
        this.#add(brokenEntry('ensemble', nameOf(entry, where), where, reason));
        continue;
      }
      const models = this.#results.flatMap(({ specs }) => specs).filter((spec) => spec.kind === 'model');
      await this.#try('ensemble', data.name, where, [], async () =>
        this.#add(whole(where, await readPipelineEntry(data, models))),
      );
    }
  }

  /** An entry of `model_config_list`, which may be a graph. */
  async readModel(config: unknown, where: string, folder: string, graphsToo = true): Promise<void> {
    const { data, reason } = parse(modelEntrySchema, config);
    if (data === undefined) {
      this.#add(brokenEntry('model', nameOf(config, where), where, reason));
      return;
    }
    const context = this.#context(where, folder);
    if (!(await isGraphEntry(data, folder))) {
      const watched = [resolve(folder, data.base_path ?? '')];
      await this.#try('model', data.name, where, watched, async () => this.#add(await readModelEntry(data, context)));
    } else if (graphsToo) this.#add(await this.#graph(data, context));
    else context.warn(`${where}: a graph in a subconfig is ignored; name it in the configuration itself`);
  }

  /** First of a name wins, as in OVMS; a model that several subconfigs name alike is no duplicate. */
  async loaded(): Promise<LoadedServables> {
    const taken = new Map<string, EntryResult>();
    for (const result of this.#results) {
      const first = taken.get(result.name);
      if (first === undefined) taken.set(result.name, result);
      else if (keyOf(first) !== keyOf(result)) {
        this.#warnings.push(`${result.where}: "${result.name}" is taken by ${first.where}; this one is ignored`);
      }
    }
    const results = [...taken.values()];
    const named = new Set([...this.#modelsOf.values()].flatMap((names) => [...names]));
    const specs = results
      .flatMap((result) => result.specs)
      .map((spec) => (spec.kind === 'model' && named.has(spec.name) ? { ...spec, isOfGraph: true } : spec));
    return {
      specs: await Promise.all(specs.map((spec) => withOwnModels(spec, this.#modelsOf.get(spec.name) ?? [], specs))),
      broken: results.flatMap(({ broken }) => broken),
      files: [...new Set([...this.#files, ...results.flatMap(({ files }) => files)])],
      warnings: this.#warnings,
    };
  }

  async #graph(entry: GraphEntry | ModelEntry, context: EntryContext): Promise<EntryResult> {
    const { graphPath } = graphPathOf(entry, context.folder);
    try {
      const { spec, subconfigPath, models } = await readGraphEntry(entry, context, this.#configPath ?? '');
      this.#modelsOf.set(spec.name, models);
      if (subconfigPath !== undefined) await this.#subconfig(subconfigPath);
      return whole(context.where, spec);
    } catch (error) {
      return brokenEntry('graph', entry.name, context.where, messageOf(error), [graphPath]);
    }
  }

  async #subconfig(path: string): Promise<void> {
    if (this.#files.includes(path)) return;
    this.#files.push(path);
    const file = parseFile(await readJsonFile(path), path);
    const ignored = Object.keys(file).filter((key) => key !== 'model_config_list');
    if (ignored.length > 0)
      this.#warnings.push(`${path}: a subconfig names only models; ignored: ${ignored.join(', ')}`);
    for (const [i, entry] of (file.model_config_list ?? []).entries()) {
      const { config, where } = unwrap(entry, `model_config_list[${i}]`);
      await this.readModel(config, `${basename(path)}: ${where}`, dirname(path), false);
    }
  }

  async #try(
    kind: ServableKind,
    name: string,
    where: string,
    files: readonly string[],
    read: () => Promise<void>,
  ): Promise<void> {
    try {
      await read();
    } catch (error) {
      this.#add(brokenEntry(kind, name, where, messageOf(error), files));
    }
  }

  #add(result: EntryResult): void {
    this.#results.push(result);
  }

  #folder(): string {
    return this.#configPath === undefined ? process.cwd() : dirname(this.#configPath);
  }

  /** Reasons reach clients, so they name the file without its folder. */
  #place(where: string): string {
    return this.#configPath === undefined ? where : `${basename(this.#configPath)}: ${where}`;
  }

  #context(where: string, folder: string): EntryContext {
    return {
      folder,
      where,
      ...this.#defaults,
      calculators: this.#calculators,
      warn: (message) => this.#warnings.push(message),
    };
  }
}

function whole(where: string, spec: ServableSpec): EntryResult {
  return { name: spec.name, where, specs: [spec], broken: [], files: [] };
}

function keyOf({ specs, broken }: EntryResult): string {
  return JSON.stringify([specs.map(({ fingerprint }) => fingerprint), broken]);
}

/** `{"config": {…}}`, OVMS's wrapping. Without it the entry itself is taken; with other keys beside it, it fails by them. */
function unwrap(entry: unknown, where: string): { config: unknown; where: string } {
  const isWrapped = entry !== null && typeof entry === 'object' && 'config' in entry && Object.keys(entry).length === 1;
  return isWrapped ? { config: entry.config, where: joinPath(where, 'config') } : { config: entry, where };
}

type Parsed<T> = { readonly data: T; readonly reason: '' } | { readonly data: undefined; readonly reason: string };

function parse<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  const parsed = schema.safeParse(value);
  return parsed.success
    ? { data: parsed.data, reason: '' }
    : { data: undefined, reason: describeIssues(parsed.error, value) };
}

/** A nameless entry is listed under its place. */
function nameOf(entry: unknown, where: string): string {
  const name = entry !== null && typeof entry === 'object' && 'name' in entry ? entry.name : undefined;
  return typeof name === 'string' && name !== '' ? name : where;
}
