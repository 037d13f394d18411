import { visible } from '../../security/grant.ts';
import type { DataPlane, ServableStatistics } from '../../serving/data-plane.ts';
import type { ModelStatistics } from '../wire/generated/inference/ModelStatistics.ts';
import type { ModelStatisticsRequest__Output } from '../wire/generated/inference/ModelStatisticsRequest.ts';
import type { ModelStatisticsResponse } from '../wire/generated/inference/ModelStatisticsResponse.ts';
import type { Messages } from './messages.ts';
import type { UnaryHandler } from './transport.ts';

/** ModelStatistics: of one servable, one version of it, or (no name) all. */
export function statisticsHandler(messages: Messages, dataPlane: DataPlane): UnaryHandler {
  return messages.unary(
    'inference.ModelStatistics',
    async ({ name, version }: ModelStatisticsRequest__Output, { grant }) => {
      const response: ModelStatisticsResponse = {
        model_stats: visible(grant, await dataPlane.statistics(name, version)).map(modelStatistics),
      };
      return response;
    },
  );
}

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
      cache_hit: statistics.cacheHit,
      cache_miss: statistics.cacheMiss,
    },
    response_stats: Object.fromEntries(
      statistics.responses.map(({ computeInfer, computeOutput, success, fail, emptyResponse, cancel }, at) => [
        String(at),
        {
          compute_infer: computeInfer,
          compute_output: computeOutput,
          success,
          fail,
          empty_response: emptyResponse,
          cancel,
        },
      ]),
    ),
    batch_stats: statistics.batches.map(({ batchSize, computeInput, computeInfer, computeOutput }) => ({
      batch_size: batchSize,
      compute_input: computeInput,
      compute_infer: computeInfer,
      compute_output: computeOutput,
    })),
  };
}
