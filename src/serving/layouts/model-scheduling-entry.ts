import { stat } from 'node:fs/promises';
import { MillraceError } from '../../base/errors.ts';
import type { DynamicBatching, RequestLimit } from '../model-scheduling.ts';
import type { ModelSpec } from '../servable-spec.ts';
import type { BatchingEntry, ModelEntry } from './ovms-schema.ts';

/** Models with larger files are loaded once, unless their entry says more. */
const EVERYWHERE_BYTES = 64 * 2 ** 20;

/** @throws MillraceError CONFIG_INVALID where sizes or priorities contradict one another */
export function toDynamicBatching(entry: BatchingEntry | undefined): DynamicBatching | undefined {
  if (entry === undefined) return undefined;
  const { max_batch_size: maxBatchSize, priority_levels: priorityLevels = 0 } = entry;
  const { preferred_batch_sizes: preferred = [], default_priority_level: defaultPriorityLevel = priorityLevels } =
    entry;
  const preferredSizes = preferred.toSorted((a, b) => a - b);
  const tooLarge = preferredSizes.find((size) => size > maxBatchSize);
  if (tooLarge !== undefined) {
    throw invalid(`preferred_batch_sizes: ${tooLarge} given, at most max_batch_size ${maxBatchSize} expected`);
  }
  if (defaultPriorityLevel > priorityLevels) {
    throw invalid(
      `default_priority_level: ${defaultPriorityLevel} given, at most priority_levels ${priorityLevels} expected`,
    );
  }
  return {
    maxBatchSize,
    preferredSizes,
    maxQueueDelayUs: entry.max_queue_delay_us ?? 0,
    preservesOrder: entry.preserve_ordering ?? false,
    priorityLevels,
    defaultPriorityLevel,
    queuePolicy: {
      onTimeout: entry.timeout_action ?? 'reject',
      defaultTimeoutUs: entry.default_timeout_us ?? 0,
      allowsTimeoutOverride: entry.allow_timeout_override ?? true,
      maxQueueSize: entry.max_queue_size ?? 0,
    },
    priorityQueuePolicies: {},
  };
}

export function toRequestLimit(entry: ModelEntry['rate_limit']): RequestLimit | undefined {
  if (entry === undefined) return undefined;
  return { maxPerSecond: entry.max_requests_per_second ?? 0, maxAtOnce: entry.max_concurrent_requests ?? 0 };
}

/**
 * In how many hosts a model is loaded: as its entry says; else one that batches, keeps state, is large or is for a GPU in one, so that
 * there is one queue and one copy, and others in all of them (undefined).
 */
export async function instancesOf(
  asked: number | undefined,
  {
    dynamicBatching,
    sequenceBatching,
    executionProviders,
  }: Pick<ModelSpec, 'dynamicBatching' | 'sequenceBatching' | 'executionProviders'>,
  files: readonly string[],
): Promise<number | undefined> {
  if (asked !== undefined) return asked;
  if (dynamicBatching !== undefined || sequenceBatching !== undefined) return 1;
  if (executionProviders.some((provider) => provider !== 'cpu')) return 1;
  const sizes = await Promise.all(files.map(async (file) => (await stat(file).catch(() => undefined))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0) > EVERYWHERE_BYTES ? 1 : undefined;
}

function invalid(text: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', `batching.${text}`);
}
