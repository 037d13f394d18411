import { MillraceError } from '../../base/errors.ts';
import type { DataPlane, ServableKind } from '../../serving/data-plane.ts';
import type { InferenceRequest } from '../../tensor/inference.ts';
import {
  decodeRequestEnvelope,
  encodeInferResponse,
  toInferenceRequest,
  type InferEnvelope,
} from '../wire/infer-codec.ts';
import { FRAME_BYTES, type UnaryHandler } from './transport.ts';

/** ModelInfer: one request, one response; a runtime gets and gives metadata. Decoupled servables are refused by the data plane. */
export function inferHandler(dataPlane: DataPlane): UnaryHandler {
  return async (call) => {
    const envelope = decodeRequestEnvelope(call.request);
    const isRuntime = kindOf(dataPlane, envelope) === 'runtime';
    const checkedRequest = checked(envelope, dataPlane);
    const request = isRuntime ? { ...checkedRequest, headers: call.headers() } : checkedRequest;
    const response = await dataPlane.infer(request, { interface: 'gRPC', cancellation: call.cancellation });
    if (response.headers !== undefined) call.setTrailers(response.headers);
    return encodeInferResponse(response, FRAME_BYTES);
  };
}

/** The servable's kind is looked up only where the answer depends on it. */
function checked(envelope: InferEnvelope, dataPlane: DataPlane): InferenceRequest {
  const isGraph = (): boolean => kindOf(dataPlane, envelope) === 'graph';
  try {
    const hasSurplus = envelope.raw.length > envelope.tensors.length; // which Triton ignores, and OVMS refuses
    return toInferenceRequest(envelope, hasSurplus && isGraph() ? 'ovms' : 'triton');
  } catch (error) {
    if (!isGraph()) throw error;
    return toInferenceRequest(envelope, 'ovms');
  }
}

/** The kind of the servable that a request names; undefined when there is none. */
export function kindOf(dataPlane: DataPlane, envelope: InferEnvelope): ServableKind | undefined {
  try {
    return dataPlane.kind(envelope.servable, envelope.version);
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}
