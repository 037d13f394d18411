import type { Reason } from '../../base/errors.ts';

/**
 * By whose rules a request is read, and its faults reported: OVMS's where the servable is a graph, else Triton's;
 * MLServer's, which takes more, on a port of its own.
 */
export type Dialect = 'triton' | 'ovms' | 'mlserver';

/** What is wrong with a request, as data; `servable`, `requestId` and `input` name the place. */
export type InferFault =
  | { readonly kind: 'mixed' }
  | { readonly kind: 'sharedAndContents' }
  | { readonly kind: 'rawCount'; readonly raw: number; readonly inputs: number }
  | { readonly kind: 'noData' }
  | { readonly kind: 'duplicateInput' }
  | { readonly kind: 'unknownDatatype'; readonly datatype: string }
  | { readonly kind: 'negativeDim'; readonly shape: readonly number[] }
  | { readonly kind: 'shapeTooLarge'; readonly shape: readonly number[] }
  | { readonly kind: 'byteSize'; readonly expected: number; readonly actual: number }
  | { readonly kind: 'valueCount'; readonly expected: number; readonly actual: number; readonly elementBytes: number }
  | { readonly kind: 'wrongTypedList'; readonly list: string; readonly datatype: string }
  | { readonly kind: 'valueOutOfRange'; readonly value: number; readonly index: number; readonly datatype: string }
  | { readonly kind: 'unsetParameter'; readonly parameter: string }
  | { readonly kind: 'reservedParameter'; readonly parameter: string };

export type FaultKind = InferFault['kind'];

export interface FaultPlace {
  readonly servable: string;
  readonly requestId: string;
  readonly input: string;
}

export const FAULT_REASONS = {
  mixed: 'CONTENTS_MIXED',
  sharedAndContents: 'CONTENTS_MIXED',
  rawCount: 'MISSING_INPUT',
  noData: 'MISSING_INPUT',
  duplicateInput: 'DUPLICATE_INPUT',
  unknownDatatype: 'WRONG_DATATYPE',
  negativeDim: 'WRONG_SHAPE',
  shapeTooLarge: 'WRONG_SHAPE',
  byteSize: 'WRONG_BYTE_SIZE',
  valueCount: 'WRONG_BYTE_SIZE',
  wrongTypedList: 'WRONG_DATATYPE',
  valueOutOfRange: 'WRONG_DATATYPE',
  unsetParameter: 'INVALID_PARAMETER',
  reservedParameter: 'INVALID_PARAMETER',
} as const satisfies Record<FaultKind, Reason>;

type Texts = {
  readonly [K in FaultKind]: (place: FaultPlace, fault: Extract<InferFault, { kind: K }>) => string;
};

const dims = (shape: readonly number[]): string => `[${shape.join(',')}]`;
const ofRequest = ({ requestId }: FaultPlace): string =>
  `[request id: ${requestId === '' ? '<id_unknown>' : requestId}] `;
const ofInput = ({ input, servable }: FaultPlace): string => `input '${input}' for model '${servable}'`;
const ovmsMixed =
  'Passing buffers both in ModelInferRequest::InferInputTensor::contents and in ModelInferRequest::raw_input_contents is not allowed';

/** Texts that neither system has. */
const OURS = {
  sharedAndContents: ({ input, servable }) =>
    `unexpected 'content' provided when using shared memory for input tensor '${input}' for model '${servable}'`,
  valueOutOfRange: ({ input }, { value, index, datatype }) =>
    `value ${value} at index ${index} of input '${input}' does not fit ${datatype}`,
  unsetParameter: (_, { parameter }) =>
    `parameter '${parameter}' has no value; bool, int64, string, double or uint64 expected`,
  reservedParameter: (_, { parameter }) =>
    `parameter keys starting with 'triton_' are reserved for Triton usage; only 'triton_enable_empty_final_response' (bool) is allowed, got '${parameter}'`,
} as const satisfies Partial<Texts>;

/** KServe sheet §2.5. */
const TRITON: Texts = {
  ...OURS,
  mixed: ({ input, servable }) =>
    `contents field must not be specified when using raw_input_contents for '${input}' for model '${servable}'`,
  rawCount: ({ input, servable }) =>
    `unable to find data for input tensor '${input}' for model '${servable}' in request.`,
  noData: ({ input, servable }) =>
    `unable to find data for input tensor '${input}' for model '${servable}' in request.`,
  duplicateInput: (place) => `${ofRequest(place)}input '${place.input}' already exists in request`,
  unknownDatatype: (place, { datatype }) =>
    `${ofRequest(place)}inference ${ofInput(place)} has unknown data-type '${datatype}'`,
  negativeDim: (place, { shape }) =>
    `${ofRequest(place)}All input dimensions should be specified for ${ofInput(place)}, got ${dims(shape)}`,
  shapeTooLarge: (place, { shape }) =>
    `${ofRequest(place)}shape ${dims(shape)} of ${ofInput(place)} has more bytes than can be addressed`,
  byteSize: (place, { expected, actual }) =>
    `${ofRequest(place)}input byte size mismatch for ${ofInput(place)}. Expected ${expected}, got ${actual}`,
  valueCount: (place, { expected, actual, elementBytes }) =>
    elementBytes === 0
      ? `expected ${expected} string elements for inference input '${place.input}', got ${actual}`
      : TRITON.byteSize(place, { kind: 'byteSize', expected: expected * elementBytes, actual: actual * elementBytes }),
  wrongTypedList: (place, { list, datatype }) =>
    `unexpected explicit tensor data for input tensor '${place.input}' for model '${place.servable}' of type '${list}', expected datatype '${datatype}'`,
};

/** OVMS sheet §1.3: `<message of the code> - <details>`. */
const OVMS: Texts = {
  ...OURS,
  mixed: () => ovmsMixed,
  rawCount: (_, { raw, inputs }) =>
    `${ovmsMixed} - Size of raw_input_contents: ${raw} is different than number of inputs: ${inputs}`,
  noData: ({ input }) => `Invalid number of values in tensor proto container - input name: ${input}`,
  duplicateInput: ({ input }) => `Unexpected input - ${input} is given more than once`,
  unknownDatatype: ({ input }, { datatype }) =>
    `Invalid input precision - Unknown datatype: ${datatype}; input name: ${input}`,
  negativeDim: ({ input }, { shape }) =>
    `Invalid input shape - Negative dimension size is not acceptable: (${shape.join(',')}); input name: ${input}`,
  shapeTooLarge: ({ input }) =>
    `Invalid content size of tensor proto - Provided shape and datatype declare too large buffer; input name: ${input}`,
  byteSize: ({ input }, { expected, actual }) =>
    `Invalid content size of tensor proto - Expected: ${expected} bytes; Actual: ${actual} bytes; input name: ${input}`,
  valueCount: ({ input }, { expected, actual }) =>
    `Invalid number of values in tensor proto container - Expected: ${expected} values; Actual: ${actual} values; input name: ${input}`,
  wrongTypedList: ({ input }, { list, datatype }) =>
    `Invalid input precision - Expected: ${datatype} values; Actual: ${list} values; input name: ${input}`,
};

/** MLServer's own are those of the libraries that it is made of. */
const TEXTS: Record<Dialect, Texts> = { triton: TRITON, ovms: OVMS, mlserver: TRITON };

/** The text of a fault in a dialect. */
export function faultText(dialect: Dialect, place: FaultPlace, fault: InferFault): string {
  const text = TEXTS[dialect][fault.kind] as (place: FaultPlace, fault: InferFault) => string;
  return text(place, fault);
}
