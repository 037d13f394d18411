import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { decodeRequestEnvelope, decodeResponseEnvelope, decodeStreamEnvelope } from './infer-envelope.ts';
import type { Dialect } from './infer-faults.ts';
import { toInferenceRequest, toInferenceResponse } from './infer-request.ts';

export { decodeRequestEnvelope, type InferEnvelope } from './infer-envelope.ts';
export { type Dialect } from './infer-faults.ts';
export { toInferenceRequest } from './infer-request.ts';
export {
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamError,
  encodeStreamResponse,
  encodeTypedInferResponse,
  joinParts,
  partsSize,
  type MessageParts,
} from './infer-encode.ts';

/** ModelInferRequest bytes to a checked request; raw tensor bytes stay views into `message`. */
export function decodeInferRequest(message: Buffer, dialect: Dialect = 'triton'): InferenceRequest {
  return toInferenceRequest(decodeRequestEnvelope(message), dialect);
}

/** ModelInferResponse bytes to a response; raw tensor bytes stay views into `message`. */
export function decodeInferResponse(message: Buffer): InferenceResponse {
  return toInferenceResponse(decodeResponseEnvelope(message));
}

/** One message of a ModelStreamInfer call, as a client reads it. */
export interface StreamMessage {
  /** "" unless the request was refused. */
  readonly errorMessage: string;
  readonly response: InferenceResponse | undefined;
}

/** ModelStreamInferResponse bytes. */
export function decodeStreamResponse(message: Buffer): StreamMessage {
  const { errorMessage, response } = decodeStreamEnvelope(message);
  return { errorMessage, response: response === undefined ? undefined : toInferenceResponse(response) };
}
