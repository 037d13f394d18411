import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Envelope } from '../../../pipelines/roboflow/commands.ts';
import { initBSchema } from '../../../pipelines/roboflow/init-b.ts';
import { bodyOf } from '../body.ts';
import { jsonSchema } from '../schemas.ts';
import { failuresAs, idOf, refuseBody, send } from './generation-a.ts';
import type { PipelineRouteParts } from './parts.ts';
import { BodyFaults, parseJsonBody, type BodyFault } from './roboflow-body.ts';

/** Status, and the class that its clients know the failure by (sheet §1b). */
const FAILURES: Readonly<Record<string, readonly [number, string | undefined]>> = {
  invalid_payload: [400, 'ProcessesManagerInvalidPayload'],
  authorisation_error: [401, undefined],
  not_found: [404, 'ProcessesManagerNotFoundError'],
  operation_error: [500, 'ProcessesManagerOperationError'],
  internal_error: [500, 'ProcessesManagerInternalError'],
};

const Context = z.object({ request_id: z.string().nullable(), pipeline_id: z.string().nullable() });
const CommandResponse = z.object({ status: z.string(), context: Context });
const Failure = z.object({
  message: z.string(),
  error_type: z.string().optional(),
  inner_error_type: z.string().nullish(),
  context: Context.optional(),
});

/** The stream routes of Roboflow's inference server, generations B and C, without WebRTC (sheet §1b). */
export async function generationBRoutes(app: FastifyInstance, parts: PipelineRouteParts): Promise<void> {
  const { commands } = parts;
  const config = { readsAuthorization: true };
  const describe = (summary: string, ok: z.ZodType, body?: z.ZodType) => ({
    summary,
    tags: ['inference pipelines'],
    ...(body !== undefined && { body: jsonSchema(body) }),
    response: { 200: jsonSchema(ok), ...failuresAs(Failure) },
  });
  const run = async (request: FastifyRequest, reply: FastifyReply, command: object): Promise<FastifyReply> => {
    const envelope = await commands.handle(withKey(command, request), (apiKey) => parts.ownerOf(request, apiKey));
    return answer(reply, 'type' in command && command.type === 'terminate' ? unknownAsInvalid(envelope) : envelope);
  };
  const extra = (request: FastifyRequest): Readonly<Record<string, unknown>> => {
    const body = bodyOf(request);
    const value = body.length === 0 ? {} : parseJsonBody(body);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  };
  const guarded =
    (commandOf: (request: FastifyRequest) => object) =>
    (request: FastifyRequest, reply: FastifyReply): FastifyReply | Promise<FastifyReply> => {
      try {
        return run(request, reply, commandOf(request));
      } catch (error) {
        if (error instanceof BodyFaults) return refuseBody(reply, error);
        throw error;
      }
    };

  app.get(
    '/inference_pipelines/list',
    { config, schema: describe('Ids of all pipelines', CommandResponse.extend({ pipelines: z.array(z.string()) })) },
    guarded((request) => ({ api_key: extra(request)['api_key'], type: 'list_pipelines' })),
  );
  const status = CommandResponse.extend({ report: z.record(z.string(), z.unknown()) });
  app.get(
    '/inference_pipelines/:pipeline_id/status',
    { config, schema: describe("A pipeline's report", status) },
    guarded((request) => ({ api_key: extra(request)['api_key'], type: 'status', pipeline_id: idOf(request) })),
  );
  const consumed = CommandResponse.extend({ outputs: z.array(z.unknown()), frames_metadata: z.array(z.unknown()) });
  app.get(
    '/inference_pipelines/:pipeline_id/consume',
    { config, schema: describe('Takes the oldest result that waits', consumed) },
    guarded((request) => ({ ...extra(request), type: 'consume_result', pipeline_id: idOf(request) })),
  );
  for (const [path, type, summary] of [
    ['pause', 'mute', 'Pauses a pipeline'],
    ['resume', 'resume', 'Resumes a pipeline'],
    ['terminate', 'terminate', 'Ends a pipeline'],
  ] as const) {
    app.post(
      `/inference_pipelines/:pipeline_id/${path}`,
      { config, schema: describe(summary, CommandResponse) },
      guarded((request) => ({ api_key: extra(request)['api_key'], type, pipeline_id: idOf(request) })),
    );
  }
  app.post(
    '/inference_pipelines/initialise',
    { config, schema: describe('Starts a pipeline whose results wait to be consumed', CommandResponse, initBSchema) },
    guarded((request) => ({ type: 'init', ...initialisation(request) })),
  );
  const notServed = describe('Not served: there is /v1/pipelines/{id}/preview.mjpeg', CommandResponse);
  app.post(
    '/inference_pipelines/initialise_webrtc',
    { config, schema: { ...notServed, response: { ...notServed.response, 501: jsonSchema(Failure) } } },
    guarded((request) => ({ api_key: extra(request)['api_key'], type: 'webrtc' })),
  );
}

/** To terminate an unknown id is a malformed request there, to do anything else to it is none (sheet §1b). */
function unknownAsInvalid(envelope: Envelope): Envelope {
  if (envelope.response['error_type'] !== 'not_found') return envelope;
  return { ...envelope, response: { status: 'failure', error_type: 'invalid_payload', error_class: 'KeyError' } };
}

/** @throws BodyFaults */
function initialisation(request: FastifyRequest): object {
  const body = bodyOf(request);
  if (body.length === 0) throw new BodyFaults([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  const value = parseJsonBody(body);
  const parsed = initBSchema.safeParse(value);
  if (parsed.success) return value as object;
  throw new BodyFaults(parsed.error.issues.map((issue) => toFault(issue, value)));
}

function toFault(issue: z.core.$ZodIssue, body: unknown): BodyFault {
  const loc = ['body', ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const input = issue.path.reduce<unknown>(
    (value, part) => (value as Record<PropertyKey, unknown> | null | undefined)?.[part],
    body,
  );
  const isMissing = input === undefined;
  const isEnumeration = issue.code === 'invalid_value';
  const type = isMissing
    ? 'missing'
    : isEnumeration
      ? issue.values.length === 1
        ? 'literal_error'
        : 'enum'
      : 'value_error';
  return { type, loc, msg: isMissing ? 'Field required' : issue.message, input: input ?? null };
}

/** The key of the query, where the body has none. */
function withKey(command: object, request: FastifyRequest): object {
  const { api_key: fromQuery } = request.query as { readonly api_key?: string };
  const given = (command as { readonly api_key?: unknown }).api_key;
  return given === undefined || given === null ? { ...command, api_key: fromQuery } : command;
}

function answer(reply: FastifyReply, { request_id, pipeline_id, response }: Envelope): FastifyReply {
  const { status, error_type: given, error_message, error_class, public_error_message, ...rest } = response;
  if (status === 'success') return send(reply, 200, { status, context: { request_id, pipeline_id }, ...rest });
  const [usual, name] = FAILURES[String(given)] ?? [500, 'ProcessesManagerInternalError'];
  const code = error_class === 'NotImplementedError' ? 501 : usual;
  const details =
    typeof public_error_message === 'string'
      ? public_error_message
      : typeof error_message === 'string'
        ? error_message
        : 'N/A';
  const text = `Error with command handling raised by InferencePipeline Manager. Error type: ${String(given)}. Details: ${details}`;
  if (name === undefined) return send(reply, code, { message: text });
  return send(reply, code, {
    message: text,
    error_type: name,
    inner_error_type: error_class ?? null,
    // Theirs loses it.
    ...(pipeline_id !== null && { context: { request_id, pipeline_id } }),
  });
}
