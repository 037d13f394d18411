import { MillraceError } from '../base/errors.ts';
import { checkBytes } from '../tensor/bytes.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { NO_DATA, type SharedBytes } from '../tensor/shared-bytes.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { readShared, writeShared, type Allocate, type SharedFiles } from './shared-file.ts';

/**
 * The request with its shared inputs read. Their regions must have been looked up.
 * @throws MillraceError MALFORMED_BYTES, REGION_INVALID
 */
export function readSharedInputs(
  request: InferenceRequest,
  files?: SharedFiles,
  allocate?: Allocate,
): InferenceRequest {
  if (request.inputs.every(({ shared }) => shared === undefined)) return request;
  return {
    ...request,
    inputs: request.inputs.map((input) =>
      input.shared ? withData(input, readShared(input.shared, files, allocate)) : input,
    ),
  };
}

function withData({ name, datatype, shape, parameters }: Tensor, data: Buffer): Tensor {
  if (datatype === 'BYTES') checkBytes(data, elementCount(shape), name);
  return { name, datatype, shape, data, parameters };
}

/** The request without word of shared memory, for where its outputs are written after the response. */
export function withoutSharedOutputs(request: InferenceRequest): InferenceRequest {
  if (request.outputs.every(({ shared }) => shared === undefined)) return request;
  return { ...request, outputs: request.outputs.map(({ name, parameters }) => ({ name, parameters })) };
}

/**
 * Writes the outputs that the request wants in shared memory; in the response they have no data.
 * @throws MillraceError REGION_INVALID where one is larger than its place
 */
export function writeSharedOutputs(
  request: InferenceRequest,
  response: InferenceResponse,
  files?: SharedFiles,
): InferenceResponse {
  return placeOutputs(request, response, ({ name, data }, shared) => {
    if (data.byteLength > shared.byteSize) throw tooSmall(name, shared.byteSize, data.byteLength);
    writeShared(shared, data, files);
  });
}

/** Marks the outputs of a response that another process has written to shared memory. */
export function markSharedOutputs(request: InferenceRequest, response: InferenceResponse): InferenceResponse {
  return placeOutputs(request, response, () => {});
}

function placeOutputs(
  request: InferenceRequest,
  response: InferenceResponse,
  place: (output: Tensor, shared: SharedBytes) => void,
): InferenceResponse {
  const places = new Map<string, SharedBytes>();
  for (const { name, shared } of request.outputs) if (shared !== undefined) places.set(name, shared);
  if (places.size === 0) return response;
  const outputs = response.outputs.map((output) => {
    const shared = places.get(output.name);
    if (shared === undefined) return output;
    place(output, shared);
    return { ...output, data: NO_DATA, shared };
  });
  return { ...response, outputs };
}

/** Triton's text (KServe sheet §2.5). */
function tooSmall(output: string, given: number, needed: number): MillraceError {
  return new MillraceError(
    'REGION_INVALID',
    `shared memory size specified with the request for output '${output}' (${given} bytes) should be at least ${needed} bytes to hold the results`,
    { code: 'INTERNAL', details: { tensor: output, expected: needed, actual: given } },
  );
}
