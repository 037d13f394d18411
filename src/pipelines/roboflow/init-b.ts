import { z } from 'zod';
import { CONSUMPTION, FILLING, type PipelineRequest } from '../common/pipeline-schema.ts';
import { mainStep } from '../common/workflow/plan.ts';
import { RoboflowFailure, valueError } from './failure.ts';
import { propertiesOf, referenceOf } from './init-a.ts';
import { planWorkflow } from './workflow/plan-workflow.ts';

const videoConfiguration = z.object({
  type: z.literal('VideoConfiguration'),
  video_reference: z.union([z.string(), z.int(), z.array(z.union([z.string(), z.int()]))]),
  max_fps: z.number().nullish(),
  source_buffer_filling_strategy: z.enum(FILLING).nullish().default('DROP_OLDEST'),
  source_buffer_consumption_strategy: z.enum(CONSUMPTION).nullish().default('EAGER'),
  video_source_properties: z.unknown().optional(),
  batch_collection_timeout: z.number().nullish(),
});

const processingConfiguration = z.object({
  type: z.literal('WorkflowConfiguration'),
  workflow_specification: z.record(z.string(), z.unknown()).nullish(),
  workspace_name: z.string().nullish(),
  workflow_id: z.string().nullish(),
  image_input_name: z.string().default('image'),
  workflows_parameters: z.record(z.string(), z.unknown()).nullish(),
  disable_sinks: z.boolean().default(false),
});

/** The body of `POST /inference_pipelines/initialise`; fields that it does not know are ignored, as in the original. */
export const initBSchema = z.object({
  type: z.string().optional(),
  video_configuration: videoConfiguration,
  processing_configuration: processingConfiguration,
  sink_configuration: z
    .object({
      type: z.literal('MemorySinkConfiguration'),
      results_buffer_size: z.int().min(1).max(100_000).default(64),
    })
    .default({ type: 'MemorySinkConfiguration', results_buffer_size: 64 }),
  consumption_timeout: z.number().nullish(),
  api_key: z.string().nullish(),
  predictions_queue_size: z.int().min(1).max(100_000).nullish(),
  decoding_buffer_size: z.int().min(1).max(1024).nullish(),
});

export type InitB = z.infer<typeof initBSchema>;

/**
 * @param queueSize of its sink, where the body does not say
 * @throws RoboflowFailure
 */
export function pipelineOfInitB(body: InitB, queueSize: number): PipelineRequest {
  const { video_configuration: video, processing_configuration: processing, sink_configuration: sink } = body;
  if (processing.workflow_specification === null || processing.workflow_specification === undefined) {
    if (processing.workspace_name && processing.workflow_id) {
      throw new RoboflowFailure('not_found', {
        errorClass: 'RoboflowAPINotNotFoundError',
        errorMessage: 'Workflows of a workspace are not fetched; send workflow_specification',
        publicMessage: 'Workflows of a workspace are not fetched; send workflow_specification',
      });
    }
    throw valueError(
      'Parameters (workspace_name, workflow_id) must be used mutually exclusive with workflow_specification, but at least one must be set.',
      'internal_error',
    );
  }
  const {
    workflow_specification: specification,
    workflows_parameters: parameters,
    image_input_name: image,
  } = processing;
  const workflow = planWorkflow(specification, parameters ?? {}, image);
  const { modelId, configuration } = mainStep(workflow);
  const queue = body.predictions_queue_size ?? queueSize;
  const reference = referenceOf(video.video_reference);
  const filling = video.source_buffer_filling_strategy ?? undefined;
  const consumption = video.source_buffer_consumption_strategy ?? undefined;
  return {
    video_reference: reference,
    model_id: modelId,
    version: '',
    model_configuration: configuration,
    workflow,
    max_fps: video.max_fps ?? null,
    source_buffer_filling_strategy: filling,
    source_buffer_consumption_strategy: consumption,
    batch_collection_timeout: video.batch_collection_timeout ?? undefined,
    video_source_properties: propertiesOf(video.video_source_properties, reference),
    sinks: [{ type: 'memory', results_buffer_size: sink.results_buffer_size, queue_size: queue }],
    buffer_size: body.decoding_buffer_size ?? undefined,
    consumption_timeout: body.consumption_timeout ?? undefined,
    realtime: false,
    persist: false,
  };
}
