import { dirname } from 'node:path';
import { join } from 'node:path';
import { messageOf } from '../../../base/errors.ts';
import type { ExecutionProvider } from '../../../runtime/model-session.ts';
import type { GraphSpec, ModelSpec, RuntimeSpec } from '../../servable-spec.ts';
import type { EntryContext } from '../entry.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { readGraphEntry } from '../graph-entry.ts';
import { instancesOf } from '../model-scheduling-entry.ts';
import { readRuntimeEntry } from '../runtime-entry.ts';
import { stateFiles } from '../stateful-entry.ts';
import { dataFile } from './data-file.ts';
import { readLabels } from './labels.ts';
import type { ModelConfig } from './model-config.ts';
import type { ModelVersion, RepositoryContext } from './model-folder.ts';
import { isOwnParameter, ownParameters, toRequestLimit } from './own-parameters.ts';
import { toRateLimiter } from './rate-limiter.ts';
import { toDynamicBatching, toSequenceBatching } from './scheduling.ts';
import { signatureOf } from './tensors.ts';
import { readWarmup } from './warmup.ts';

/** An ONNX file with its configuration. */
export async function onnxVersion(model: ModelVersion, context: RepositoryContext): Promise<ModelSpec> {
  const { runDeadlineMs } = context;
  const { name, version, config, path, files, file, folder } = model;
  // Of a file that cannot be read, the one that loads it says more.
  const isKnown = config.input.length > 0 && config.output.length > 0;
  const dynamicBatching = toDynamicBatching(config);
  const sequenceBatching = toSequenceBatching(config, (data) => {
    try {
      return dataFile(join(folder, 'initial_state'), data);
    } catch (error) {
      const field = file.place('sequence_batching.state.initial_state.data_file');
      throw new Error(`${field}: ${messageOf(error)}`, { cause: error });
    }
  });
  const executionProviders = providersOf(config);
  const { classes, files: labelFiles } = await readLabels(model);
  const own = ownParameters(file, 'onnx');
  const spec = {
    kind: 'model' as const,
    name,
    version,
    path,
    executionProviders,
    intraOpThreads: threadsOf(model),
    runDeadlineMs: own.run_deadline_ms ?? runDeadlineMs,
    maxSessions: own.max_sessions,
    requestLimit: toRequestLimit(own),
    rateLimiter: toRateLimiter(model, context),
    signature: isKnown ? signatureOf(config) : undefined,
    dynamicBatching,
    instances: await instancesOf(countOf(model), { dynamicBatching, sequenceBatching, executionProviders }, files),
    sequenceBatching,
    cachesResponses: config.response_cache?.enable === true,
    config: isKnown ? config : undefined,
    warmup: await readWarmup(file, config, folder),
    classes,
  };
  const given = [...warmupFiles(spec.warmup), ...stateFiles(sequenceBatching)];
  const all = [...files, ...labelFiles];
  return { ...spec, files: all, fingerprint: await fingerprintOf(spec, [...all, ...given]) };
}

/** How many instances are asked for; undefined where the groups do not say. */
function countOf({ config, file }: ModelVersion): number | undefined {
  if (!file.has('instance_group.count')) return undefined;
  return config.instance_group.reduce((sum, { count }) => sum + count, 0);
}

function providersOf({ instance_group: groups, optimization }: ModelConfig): ExecutionProvider[] {
  if (groups.every(({ kind }) => kind === 'KIND_CPU')) return ['cpu'];
  const accelerators = optimization?.execution_accelerators?.gpu_execution_accelerator ?? [];
  return accelerators.some(({ name }) => name === 'tensorrt') ? ['tensorrt', 'cuda', 'cpu'] : ['cuda', 'cpu'];
}

function threadsOf({ config, file }: ModelVersion): number | undefined {
  const text = config.parameters['intra_op_thread_count']?.string_value;
  if (text === undefined || text === '0') return undefined;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new Error(
    `${file.place('parameters')}: intra_op_thread_count: "${text}" given, a number from 0 to 9999 expected`,
  );
}

const warmupFiles = (samples: ModelSpec['warmup'] = []): string[] =>
  samples.flatMap(({ inputs }) => inputs.flatMap(({ data }) => (typeof data === 'object' ? [data.file] : [])));

/** A user's class or object. `parameters` are its own, without `export`, which says which export of the module it is. */
export async function runtimeVersion(model: ModelVersion, context: RepositoryContext): Promise<RuntimeSpec> {
  const { name, version, config, path, files, file, folder } = model;
  const { export: exported, ...parameters } = Object.fromEntries(
    Object.entries(config.parameters)
      .filter(([key]) => !isOwnParameter(key))
      .map(([key, { string_value: value }]) => [key, value]),
  );
  const instances = config.instance_group.reduce((sum, group) => sum + group.count, 0);
  const implementation = exported === undefined ? path : `${path}#${exported}`;
  const entry = { name, implementation, parameters, instances, ...ownParameters(file, 'runtime') };
  const base = await readRuntimeEntry(entry, entryContext(model, context)).catch((error: unknown) => {
    throw new Error(`${file.place('parameters')}: ${messageOf(error)}`, { cause: error });
  });
  const { inputs, outputs } = signatureOf(config);
  const { classes, files: labelFiles } = await readLabels(model);
  const spec = {
    ...base,
    version,
    batching: batchingOf(model, context),
    cachesResponses: config.response_cache?.enable === true,
    declared: { platform: '', versions: [], inputs: inputs.map(plain), outputs: outputs.map(plain) },
    config,
    warmup: await readWarmup(file, config, folder),
    classes,
  };
  const all = [...new Set([...base.files, ...files, ...labelFiles])];
  const { files: _, fingerprint: __, ...rest } = spec;
  return { ...spec, files: all, fingerprint: await fingerprintOf(rest, [...all, ...warmupFiles(spec.warmup)]) };
}

const plain = ({ name, datatype, shape, optional }: ReturnType<typeof signatureOf>['inputs'][number]) => ({
  name,
  datatype,
  shape,
  optional,
});

/** The queue's delay is what makes batches of a runtime's requests. */
function batchingOf({ config, file }: ModelVersion, { warn }: RepositoryContext): RuntimeSpec['batching'] {
  const { max_batch_size: maxSize, dynamic_batching: dynamic } = config;
  if (config.sequence_batching !== undefined) {
    warn(
      `${file.place('sequence_batching')}: a runtime gets no control tensors; it reads sequence_id itself, and its requests go to the instance where that lives`,
    );
  }
  if (dynamic === undefined || maxSize < 2) return undefined;
  if (dynamic.max_queue_delay_microseconds === 0) {
    warn(`${file.place('dynamic_batching')}: without max_queue_delay_microseconds a runtime's requests are not joined`);
    return undefined;
  }
  return { maxSize, maxTimeMs: dynamic.max_queue_delay_microseconds / 1000 };
}

/** A graph of ours, in a numbered folder. */
export async function graphVersion(
  model: ModelVersion,
  context: RepositoryContext,
): Promise<{ readonly spec: GraphSpec; readonly models: readonly string[] }> {
  const { name, version, config, path, files, file, folder } = model;
  const entry = { name, base_path: dirname(path), graph_path: path, ...ownParameters(file, 'graph') };
  const { spec: base, models } = await readGraphEntry(entry, entryContext(model, context), '');
  const spec = { ...base, version, config, warmup: await readWarmup(file, config, folder) };
  const all = [...new Set([...base.files, ...files])];
  const { files: _, fingerprint: __, ...rest } = spec;
  const fingerprint = await fingerprintOf(rest, [...all, ...warmupFiles(spec.warmup)]);
  return { spec: { ...spec, files: all, fingerprint }, models };
}

function entryContext({ name, path }: ModelVersion, { runDeadlineMs, quota, warn }: RepositoryContext): EntryContext {
  return { folder: dirname(path), where: `${name}/config.pbtxt`, runDeadlineMs, quota, calculators: [], warn };
}
