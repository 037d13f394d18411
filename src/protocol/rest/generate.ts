import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Cancellation } from '../../base/cancellation.ts';
import { MillraceError } from '../../base/errors.ts';
import type { DataPlane } from '../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import {
  decodeGenerateRequest,
  encodeGenerateResponse,
  type GenerateRequest as Decoded,
} from '../wire/generate-json.ts';
import { bodyOf } from './body.ts';
import { cancelOnDisconnect } from './disconnect.ts';
import { EventStream } from './event-stream.ts';
import { tritonFailure } from './failure.ts';
import { revocationOf } from './guard.ts';
import { replyHeaders, requestHeaders } from './headers.ts';
import type { RestParts } from './parts.ts';
import { failures, GenerateRequest, GenerateResponse, jsonSchema, MODEL_PATHS, modelOf } from './schemas.ts';
import { SingleResponse } from './single-response.ts';
import { pathOf } from './root-path.ts';

/**
 * `POST …/generate`: one request with exactly one response. `POST …/generate_stream`: each response a server-sent event,
 * sent at once. Both take Triton's flat form or a whole V2 request, and answer in the form they were asked in.
 */
export async function generateRoutes(app: FastifyInstance, parts: RestParts): Promise<void> {
  const body = jsonSchema(GenerateRequest);
  const answer = jsonSchema(GenerateResponse);
  const one = { summary: 'One response', tags: ['inference'], body, response: { 200: answer, ...failures } };
  const events = { 200: { description: 'Events', content: { 'text/event-stream': { schema: answer } } }, ...failures };
  const many = { summary: 'A stream of responses', tags: ['inference'], body, response: events };
  for (const path of MODEL_PATHS) {
    app.post(`${path}/generate`, { schema: one }, async (request, reply) => {
      const { decoded, isDecoupled } = decode(request, parts);
      const cancellation = cancelOnDisconnect(reply.raw);
      const response = isDecoupled
        ? await openForOne(decoded.request, cancellation, parts.dataPlane)
        : await parts.dataPlane.infer(decoded.request, { interface: 'REST', cancellation });
      return reply
        .headers(replyHeaders(response.headers))
        .header('content-type', 'application/json')
        .send(encodeGenerateResponse(response, decoded.form));
    });
    const stream = (request: FastifyRequest, reply: FastifyReply): void => streamEvents(request, reply, parts);
    app.post(`${path}/generate_stream`, { schema: many }, stream);
    // MLServer's other name for it.
    app.post(`${path}/infer_stream`, { schema: { ...many, hide: true } }, stream);
  }
}

function decode(request: FastifyRequest, { dataPlane }: RestParts): { decoded: Decoded; isDecoupled: boolean } {
  const ref = modelOf(request);
  const { inputs, decoupled, kind } = dataPlane.metadata(ref.servable, ref.version);
  const { form, request: inference } = decodeGenerateRequest(bodyOf(request), ref, inputs);
  const headers = kind === 'runtime' ? requestHeaders(request) : undefined;
  return { decoded: { form, request: { ...inference, ...(headers && { headers }) } }, isDecoupled: decoupled };
}

/** The one response of a servable that streams. Throws NOT_ONE_RESPONSE where it gives none or several. */
export async function openForOne(
  request: InferenceRequest,
  cancellation: Cancellation,
  dataPlane: DataPlane,
): Promise<InferenceResponse> {
  const single = new SingleResponse();
  const session = dataPlane.openSession(request, { interface: 'REST', cancellation }, single);
  session.push(request);
  session.halfClose();
  try {
    return await single.response;
  } catch (error) {
    session.abort(MillraceError.from(error)); // more responses may be on their way
    throw error;
  }
}

function streamEvents(request: FastifyRequest, reply: FastifyReply, parts: RestParts): void {
  const { decoded } = decode(request, parts);
  const events = new EventStream(reply.raw, {
    encode: (response) => encodeGenerateResponse(response, decoded.form),
    failure: (error) => tritonFailure(error, { ref: undefined, body: undefined }),
    headers: reply.getHeaders() as Record<string, string>,
    gzip: false,
    onFault: (error) => {
      if (error.reason === 'INTERNAL')
        parts.logger.error({ err: error.cause ?? error, path: pathOf(request) }, 'stream failed');
    },
  });
  const context = { interface: 'REST', cancellation: revocationOf(request) } as const;
  const session = parts.dataPlane.openSession(decoded.request, context, events);
  reply.hijack();
  events.attach(session);
  session.push(decoded.request);
  session.halfClose();
}
