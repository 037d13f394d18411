import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServableMetadata } from '../../../serving/data-plane.ts';
import type { InferenceRequest, InferenceResponse } from '../../../tensor/inference.ts';
import { HEADER_LENGTH, parseHeaderLength } from '../../wire/binary-extension.ts';
import type { CloudEvents } from '../../wire/cloud-events.ts';
import { decodeGenerateRequest, encodeGenerateResponse, type GenerateForm } from '../../wire/generate-json.ts';
import type { JsonRules } from '../../wire/json-fields.ts';
import { decodeInferenceRequest, type BinaryOutputs } from '../../wire/json-request.ts';
import { encodeMlserverResponse } from '../../wire/json-response.ts';
import { bodyOf } from '../body.ts';
import { acceptsGzip } from '../compression.ts';
import { cancelOnDisconnect } from '../disconnect.ts';
import { EventStream } from '../event-stream.ts';
import { revocationOf } from '../guard.ts';
import { isHeaderValue, requestHeaders, replyHeaders } from '../headers.ts';
import { sendResponse } from '../infer.ts';
import { openForOne } from '../generate.ts';
import type { RestParts } from '../parts.ts';
import { failures, InferRequest, InferResponse, jsonSchema, MODEL_PATHS, modelOf } from '../schemas.ts';
import { mlserverFailure } from './failure.ts';
import { pathOf } from '../root-path.ts';

/** Shorter answers are not worth compressing (starlette's `minimum_size`). */
const MIN_GZIP_BYTES = 500;

export interface MlserverRoutes extends RestParts {
  readonly events: CloudEvents;
  /** Compress for clients that take it. */
  readonly gzip: boolean;
}

interface Decoded {
  readonly request: InferenceRequest;
  /** Triton's flat text form is answered in kind. */
  readonly form: GenerateForm;
  readonly binaryOutputs: BinaryOutputs;
  readonly metadata: ServableMetadata;
}

/**
 * MLServer's four inference paths (its sheet, §7): `infer` and `generate` answer once, `infer_stream` and
 * `generate_stream` with an event per response. All take a V2 body; what is no V2 body is Triton's flat form, except for
 * `infer`, which takes binary tensors.
 */
export async function mlserverInferRoutes(app: FastifyInstance, parts: MlserverRoutes): Promise<void> {
  const body = jsonSchema(InferRequest);
  const answer = jsonSchema(InferResponse);
  const one = { tags: ['inference'], body, response: { 200: answer, ...failures } };
  const events = { 200: { description: 'Events', content: { 'text/event-stream': { schema: answer } } }, ...failures };
  const many = { summary: 'A stream of responses', tags: ['inference'], body, response: events };
  for (const path of MODEL_PATHS) {
    app.post(
      `${path}/infer`,
      { schema: { ...one, summary: 'One inference' }, config: { takesBinary: true } },
      (request, reply) => infer(decodeInfer(request, parts), reply, parts, request),
    );
    app.post(`${path}/generate`, { schema: { ...one, summary: 'One response' } }, (request, reply) =>
      infer(decodeGenerate(request, parts), reply, parts, request, true),
    );
    for (const name of ['infer_stream', 'generate_stream']) {
      app.post(`${path}/${name}`, { schema: many }, (request, reply) => streamEvents(request, reply, parts));
    }
  }
}

function decodeInfer(request: FastifyRequest, parts: MlserverRoutes): Decoded {
  const ref = modelOf(request);
  const metadata = parts.dataPlane.metadata(ref.servable, ref.version);
  const headerLength = parseHeaderLength(request.raw.headers[HEADER_LENGTH] as string | undefined);
  const rules = rulesFor(metadata);
  const decoded = decodeInferenceRequest(bodyOf(request), headerLength, ref, () => metadata.inputs, rules);
  return { ...complete(decoded.request, metadata, request), form: 'v2', binaryOutputs: decoded.binaryOutputs };
}

function decodeGenerate(request: FastifyRequest, parts: MlserverRoutes): Decoded {
  const ref = modelOf(request);
  const metadata = parts.dataPlane.metadata(ref.servable, ref.version);
  const { form, request: inference } = decodeGenerateRequest(bodyOf(request), ref, metadata.inputs, rulesFor(metadata));
  return { ...complete(inference, metadata, request), form, binaryOutputs: 'none' };
}

function rulesFor({ kind }: ServableMetadata): JsonRules {
  return { dialect: 'mlserver', anyParameters: kind === 'runtime' };
}

/** With an id, which all that answers it has, and for a runtime with the headers. */
function complete(
  inference: InferenceRequest,
  metadata: ServableMetadata,
  request: FastifyRequest,
): { request: InferenceRequest; metadata: ServableMetadata } {
  const id = inference.id === '' ? randomUUID() : inference.id;
  const headers = metadata.kind === 'runtime' ? requestHeaders(request) : undefined;
  return { request: { ...inference, id, ...(headers && { headers }) }, metadata };
}

/** @param takesStream a servable that streams may answer, too, if it does so once */
async function infer(
  { request, form, binaryOutputs, metadata }: Decoded,
  reply: FastifyReply,
  { dataPlane, events, gzip }: MlserverRoutes,
  { raw }: FastifyRequest,
  takesStream = false,
): Promise<FastifyReply> {
  const cancellation = cancelOnDisconnect(reply.raw);
  const answer =
    takesStream && metadata.decoupled
      ? await openForOne(request, cancellation, dataPlane)
      : await dataPlane.infer(request, { interface: 'REST', cancellation });
  const response = { ...answer, id: request.id };
  const encoded =
    form === 'flat'
      ? { json: encodeGenerateResponse(response, 'flat'), parts: [] }
      : encodeMlserverResponse(response, binaryOutputs, false);
  setHeaders(reply, events, response);
  const isWorthIt = gzip && (encoded.parts.length > 0 || Buffer.byteLength(encoded.json) >= MIN_GZIP_BYTES);
  return sendResponse(reply, encoded, isWorthIt && acceptsGzip(raw.headers['accept-encoding']) ? 'gzip' : 'identity');
}

/** MLServer's on every answer, and those that a runtime gave, which win. */
function setHeaders(reply: FastifyReply, events: CloudEvents, { servable, id, headers }: InferenceResponse): void {
  const own = events.ofServable(servable);
  // Names of servables come from files and may be any text.
  void reply.headers(isHeaderValue(servable) ? own : replyHeaders(own));
  if (isHeaderValue(id)) void reply.header('ce-id', id).header('ce-requestid', id);
  if (headers !== undefined) void reply.headers(replyHeaders(headers));
}

function streamEvents(request: FastifyRequest, reply: FastifyReply, parts: MlserverRoutes): void {
  const { request: inference, form } = decodeGenerate(request, parts);
  const ref = modelOf(request);
  const events = new EventStream(reply.raw, {
    encode: (response) => encodeEvent({ ...response, id: inference.id }, form),
    failure: (error) => mlserverFailure(error, { ref, body: undefined }),
    headers: reply.getHeaders() as Record<string, string>,
    gzip: parts.gzip && acceptsGzip(request.raw.headers['accept-encoding']),
    onFault: (error) => {
      if (error.reason === 'INTERNAL') {
        parts.logger.error({ err: error.cause ?? error, path: pathOf(request) }, 'stream failed');
      }
    },
  });
  const context = { interface: 'REST', cancellation: revocationOf(request) } as const;
  const session = parts.dataPlane.openSession(inference, context, events);
  void reply.hijack();
  events.attach(session);
  session.push(inference);
  session.halfClose();
}

function encodeEvent(response: InferenceResponse, form: GenerateForm): string {
  return form === 'flat'
    ? encodeGenerateResponse(response, 'flat')
    : encodeMlserverResponse(response, 'none', true).json;
}
