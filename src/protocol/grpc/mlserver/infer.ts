import type { DataPlane } from '../../../serving/data-plane.ts';
import type { InferenceRequest } from '../../../tensor/inference.ts';
import type { CloudEvents } from '../../wire/cloud-events.ts';
import {
  decodeRequestEnvelope,
  encodeInferResponse,
  encodeTypedInferResponse,
  toInferenceRequest,
  type InferEnvelope,
} from '../../wire/infer-codec.ts';
import { toMlserverError } from '../../wire/mlserver-faults.ts';
import { kindOf } from '../infer.ts';
import { FRAME_BYTES, type Call, type UnaryHandler } from '../transport.ts';

const NOBODY = { servable: '', version: '' };

/**
 * ModelInfer as MLServer has it: raw contents are answered with raw contents, typed with typed; the answer has the
 * request's id; a runtime's headers are trailing metadata.
 */
export function mlserverInferHandler(dataPlane: DataPlane, events: CloudEvents): UnaryHandler {
  return async (call) => {
    let ref = NOBODY;
    try {
      const envelope = decodeRequestEnvelope(call.request);
      ref = envelope;
      const request = readRequest(envelope, call, dataPlane);
      const context = { interface: 'gRPC', cancellation: call.cancellation } as const;
      const response = { ...(await dataPlane.infer(request, context)), id: request.id };
      call.setTrailers(events.headersOf(response));
      return encoderFor(envelope)(response, FRAME_BYTES);
    } catch (error) {
      throw toMlserverError(error, ref);
    }
  };
}

/** A request by MLServer's rules; one to a runtime has the call's metadata. */
export function readRequest(envelope: InferEnvelope, call: Call, dataPlane: DataPlane): InferenceRequest {
  const request = toInferenceRequest(envelope, 'mlserver');
  return kindOf(dataPlane, envelope) === 'runtime' ? { ...request, headers: call.headers() } : request;
}

/** How what answers a request is written. */
export function encoderFor({ raw }: InferEnvelope): typeof encodeInferResponse {
  return raw.length > 0 ? encodeInferResponse : encodeTypedInferResponse;
}
