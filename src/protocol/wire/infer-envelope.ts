import { MillraceError } from '../../base/errors.ts';
import { Uint64, type ParameterValue } from '../../tensor/parameters.ts';
import { MAX_RANK, tooManyDims } from '../../tensor/tensor.ts';
import { ProtoReader } from './proto-reader.ts';

/** Tensors, raw contents, requested outputs and parameters of one message, together: each may be two bytes there and an object here. */
const MAX_ENTRIES = 131_072;

/** A parameter whose oneof is not set, which the wire allows and no server does. */
export const UNSET = Symbol('unset parameter');

export type EnvelopeParameters = Record<string, ParameterValue | typeof UNSET>;

/** An input or output tensor as it stands on the wire, nothing checked. */
export interface TensorEnvelope {
  readonly name: string;
  readonly datatype: string;
  /** Dims beyond 2^53 are there as the nearest number, so `Number.isSafeInteger` finds them. */
  readonly shape: readonly number[];
  readonly parameters: EnvelopeParameters | undefined;
  /** The `InferTensorContents` message, not decoded; undefined where absent. */
  readonly contents: Buffer | undefined;
}

export interface RequestedOutputEnvelope {
  readonly name: string;
  readonly parameters: EnvelopeParameters | undefined;
}

/** A ModelInferRequest or ModelInferResponse as it stands on the wire: every byte range a view into the message. */
export interface InferEnvelope {
  readonly servable: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: EnvelopeParameters | undefined;
  /** `inputs` of a request, `outputs` of a response. */
  readonly tensors: readonly TensorEnvelope[];
  /** Requested outputs; empty in a response. */
  readonly outputs: readonly RequestedOutputEnvelope[];
  readonly raw: readonly Buffer[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Decodes a ModelInferRequest. Throws MALFORMED_REQUEST when the bytes are none. */
export function decodeRequestEnvelope(message: Buffer): InferEnvelope {
  return decodeEnvelope(new EnvelopeReader(message), true);
}

/** Decodes a ModelInferResponse. Throws MALFORMED_REQUEST when the bytes are none. */
export function decodeResponseEnvelope(message: Buffer): InferEnvelope {
  return decodeEnvelope(new EnvelopeReader(message), false);
}

/** Counts what the message makes the decoder build. */
class EnvelopeReader extends ProtoReader {
  #entries = 0;

  /** Call before each entry. Throws REQUEST_TOO_LARGE above `MAX_ENTRIES`. */
  countEntry(): void {
    if (++this.#entries <= MAX_ENTRIES) return;
    throw new MillraceError(
      'REQUEST_TOO_LARGE',
      `more than ${MAX_ENTRIES} tensors, raw contents, requested outputs and parameters in one message`,
      { details: { expected: MAX_ENTRIES } },
    );
  }
}

/** The messages differ only in fields 6 and 7: requested outputs and raw contents, or raw contents. */
function decodeEnvelope(reader: EnvelopeReader, isRequest: boolean): InferEnvelope {
  const tensors: TensorEnvelope[] = [];
  const outputs: RequestedOutputEnvelope[] = [];
  const raw: Buffer[] = [];
  const envelope: Mutable<InferEnvelope> = {
    servable: '',
    version: '',
    id: '',
    parameters: undefined,
    tensors,
    outputs,
    raw,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) envelope.servable = reader.string();
    else if (tag === 18) envelope.version = reader.string();
    else if (tag === 26) envelope.id = reader.string();
    else if (tag === 34) readParameter(reader, (envelope.parameters ??= emptyParameters()));
    else if (tag === 42) tensors.push(readTensor(reader));
    else if (tag === 50 && isRequest) outputs.push(readRequestedOutput(reader));
    else if (tag === (isRequest ? 58 : 50)) {
      reader.countEntry();
      raw.push(reader.bytes());
    } else reader.skip(tag);
  }
  return envelope;
}

function readTensor(reader: EnvelopeReader): TensorEnvelope {
  reader.countEntry();
  const outer = reader.enter();
  const shape: number[] = [];
  const tensor: Mutable<TensorEnvelope> = {
    name: '',
    datatype: '',
    shape,
    parameters: undefined,
    contents: undefined,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) tensor.name = reader.string();
    else if (tag === 18) tensor.datatype = reader.string();
    else if (tag === 24) readDim(reader, shape);
    else if (tag === 26) readPackedShape(reader, shape);
    else if (tag === 34) readParameter(reader, (tensor.parameters ??= emptyParameters()));
    else if (tag === 42) {
      // A message field given twice merges, and merging is concatenation on the wire.
      const contents = reader.bytes();
      tensor.contents = tensor.contents === undefined ? contents : Buffer.concat([tensor.contents, contents]);
    } else reader.skip(tag);
  }
  reader.leave(outer);
  return tensor;
}

function readDim(reader: EnvelopeReader, shape: number[]): void {
  if (shape.length === MAX_RANK) throw tooManyDims();
  shape.push(reader.int64());
}

function readPackedShape(reader: EnvelopeReader, shape: number[]): void {
  const outer = reader.enter();
  while (reader.pos < reader.end) readDim(reader, shape);
  reader.leave(outer);
}

function readRequestedOutput(reader: EnvelopeReader): RequestedOutputEnvelope {
  reader.countEntry();
  const outer = reader.enter();
  const output: Mutable<RequestedOutputEnvelope> = { name: '', parameters: undefined };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) output.name = reader.string();
    else if (tag === 18) readParameter(reader, (output.parameters ??= emptyParameters()));
    else reader.skip(tag);
  }
  reader.leave(outer);
  return output;
}

/** One entry of a `map<string, InferParameter>`; a later entry of the same key wins. */
function readParameter(reader: EnvelopeReader, into: EnvelopeParameters): void {
  reader.countEntry();
  const outer = reader.enter();
  let key = '';
  let value: ParameterValue | typeof UNSET = UNSET;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = readParameterValue(reader, value);
    else reader.skip(tag);
  }
  reader.leave(outer);
  into[key] = value;
}

function readParameterValue(reader: ProtoReader, before: ParameterValue | typeof UNSET): ParameterValue | typeof UNSET {
  const outer = reader.enter();
  let value = before;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8) value = reader.bool();
    else if (tag === 16) value = reader.int64Exact();
    else if (tag === 26) value = reader.string();
    else if (tag === 33) value = reader.double();
    else if (tag === 40) value = new Uint64(reader.uint64Exact());
    else reader.skip(tag);
  }
  reader.leave(outer);
  return value;
}

/** No prototype: a parameter may be called `__proto__`. */
function emptyParameters(): EnvelopeParameters {
  return Object.create(null) as EnvelopeParameters;
}

/** What a ModelStreamInferResponse holds. */
export interface StreamEnvelope {
  readonly errorMessage: string;
  readonly response: InferEnvelope | undefined;
}

/** Decodes a ModelStreamInferResponse. Throws MALFORMED_REQUEST when the bytes are none. */
export function decodeStreamEnvelope(message: Buffer): StreamEnvelope {
  const reader = new ProtoReader(message);
  let errorMessage = '';
  let response: Buffer | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) errorMessage = reader.string();
    else if (tag === 18) {
      const bytes = reader.bytes();
      response = response === undefined ? bytes : Buffer.concat([response, bytes]);
    } else reader.skip(tag);
  }
  return { errorMessage, response: response === undefined ? undefined : decodeResponseEnvelope(response) };
}
