import { MillraceError } from '../../base/errors.ts';
import { checkBytes } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, isDatatype, type Datatype } from '../../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse, RequestedOutput } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { NO_DATA } from '../../tensor/shared-bytes.ts';
import { elementCount, type Tensor } from '../../tensor/tensor.ts';
import { isEmptyContents, rawFromAnyContents } from './any-contents.ts';
import { UNSET, type EnvelopeParameters, type InferEnvelope, type TensorEnvelope } from './infer-envelope.ts';
import { FAULT_REASONS, faultText, type Dialect, type InferFault } from './infer-faults.ts';
import { refuseRepeated, refuseUnsupported } from './refusals.ts';
import { requestedOutput } from './requested-output.ts';
import { takeShared } from './shared-parameters.ts';
import { rawFromContents } from './typed-contents.ts';

/**
 * Checks a request against the rules of the protocol (not against a servable's signature) and brings every input into raw
 * form; raw bytes stay views into the message.
 */
export function toInferenceRequest(envelope: InferEnvelope, dialect: Dialect): InferenceRequest {
  const isMlserver = dialect === 'mlserver';
  for (const { name, parameters } of envelope.tensors) refuseUnsupported(`input "${name}"`, parameters, isMlserver);
  return {
    servable: envelope.servable,
    version: envelope.version,
    id: envelope.id,
    parameters: requestParameters(envelope, dialect),
    inputs: tensorsOf(envelope, dialect),
    outputs: requestedOutputs(envelope, dialect),
  };
}

/** The same for a response, as a client gets it. */
export function toInferenceResponse(envelope: InferEnvelope): InferenceResponse {
  return {
    servable: envelope.servable,
    version: envelope.version,
    id: envelope.id,
    parameters: parametersOf(envelope.parameters, envelope, 'triton', ''),
    outputs: tensorsOf(envelope, 'triton'),
  };
}

function fault(envelope: InferEnvelope, dialect: Dialect, input: string, what: InferFault): MillraceError {
  const place = { servable: envelope.servable, requestId: envelope.id, input };
  const { kind: _, ...facts } = what;
  return new MillraceError(FAULT_REASONS[what.kind], faultText(dialect, place, what), {
    details: { servable: envelope.servable, tensor: input, ...facts },
  });
}

function tensorsOf(envelope: InferEnvelope, dialect: Dialect): readonly Tensor[] {
  const { tensors } = envelope;
  const isRaw = envelope.raw.length > 0;
  if (isRaw && dialect !== 'mlserver') checkRaw(envelope, dialect);
  const raw = isRaw ? rawByTensor(envelope, dialect) : [];
  if (tensors.length > 1) checkNames(envelope, dialect);
  const out: Tensor[] = [];
  for (let i = 0; i < tensors.length; i++) {
    const tensor = tensors[i] as TensorEnvelope;
    out.push(toTensor(envelope, tensor, raw[i], dialect));
  }
  return out;
}

/** Raw entries are for the tensors that are not in shared memory; by MLServer's rule for those without contents. In order. */
function rawByTensor({ tensors, raw }: InferEnvelope, dialect: Dialect): readonly (Buffer | undefined)[] {
  let next = 0;
  if (dialect !== 'mlserver') {
    return tensors.some(isShared) ? tensors.map((tensor) => (isShared(tensor) ? undefined : raw[next++])) : raw;
  }
  return tensors.map(({ contents }) => {
    const isEmpty = contents === undefined || isEmptyContents(contents);
    return isEmpty ? raw[next++] : undefined;
  });
}

function checkNames(envelope: InferEnvelope, dialect: Dialect): void {
  const seen = new Set<string>();
  for (const { name } of envelope.tensors) {
    if (seen.has(name)) throw fault(envelope, dialect, name, { kind: 'duplicateInput' });
    seen.add(name);
  }
}

/** Raw and typed contents exclude each other. Triton ignores raw entries beyond the inputs, OVMS counts them. */
function checkRaw(envelope: InferEnvelope, dialect: Dialect): void {
  const { tensors, raw } = envelope;
  for (const tensor of tensors) {
    if (tensor.contents !== undefined) throw fault(envelope, dialect, tensor.name, { kind: 'mixed' });
  }
  const carried = tensors.some(isShared) ? tensors.filter((tensor) => !isShared(tensor)) : tensors;
  const mismatch = dialect === 'ovms' ? raw.length !== carried.length : raw.length < carried.length;
  if (mismatch) {
    const first = carried[Math.min(raw.length, carried.length - 1)]?.name ?? '';
    throw fault(envelope, dialect, first, { kind: 'rawCount', raw: raw.length, inputs: carried.length });
  }
}

function isShared({ parameters }: TensorEnvelope): boolean {
  return parameters !== undefined && 'shared_memory_region' in parameters;
}

function toTensor(envelope: InferEnvelope, tensor: TensorEnvelope, raw: Buffer | undefined, dialect: Dialect): Tensor {
  const { name, datatype, shape, contents } = tensor;
  const failed = (what: InferFault): MillraceError => fault(envelope, dialect, name, what);
  if (!isDatatype(datatype)) throw failed({ kind: 'unknownDatatype', datatype });
  checkShape(shape, datatype, failed);
  const given = parametersOf(tensor.parameters, envelope, dialect, name);
  const { shared, parameters } = takeShared(name, given);

  const count = elementCount(shape);
  if (shared !== undefined) {
    if (contents !== undefined) throw failed({ kind: 'sharedAndContents' });
    const expected = datatype === 'BYTES' ? shared.byteSize : count * DATATYPE_BYTES[datatype];
    if (shared.byteSize !== expected) throw failed({ kind: 'byteSize', expected, actual: shared.byteSize });
    return { name, datatype, shape, data: NO_DATA, parameters, shared };
  }
  let data: Uint8Array;
  if (raw !== undefined) {
    data = raw;
    checkRawSize(data, name, datatype, count, failed);
  } else if (contents !== undefined) {
    data = (dialect === 'mlserver' ? rawFromAnyContents : rawFromContents)(contents, datatype, count, failed);
  } else if (count === 0) {
    data = new Uint8Array(0);
  } else {
    throw failed({ kind: 'noData' });
  }
  return { name, datatype, shape, data, parameters };
}

function checkShape(shape: readonly number[], datatype: Datatype, failed: (what: InferFault) => MillraceError): void {
  let product = 1;
  for (const dim of shape) {
    if (dim < 0) throw failed({ kind: 'negativeDim', shape });
    if (!Number.isSafeInteger(dim)) throw failed({ kind: 'shapeTooLarge', shape });
    product *= dim;
  }
  // An inexact product is above 2^53 unless a zero dim came first or last; both orders must give the same answer.
  const isEmpty = shape.includes(0);
  if (!isEmpty && !Number.isSafeInteger(product * Math.max(1, DATATYPE_BYTES[datatype]))) {
    throw failed({ kind: 'shapeTooLarge', shape });
  }
}

function checkRawSize(
  data: Uint8Array,
  name: string,
  datatype: Datatype,
  count: number,
  failed: (what: InferFault) => MillraceError,
): void {
  if (datatype === 'BYTES') {
    checkBytes(data, count, name);
    return;
  }
  const expected = count * DATATYPE_BYTES[datatype];
  if (data.byteLength !== expected) throw failed({ kind: 'byteSize', expected, actual: data.byteLength });
}

/** Graphs take any parameter, as side packets, and so does MLServer; elsewhere `triton_*` is reserved (KServe sheet §1.3). */
function requestParameters(envelope: InferEnvelope, dialect: Dialect): Parameters | undefined {
  const parameters = parametersOf(envelope.parameters, envelope, dialect, '');
  if (parameters === undefined || dialect !== 'triton') return parameters;
  for (const [name, value] of Object.entries(parameters)) {
    const isAllowed = name === 'triton_enable_empty_final_response' && typeof value === 'boolean';
    if (name.startsWith('triton_') && !isAllowed) {
      throw fault(envelope, dialect, '', { kind: 'reservedParameter', parameter: name });
    }
  }
  return parameters;
}

function parametersOf(
  parameters: EnvelopeParameters | undefined,
  envelope: InferEnvelope,
  dialect: Dialect,
  input: string,
): Parameters | undefined {
  if (parameters === undefined) return undefined;
  for (const name of Object.keys(parameters)) {
    if (parameters[name] === UNSET) throw fault(envelope, dialect, input, { kind: 'unsetParameter', parameter: name });
  }
  return parameters as Parameters;
}

function requestedOutputs(envelope: InferEnvelope, dialect: Dialect): readonly RequestedOutput[] {
  if (envelope.outputs.length === 0) return [];
  const names = new Set<string>();
  return envelope.outputs.map(({ name, parameters }) => {
    refuseRepeated(name, names);
    refuseUnsupported(`output "${name}"`, parameters, dialect === 'mlserver');
    if (parameters === undefined) return { name };
    return requestedOutput(name, parametersOf(parameters, envelope, dialect, name), false);
  });
}
