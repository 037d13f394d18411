import { MillraceError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { ExecutionProvider } from '../../runtime/model-session.ts';

/** OpenVINO's device names, and those of ONNX Runtime's providers. */
const PROVIDERS: Readonly<Record<string, ExecutionProvider>> = {
  CPU: 'cpu',
  GPU: 'cuda',
  CUDA: 'cuda',
  TENSORRT: 'tensorrt',
  WEBGPU: 'webgpu',
  COREML: 'coreml',
};

const AUTOMATIC: readonly ExecutionProvider[] = ['cuda', 'cpu'];

/**
 * `CPU`, `GPU`, `GPU.0`, `AUTO`, `AUTO:GPU,CPU`, `HETERO:…` and `MULTI:…` as providers to try in order. CPU is always the
 * last resort.
 */
export function toExecutionProviders(targetDevice: string | undefined): ExecutionProvider[] {
  const text = (targetDevice ?? '').trim().toUpperCase();
  const [, policy, list] = /^(?:(AUTO|HETERO|MULTI|BATCH)(?::|$))?(.*)$/.exec(text) ?? [];
  const names = (list ?? '').split(',').filter((name) => name !== '');
  if (names.length === 0) return policy === undefined ? ['cpu'] : [...AUTOMATIC];
  const providers = names.map((name) => {
    const provider = PROVIDERS[name.trim().replace(/[.(].*$/, '')];
    if (provider !== undefined) return provider;
    throw new MillraceError(
      'CONFIG_INVALID',
      `target_device: "${targetDevice}" given, ${Object.keys(PROVIDERS).join(', ')} or AUTO expected${didYouMean(name, Object.keys(PROVIDERS))}`,
    );
  });
  return [...new Set([...providers, 'cpu' as const])];
}

/** What Millrace takes from a model's tuning keys. */
export interface Parallelism {
  readonly intraOpThreads: number | undefined;
  /** Inferences that the entry wants to run at once. */
  readonly atOnce: number | undefined;
}

type PluginConfig = Readonly<Record<string, string | number | boolean>>;

const STREAMS = ['NUM_STREAMS', 'CPU_THROUGHPUT_STREAMS', 'GPU_THROUGHPUT_STREAMS'];
const THREADS = ['INFERENCE_NUM_THREADS', 'CPU_THREADS_NUM'];
/** They trade speed only, so leaving them out changes no result. */
const WITHOUT_EFFECT = [
  'PERFORMANCE_HINT',
  'PERFORMANCE_HINT_NUM_REQUESTS',
  'EXECUTION_MODE_HINT',
  'MODEL_PRIORITY',
  'SCHEDULING_CORE_TYPE',
  'ENABLE_CPU_PINNING',
  'CPU_BIND_THREAD',
  'ENABLE_HYPER_THREADING',
  'ENABLE_MMAP',
  'CACHE_DIR',
  'CACHE_MODE',
  'LOG_LEVEL',
  'AUTO_BATCH_TIMEOUT',
];
const KNOWN = [...STREAMS, ...THREADS, ...WITHOUT_EFFECT];

/**
 * OpenVINO's streams are inferences that run at once, which here is one per host; its threads are shared by them. `nireq`
 * asks for the same thing where no streams are given.
 */
export function toParallelism(pluginConfig: PluginConfig = {}, nireq = 0): Parallelism {
  const unknown = Object.keys(pluginConfig).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `plugin_config: "${unknown}" is an OpenVINO setting that has no counterpart here${didYouMean(unknown, KNOWN)}`,
    );
  }
  const streams = positive(pluginConfig, STREAMS);
  const threads = positive(pluginConfig, THREADS);
  return {
    atOnce: streams ?? (nireq > 0 ? nireq : undefined),
    intraOpThreads: threads === undefined ? undefined : Math.max(1, Math.floor(threads / (streams ?? 1))),
  };
}

/** The first of `keys` that is set; 0, −1 and AUTO leave the choice to the server. */
function positive(config: PluginConfig, keys: readonly string[]): number | undefined {
  const key = keys.find((candidate) => config[candidate] !== undefined);
  if (key === undefined) return undefined;
  const given = config[key];
  if (/^(CPU_THROUGHPUT_|GPU_THROUGHPUT_)?(AUTO|NUMA)$/.test(String(given))) return undefined;
  const value = Number(given);
  if (typeof given === 'boolean' || !Number.isInteger(value)) {
    throw new MillraceError(
      'CONFIG_INVALID',
      `plugin_config.${key}: ${JSON.stringify(given)} given, a whole number or "AUTO" expected`,
    );
  }
  return value > 0 ? value : undefined;
}
