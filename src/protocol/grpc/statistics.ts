import { MillraceError } from '../../base/errors.ts';
import type { DataPlane, Duration, ServableStatistics } from '../../serving/data-plane.ts';
import type { ModelStatistics } from '../wire/generated/inference/ModelStatistics.ts';
import type { ModelStatisticsRequest__Output } from '../wire/generated/inference/ModelStatisticsRequest.ts';
import type { ModelStatisticsResponse } from '../wire/generated/inference/ModelStatisticsResponse.ts';
import type { Messages } from './messages.ts';
import type { UnaryHandler } from './transport.ts';

const NONE: Duration = { count: 0, ns: 0 };

/** ModelStatistics: of one servable, one version of it, or (no name) all. */
export function statisticsHandler(messages: Messages, dataPlane: DataPlane): UnaryHandler {
  return messages.unary('inference.ModelStatistics', async ({ name, version }: ModelStatisticsRequest__Output) => {
    const response: ModelStatisticsResponse = {
      model_stats: (await find(dataPlane, name, version)).map(modelStatistics),
    };
    return response;
  });
}

/** Here, and only here, Triton calls an unknown model an invalid argument. */
async function find(dataPlane: DataPlane, name: string, version: string): Promise<readonly ServableStatistics[]> {
  try {
    return await dataPlane.statistics(name, version);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const text = STATISTICS_TEXTS[error.reason as keyof typeof STATISTICS_TEXTS];
    if (text === undefined) throw error;
    throw new MillraceError(error.reason, text(name), { code: 'INVALID_ARGUMENT', details: error.details });
  }
}

const STATISTICS_TEXTS: Partial<Record<'SERVABLE_NOT_FOUND' | 'VERSION_NOT_FOUND', (name: string) => string>> = {
  SERVABLE_NOT_FOUND: (name) => `requested model '${name}' is not available`,
  VERSION_NOT_FOUND: (name) => `requested model version is not available for model '${name}'`,
};

function modelStatistics(statistics: ServableStatistics): ModelStatistics {
  return {
    name: statistics.name,
    version: statistics.version,
    last_inference: statistics.lastInference,
    inference_count: statistics.inferenceCount,
    execution_count: statistics.executionCount,
    inference_stats: {
      success: statistics.success,
      fail: statistics.fail,
      queue: statistics.queue,
      compute_input: statistics.computeInput,
      compute_infer: statistics.computeInfer,
      compute_output: statistics.computeOutput,
      cache_hit: NONE,
      cache_miss: NONE,
    },
  };
}
