import type { InferenceRequest, InferenceResponse, RequestedOutput } from '../../tensor/inference.ts';
import { JsonParameter, Uint64, type Parameters, type ParameterValue } from '../../tensor/parameters.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { big64Size, fieldSize, int64Size, ProtoWriter, stringFieldSize, textSize } from './proto-writer.ts';
import { typedContents, type TypedContents } from './typed-encode.ts';

/** A tensor of at least this many bytes is passed on by reference; copying fewer is cheaper than one more write. */
const BY_REFERENCE_BYTES = 8192;

/**
 * A message in pieces, to be sent one after another: heads of our own making, and tensors by reference. The first piece
 * starts with `reserve` free bytes, for a transport's frame header.
 */
export type MessageParts = readonly Uint8Array[];

/** What the three messages have in common; `rawTag` is field 6 or 7. */
interface MessageShape {
  readonly servable: string;
  readonly version: string;
  readonly id: string;
  readonly parameters: Parameters | undefined;
  readonly tensors: readonly Tensor[];
  readonly requested: readonly RequestedOutput[];
  readonly rawTag: number;
  /** Elements in `contents` of their tensor, and none raw. */
  readonly isTyped?: boolean;
}

/** A ModelInferResponse; outputs always raw, one entry per output, also for empty ones. */
export function encodeInferResponse(response: InferenceResponse, reserve = 0): MessageParts {
  const shape = responseShape(response);
  const sizes = new Sizes(shape);
  return write(shape, sizes, sizes.message, reserve, undefined);
}

/** A ModelInferResponse whose outputs have typed contents. */
export function encodeTypedInferResponse(response: InferenceResponse, reserve = 0): MessageParts {
  const shape = { ...responseShape(response), isTyped: true };
  const sizes = new Sizes(shape);
  return write(shape, sizes, sizes.message, reserve, undefined);
}

/** A ModelStreamInferResponse around a response. */
export function encodeStreamResponse(response: InferenceResponse, reserve = 0): MessageParts {
  const shape = responseShape(response);
  const sizes = new Sizes(shape);
  return write(shape, sizes, fieldSize(sizes.message), reserve, sizes.message);
}

/**
 * A ModelStreamInferResponse that reports a refused request: the text and the request's id.
 * Clients take an empty text for success, so an empty one is replaced.
 */
export function encodeStreamError(requestId: string, text: string, reserve = 0): MessageParts {
  const message = text === '' ? 'request failed' : text;
  const inner = stringFieldSize(requestId);
  const writer = new ProtoWriter(Buffer.allocUnsafe(reserve + stringFieldSize(message) + fieldSize(inner)), reserve);
  writer.textField(10, message);
  writer.open(18, inner);
  writer.stringField(26, requestId);
  return [writer.buffer];
}

/** A ModelInferRequest in raw form, as our client sends it. */
export function encodeInferRequest(request: InferenceRequest, reserve = 0): MessageParts {
  const shape: MessageShape = {
    ...request,
    parameters: request.parameters,
    tensors: request.inputs,
    requested: request.outputs,
    rawTag: 58,
  };
  const sizes = new Sizes(shape);
  return write(shape, sizes, sizes.message, reserve, undefined);
}

/** The pieces as one buffer. */
export function joinParts(parts: MessageParts): Buffer {
  const [first] = parts;
  if (parts.length === 1 && Buffer.isBuffer(first)) return first;
  return Buffer.concat(parts);
}

function responseShape(response: InferenceResponse): MessageShape {
  return {
    servable: response.servable,
    version: response.version,
    id: response.id,
    parameters: response.parameters,
    tensors: response.outputs,
    requested: [],
    rawTag: 50,
  };
}

/** Every length of a message, computed once, before anything is written. */
class Sizes {
  /** Content of each tensor's message. */
  readonly tensors: number[] = [];
  /** Of each tensor; empty unless the message is typed. */
  readonly contents: TypedContents[] = [];
  /** Content of each requested output's message. */
  readonly requested: number[] = [];
  readonly message: number;
  /** Of `message`, bytes that go into pieces by reference. */
  readonly referenced: number;

  constructor(shape: MessageShape) {
    let size = stringFieldSize(shape.servable) + stringFieldSize(shape.version) + stringFieldSize(shape.id);
    size += parametersSize(shape.parameters);
    let referenced = 0;
    for (const tensor of shape.tensors) {
      let content = tensorSize(tensor);
      if (shape.isTyped === true) {
        const contents = typedContents(tensor);
        this.contents.push(contents);
        content += fieldSize(contents.size);
        this.tensors.push(content);
        size += fieldSize(content);
        continue;
      }
      this.tensors.push(content);
      const bytes = tensor.data.byteLength;
      size += fieldSize(content) + fieldSize(bytes);
      if (bytes >= BY_REFERENCE_BYTES) referenced += bytes;
    }
    for (const output of shape.requested) {
      const content = stringFieldSize(output.name) + parametersSize(output.parameters);
      this.requested.push(content);
      size += fieldSize(content);
    }
    this.message = size;
    this.referenced = referenced;
  }
}

/** @param wrapped length of the message inside a ModelStreamInferResponse; undefined without that wrapper */
function write(
  shape: MessageShape,
  sizes: Sizes,
  total: number,
  reserve: number,
  wrapped: number | undefined,
): MessageParts {
  const writer = new ProtoWriter(Buffer.allocUnsafe(reserve + total - sizes.referenced), reserve);
  if (wrapped !== undefined) writer.open(18, wrapped);
  writer.stringField(10, shape.servable);
  writer.stringField(18, shape.version);
  writer.stringField(26, shape.id);
  writeParameters(writer, 34, shape.parameters);
  for (let i = 0; i < shape.tensors.length; i++) {
    writer.open(42, sizes.tensors[i] as number);
    writeTensor(writer, shape.tensors[i] as Tensor);
    const contents = sizes.contents[i];
    if (contents === undefined) continue;
    writer.open(42, contents.size);
    contents.write(writer);
  }
  for (let i = 0; i < shape.requested.length; i++) {
    const output = shape.requested[i] as RequestedOutput;
    writer.open(50, sizes.requested[i] as number);
    writer.stringField(10, output.name);
    writeParameters(writer, 18, output.parameters);
  }
  return shape.isTyped === true ? [writer.buffer] : writeRaw(writer, shape);
}

function writeRaw(writer: ProtoWriter, shape: MessageShape): MessageParts {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { data } of shape.tensors) {
    writer.open(shape.rawTag, data.byteLength);
    if (data.byteLength < BY_REFERENCE_BYTES) {
      writer.raw(data);
    } else {
      parts.push(writer.buffer.subarray(from, writer.pos), data);
      from = writer.pos;
    }
  }
  if (from === 0) return [writer.buffer];
  if (from < writer.pos) parts.push(writer.buffer.subarray(from, writer.pos));
  return parts;
}

function shapeSize(shape: readonly number[]): number {
  let size = 0;
  for (const dim of shape) size += int64Size(dim);
  return size;
}

function tensorSize(tensor: Tensor): number {
  const shape = shapeSize(tensor.shape);
  return (
    stringFieldSize(tensor.name) +
    stringFieldSize(tensor.datatype) +
    (shape === 0 ? 0 : fieldSize(shape)) +
    parametersSize(tensor.parameters)
  );
}

function writeTensor(writer: ProtoWriter, tensor: Tensor): void {
  writer.stringField(10, tensor.name);
  writer.stringField(18, tensor.datatype);
  if (tensor.shape.length > 0) {
    writer.open(26, shapeSize(tensor.shape));
    for (const dim of tensor.shape) writer.int64(dim);
  }
  writeParameters(writer, 34, tensor.parameters);
}

/** Protobuf has no JSON values: such parameters are left out, as MLServer does (its sheet, §2). */
type WireValue = Exclude<ParameterValue, JsonParameter>;

/** Content of an `InferParameter`; a oneof is written also where it holds its type's zero. */
function valueSize(value: WireValue): number {
  if (typeof value === 'boolean') return 2;
  if (typeof value === 'number') return 9;
  if (typeof value === 'string') return fieldSize(textSize(value));
  return 1 + big64Size(value instanceof Uint64 ? value.value : value);
}

function entrySize(key: string, value: WireValue): number {
  return stringFieldSize(key) + fieldSize(valueSize(value));
}

function parametersSize(parameters: Parameters | undefined): number {
  if (parameters === undefined) return 0;
  let size = 0;
  for (const key in parameters) {
    const value = parameters[key] as ParameterValue;
    if (!(value instanceof JsonParameter)) size += fieldSize(entrySize(key, value));
  }
  return size;
}

function writeParameters(writer: ProtoWriter, tag: number, parameters: Parameters | undefined): void {
  if (parameters === undefined) return;
  for (const key in parameters) {
    const value = parameters[key] as ParameterValue;
    if (value instanceof JsonParameter) continue;
    writer.open(tag, entrySize(key, value));
    writer.stringField(10, key);
    writer.open(18, valueSize(value));
    writeValue(writer, value);
  }
}

function writeValue(writer: ProtoWriter, value: WireValue): void {
  if (typeof value === 'boolean') {
    writer.byte(8);
    writer.byte(value ? 1 : 0);
  } else if (typeof value === 'number') {
    writer.byte(33);
    writer.double(value);
  } else if (typeof value === 'string') {
    writer.textField(26, value);
  } else if (value instanceof Uint64) {
    writer.byte(40);
    writer.big64(value.value);
  } else {
    writer.byte(16);
    writer.big64(value);
  }
}

/** Bytes of all pieces together, `reserve` included. */
export function partsSize(parts: MessageParts): number {
  let size = 0;
  for (const part of parts) size += part.byteLength;
  return size;
}
