import type { FastifyInstance, FastifyReply } from 'fastify';
import { HEADER_LENGTH, parseHeaderLength } from '../wire/binary-extension.ts';
import { decodeInferenceRequest } from '../wire/json-request.ts';
import { encodeInferenceResponse, type EncodedResponse } from '../wire/json-response.ts';
import { bodyOf } from './body.ts';
import { chooseEncoding, compress, type Encoding } from './compression.ts';
import { cancelOnDisconnect } from './disconnect.ts';
import { replyHeaders, requestHeaders } from './headers.ts';
import type { RestParts } from './parts.ts';
import { failures, InferRequest, InferResponse, jsonSchema, MODEL_PATHS, modelOf } from './schemas.ts';

/**
 * `POST …/infer`: one request, one response. JSON, or JSON followed by raw tensors (`Inference-Header-Content-Length`).
 * A client that disconnects cancels its request.
 */
export async function inferRoutes(app: FastifyInstance, { dataPlane }: RestParts): Promise<void> {
  const schema = {
    summary: 'One inference',
    tags: ['inference'],
    body: jsonSchema(InferRequest),
    response: { 200: jsonSchema(InferResponse), ...failures },
  };
  for (const path of MODEL_PATHS) {
    app.post(`${path}/infer`, { schema, config: { takesBinary: true } }, async (request, reply) => {
      const { headers } = request.raw;
      const headerLength = parseHeaderLength(headers[HEADER_LENGTH] as string | undefined);
      const ref = modelOf(request);
      const { request: inference, binaryOutputs } = decodeInferenceRequest(
        bodyOf(request),
        headerLength,
        ref,
        () => dataPlane.metadata(ref.servable, ref.version).inputs,
      );
      const isRuntime = dataPlane.metadata(ref.servable, ref.version).kind === 'runtime';
      const cancellation = cancelOnDisconnect(reply.raw);
      const response = await dataPlane.infer(
        isRuntime ? { ...inference, headers: requestHeaders(request) } : inference,
        { interface: 'REST', cancellation },
      );
      if (response.headers !== undefined) void reply.headers(replyHeaders(response.headers));
      const encoded = encodeInferenceResponse(response, binaryOutputs);
      const acceptEncoding = headers['accept-encoding'] as string | undefined;
      return sendResponse(reply, encoded, chooseEncoding(acceptEncoding));
    });
  }
}

/** Answers with JSON, or JSON and tensors behind it; the content type that a runtime set stays. */
export function sendResponse(
  reply: FastifyReply,
  encoded: EncodedResponse,
  encoding: Encoding,
): FastifyReply | Promise<FastifyReply> {
  const { json, parts } = encoded;
  if (parts.length === 0) {
    if (!reply.hasHeader('content-type')) void reply.header('content-type', 'application/json');
    return encoding === 'identity' ? reply.send(json) : sendCompressed(reply, Buffer.from(json), encoding);
  }
  const header = Buffer.from(json);
  reply.header('content-type', 'application/octet-stream').header(HEADER_LENGTH, header.length);
  return encoding === 'identity'
    ? sendParts(reply, header, parts)
    : sendCompressed(reply, Buffer.concat([header, ...parts]), encoding);
}

async function sendCompressed(
  reply: FastifyReply,
  body: Buffer,
  encoding: Exclude<Encoding, 'identity'>,
): Promise<FastifyReply> {
  const compressed = await compress(body, encoding);
  return reply.header('content-encoding', encoding).header('vary', 'accept-encoding').send(compressed);
}

/** Writes the tensors as they are: joining them first would copy every byte once more. */
function sendParts(reply: FastifyReply, header: Buffer, parts: readonly Uint8Array[]): FastifyReply {
  let length = header.length;
  for (const part of parts) length += part.byteLength;
  const { raw } = reply;
  const headers = reply.getHeaders();
  reply.hijack();
  raw.writeHead(200, { ...headers, 'content-length': length } as Record<string, string | number>);
  raw.write(header);
  for (const part of parts) if (part.byteLength > 0) raw.write(part);
  raw.end();
  return reply;
}
