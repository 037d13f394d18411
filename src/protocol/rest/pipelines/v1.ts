import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { MillraceError } from '../../../base/errors.ts';
import { describeIssues } from '../../../base/schema-issues.ts';
import { withoutSecrets } from '../../../media/ffmpeg/redact.ts';
import { resultJson } from '../../../media/sinks/results/payload.ts';
import { pipelinePatchSchema, pipelineSchema } from '../../../pipelines/common/pipeline-schema.ts';
import type { Pipeline } from '../../../pipelines/pipeline.ts';
import type { ResultBatch } from '../../../pipelines/result-ring.ts';
import { bodyOf } from '../body.ts';
import { failures, jsonSchema } from '../schemas.ts';
import type { PipelineRouteParts } from './parts.ts';
import { streamEvents, streamPictures, takePicture } from './live.ts';
import { pipelineLine, pipelineView } from './view.ts';

const View = z.object({
  id: z.string(),
  name: z.string().optional(),
  state: z.enum(['starting', 'running', 'waiting', 'ended', 'terminated', 'failed']),
  created_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  pipeline: z.record(z.string(), z.unknown()).describe('As it was asked for, without credentials.'),
  report: z.record(z.string(), z.unknown()),
  events: z.array(z.record(z.string(), z.unknown())),
});

const Results = z.object({ results: z.array(z.record(z.string(), z.unknown())) });

/** Our own API of pipelines. */
export async function pipelineRoutes(app: FastifyInstance, parts: PipelineRouteParts): Promise<void> {
  const { manager } = parts;
  const config = { readsAuthorization: true };
  // `ok`: what a good answer is, or its media type.
  const describe = (summary: string, ok: z.ZodType | string, body?: z.ZodType, status = 200) => ({
    summary,
    tags: ['pipelines'],
    ...(body !== undefined && { body: jsonSchema(body) }),
    response: { [status]: typeof ok === 'string' ? mediaOf(ok) : jsonSchema(ok), ...failures },
  });
  const path = '/v1/pipelines/:pipeline_id';

  app.post(
    '/v1/pipelines',
    { config, schema: describe('Makes and starts a pipeline', View, pipelineSchema, 201) },
    async (request, reply) => {
      const pipeline = await manager.create(read(request, pipelineSchema, 'pipeline'), parts.ownerOf(request));
      return reply.code(201).header('location', `/v1/pipelines/${pipeline.id}`).send(pipelineView(pipeline));
    },
  );
  app.get(
    '/v1/pipelines',
    {
      schema: describe(
        'Every pipeline, those that have ended lately too',
        z.object({ pipelines: z.array(z.unknown()) }),
      ),
    },
    async ({ grant }) => ({ pipelines: manager.all(grant).map(pipelineLine) }),
  );
  app.get(path, { schema: describe('A pipeline, its report and its events', View) }, async (request) =>
    pipelineView(find(request)),
  );
  app.patch(
    path,
    { schema: describe('Changes thresholds and rate while it runs', View, pipelinePatchSchema) },
    async (request) => {
      const pipeline = find(request);
      const { model_configuration: configuration, max_fps: rate } = read(request, pipelinePatchSchema, 'change');
      await pipeline.patch(configuration, rate);
      return pipelineView(pipeline);
    },
  );
  app.post(`${path}/pause`, { schema: describe('Holds it; once more is no error', View) }, async (request) => {
    const pipeline = find(request);
    // Files stop; a live source goes on, since it would break off, and its frames are dropped.
    const hasFiles = pipeline.report.sources.every(({ properties }) => properties?.is_live === false);
    await pipeline.operate(hasFiles ? 'pause' : 'mute');
    return pipelineView(pipeline);
  });
  app.post(`${path}/resume`, { schema: describe('Goes on; once more is no error', View) }, async (request) => {
    const pipeline = find(request);
    await pipeline.operate('resume');
    return pipelineView(pipeline);
  });
  app.delete(path, { schema: describe('Ends it; once more is no error', View) }, async (request) => {
    const pipeline = find(request);
    await manager.terminate(pipeline.id);
    return pipelineView(pipeline);
  });
  app.post(
    `${path}/results`,
    { schema: describe('Takes the oldest results of its memory sink, up to `max` (default 1)', Results) },
    async (request) => ({ results: takeResults(find(request), request) }),
  );
  app.get(
    `${path}/events`,
    { schema: describe('Results, state and events as server-sent events', 'text/event-stream') },
    (request, reply) => streamEvents(find(request), reply),
  );
  app.get(
    `${path}/frame.jpg`,
    { schema: describe('The next frame, with what was found in it', 'image/jpeg') },
    (request, reply) => takePicture(find(request), sourceOf(request), reply),
  );
  app.get(
    `${path}/preview.mjpeg`,
    { schema: describe('Frames as they come, for an <img>', 'multipart/x-mixed-replace') },
    (request, reply) => streamPictures(find(request), sourceOf(request), reply),
  );

  function find(request: FastifyRequest): Pipeline {
    return manager.get((request.params as { readonly pipeline_id: string }).pipeline_id, request.grant);
  }
}

const Event = z.object({ event: z.string(), id: z.string().optional(), data: z.string() });

function mediaOf(type: string): object {
  const schema = type === 'text/event-stream' ? jsonSchema(Event) : { type: 'string', format: 'binary' };
  return { description: `As ${type}.`, content: { [type]: { schema } } };
}

export function batchJson(pipelineId: string, { sequence, results }: ResultBatch): object[] {
  return results.map((result, index) => resultJson({ pipelineId, sequence: sequence + index, result }));
}

function takeResults(pipeline: Pipeline, request: FastifyRequest): object[] {
  if (pipeline.ring === undefined) {
    throw new MillraceError('PIPELINE_INVALID', 'the pipeline has no memory sink; add one, or read /events');
  }
  const most = numberOf(request, 'max', 1);
  const taken: object[] = [];
  for (let left = most; left > 0; left--) {
    const batch = pipeline.consume();
    if (batch === undefined) break;
    taken.push(...batchJson(pipeline.id, batch));
  }
  return taken;
}

function sourceOf(request: FastifyRequest): number {
  return numberOf(request, 'source', 0);
}

function numberOf(request: FastifyRequest, name: string, fallback: number): number {
  const given = (request.query as Readonly<Record<string, unknown>>)[name];
  if (given === undefined) return fallback;
  if (typeof given === 'string' && /^\d{1,6}$/.test(given)) return Number(given);
  throw new MillraceError('MALFORMED_REQUEST', `?${name}=${JSON.stringify(given)} given, a whole number expected`);
}

function read<Schema extends z.ZodType>(request: FastifyRequest, schema: Schema, what: string): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(bodyOf(request).toString('utf8'));
  } catch (error) {
    throw new MillraceError('MALFORMED_REQUEST', `the request body is no JSON: ${(error as Error).message}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = describeIssues(parsed.error, withoutSecrets(value));
  throw new MillraceError('PIPELINE_INVALID', `the request body is no ${what}: ${issues}`);
}
