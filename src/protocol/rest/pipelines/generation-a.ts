import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { withoutSecrets } from '../../../media/ffmpeg/redact.ts';
import type { Envelope } from '../../../pipelines/roboflow/commands.ts';
import { pythonJson } from '../../../pipelines/roboflow/python-text.ts';
import { bodyOf } from '../body.ts';
import { jsonSchema } from '../schemas.ts';
import { initCommandA } from './generation-a-body.ts';
import type { PipelineRouteParts } from './parts.ts';
import { BodyFaults } from './roboflow-body.ts';

const STATUS: Readonly<Record<string, number>> = { invalid_payload: 400, authorisation_error: 401, not_found: 404 };

const Context = z.object({ request_id: z.string().nullable(), pipeline_id: z.string().nullable() });
const CommandResponse = z.object({ status: z.string(), context: Context });
const ListPipelinesResponse = CommandResponse.extend({ pipelines: z.array(z.string()) });
const StatusResponse = CommandResponse.extend({ report: z.record(z.string(), z.unknown()) });
const Failure = z.object({ status: z.literal('failure'), message: z.string(), context: Context.optional() });
/** Of a body that does not fit its schema, as FastAPI says it. */
const Faults = z.object({ detail: z.array(z.record(z.string(), z.unknown())) });

const Initialisation = z.object({
  video_reference: z.union([z.string(), z.int(), z.array(z.union([z.string(), z.int()]))]),
  model_id: z.string(),
  sink_configuration: z.object({ type: z.string().default('udp_sink'), host: z.string(), port: z.int() }),
  api_key: z.string().nullish(),
  max_fps: z.number().nullish(),
  source_buffer_filling_strategy: z.string().nullish(),
  source_buffer_consumption_strategy: z.string().nullish(),
  model_configuration: z
    .object({
      type: z.string().default('object-detection'),
      class_agnostic_nms: z.boolean().nullish(),
      confidence: z.number().nullish(),
      iou_threshold: z.number().nullish(),
      max_candidates: z.int().nullish(),
      max_detections: z.int().nullish(),
    })
    .optional(),
  video_source_properties: z.unknown().optional(),
  batch_collection_timeout: z.number().nullish(),
});

/** The paths of Roboflow's Stream Management API, generation A (sheet §1). */
export async function generationARoutes(app: FastifyInstance, parts: PipelineRouteParts): Promise<void> {
  const { commands } = parts;
  const config = { readsAuthorization: true };
  // Operation ids are those of theirs, by which generated clients name their calls.
  const describe = (operationId: string, summary: string, ok: z.ZodType, body?: z.ZodType) => ({
    operationId,
    summary,
    tags: ['stream management'],
    ...(body !== undefined && { body: jsonSchema(body) }),
    response: { 200: jsonSchema(ok), ...failuresAs(Failure) },
  });
  const run = async (request: FastifyRequest, reply: FastifyReply, command: object): Promise<FastifyReply> => {
    const envelope = await commands.handle(command, (apiKey) => parts.ownerOf(request, apiKey));
    return answer(reply, envelope);
  };

  app.get(
    '/list_pipelines',
    {
      config,
      schema: describe(
        'list_pipelines_list_pipelines_get',
        "Ids of all pipelines, Roboflow's form",
        ListPipelinesResponse,
      ),
    },
    (request, reply) => run(request, reply, { type: 'list_pipelines' }),
  );
  app.get(
    '/status/:pipeline_id',
    {
      config,
      schema: describe('get_status_status__pipeline_id__get', "A pipeline's report, Roboflow's form", StatusResponse),
    },
    (request, reply) => run(request, reply, { type: 'status', pipeline_id: idOf(request) }),
  );
  for (const [path, type, summary] of [
    ['pause', 'mute', 'Pauses a pipeline'],
    ['resume', 'resume', 'Resumes a pipeline'],
    ['terminate', 'terminate', 'Ends a pipeline'],
  ] as const) {
    const schema = describe(`${path}_${path}__pipeline_id__post`, summary, CommandResponse);
    app.post(`/${path}/:pipeline_id`, { config, schema }, (request, reply) =>
      run(request, reply, { type, pipeline_id: idOf(request) }),
    );
  }
  const schema = describe(
    'initialise_initialise_post',
    'Starts a pipeline whose results go to a UDP port',
    CommandResponse,
    Initialisation,
  );
  app.post('/initialise', { config, schema }, (request, reply) => {
    let command: object;
    try {
      command = initCommandA(bodyOf(request));
    } catch (error) {
      if (error instanceof BodyFaults) return refuseBody(reply, error);
      throw error;
    }
    return run(request, reply, command);
  });
}

/** Every status of a failure (sheet §1, Responses). */
export function failuresAs(failure: z.ZodType): Readonly<Record<string, object>> {
  return {
    '4xx': { description: 'The request is at fault.', ...jsonSchema(failure) },
    422: { description: 'The body does not fit.', ...jsonSchema(Faults) },
    '5xx': { description: 'The pipeline could not do it.', ...jsonSchema(failure) },
  };
}

export function refuseBody(reply: FastifyReply, { faults }: BodyFaults): FastifyReply {
  return send(reply, 422, { detail: withoutSecrets(faults) });
}

export function idOf(request: FastifyRequest): string {
  return (request.params as { readonly pipeline_id: string }).pipeline_id;
}

/** JSON as FastAPI writes it. */
export function send(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply.code(status).header('content-type', 'application/json').send(pythonJson(body, false));
}

function answer(reply: FastifyReply, { request_id, pipeline_id, response }: Envelope): FastifyReply {
  const { status, error_type: type, error_message: message, ...rest } = response;
  if (status === 'success') {
    return send(reply, 200, { status, context: { request_id, pipeline_id }, ...rest });
  }
  const details = typeof message === 'string' ? message : 'N/A';
  const text = `Error in ProcessesManagerClient. Error type: ${String(type)}. Details: ${details}`;
  return send(reply, STATUS[String(type)] ?? 500, {
    status: 'failure',
    message: text,
    // Theirs loses it.
    ...(pipeline_id !== null && { context: { request_id, pipeline_id } }),
  });
}
