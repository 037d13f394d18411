import { messageOf, MillraceError } from '../base/errors.ts';
import { fromImage, type Image } from '../media/image.ts';
import { imagePacket } from '../calculators/packet-types.ts';
import { GraphError, type Packet, type PacketType } from '../graph/index.ts';
import { packetValue, type InputPort } from '../host/graph/ports.ts';
import { decodeData } from '../protocol/wire/json-data.ts';
import { missingField, readArray, readDimension, readObject, readText } from '../protocol/wire/json-fields.ts';
import { JsonReader, type JsonSlice, type JsonValue } from '../protocol/wire/json-reader.ts';
import { decodeInferenceRequest } from '../protocol/wire/json-request.ts';
import { printData } from '../protocol/wire/json-response.ts';
import { DATATYPES, isDatatype } from '../tensor/datatype.ts';
import { elementCount, type Tensor } from '../tensor/tensor.ts';
import { printTimestamp, toTimestamp } from './packet-times.ts';

/**
 * Reads one line of a packet file: `{"timestamp": µs, "value": …}`, or instead of `value` a
 * `"tensor": {"datatype", "shape", "data" | "base64"}`, or, for a stream of whole requests, `"inputs": […]` and the other
 * keys of a KServe request.
 * @param timestamp where the line gives none
 * @throws MillraceError or GraphError saying what is wrong with the line
 */
export function parsePacketLine(line: string, port: InputPort, timestamp: bigint): Packet {
  const bytes = Buffer.from(line);
  const reader = new JsonReader(bytes, 0, bytes.length, Infinity);
  let time = timestamp;
  let value: { readonly json: JsonValue } | undefined;
  let tensor: Tensor | undefined;
  let isRequest = false;
  readObject(reader, 'the packet', (key) => {
    if (key === 'timestamp') time = toTimestamp(reader.value());
    else if (key === 'value') value = { json: reader.value() };
    else if (key === 'tensor') tensor = readTensor(reader, port.name);
    else {
      isRequest ||= key === 'inputs';
      if (port.form !== 'request') throw unknownKey(key);
      reader.slice();
    }
  });
  reader.finish();
  if (tensor !== undefined) return { timestamp: time, value: packetValue(port, tensor) };
  if (value !== undefined) return { timestamp: time, value: typedValue(value.json, port.type) };
  if (!isRequest) throw missingField(port.form === 'request' ? '"inputs"' : '"value" or "tensor"');
  const { request } = decodeInferenceRequest(bytes, undefined, { servable: '', version: '' }, () => []);
  return { timestamp: time, value: request };
}

/** The JSON value in the form that packets of `type` have: integers as numbers where that is exact and accepted. */
export function typedValue(json: JsonValue, type: PacketType): unknown {
  const plain = withNumbers(json);
  if (type.accepts(plain)) return plain;
  if (typeof plain === 'number' && Number.isSafeInteger(plain) && type.accepts(BigInt(plain))) return BigInt(plain);
  throw new GraphError('INVALID_ARGUMENT', `the value ${JSON.stringify(plain)} given, ${type.name} expected`);
}

/** One line for a packet of a stream, in the form that `parsePacketLine` reads, with the stream's name first. */
export function printPacketLine(stream: string, { timestamp, value }: Packet): string {
  return `{"stream":${JSON.stringify(stream)},"timestamp":${printTimestamp(timestamp)},${printValue(stream, value)}}`;
}

function printValue(stream: string, value: unknown): string {
  if (isTensor(value)) return `"tensor":${printTensor(value)}`;
  if (imagePacket.accepts(value)) return `"tensor":${printTensor(fromImage(stream, value as Image))}`;
  if (Array.isArray(value) && value.length > 0 && value.every(isTensor)) {
    return `"tensors":[${value.map(printNamedTensor).join(',')}]`;
  }
  const outputs = (value as { readonly outputs?: unknown } | null | undefined)?.outputs;
  if (Array.isArray(outputs) && outputs.every(isTensor))
    return `"outputs":[${outputs.map(printNamedTensor).join(',')}]`;
  return `"value":${JSON.stringify(value, plainJson) ?? 'null'}`;
}

function printNamedTensor(tensor: Tensor): string {
  return `{"name":${JSON.stringify(tensor.name)},${printTensor(tensor).slice(1)}`;
}

function printTensor(tensor: Tensor): string {
  const head = `{"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(',')}]`;
  try {
    return `${head},"data":[${printData(tensor)}]}`;
  } catch {
    return `${head},"base64":"${Buffer.from(tensor.data).toString('base64')}"}`; // what has no JSON form
  }
}

function readTensor(reader: JsonReader, name: string): Tensor {
  let datatype = '';
  let shape: number[] | undefined;
  let data: JsonSlice | undefined;
  let base64: string | undefined;
  readObject(reader, '"tensor"', (key) => {
    if (key === 'datatype') datatype = readText(reader, '"datatype"');
    else if (key === 'shape') {
      const dims: number[] = [];
      readArray(reader, '"shape"', (index) => dims.push(readDimension(reader, `"shape"[${index}]`)));
      shape = dims;
    } else if (key === 'data') data = reader.slice();
    else if (key === 'base64') base64 = readText(reader, '"base64"');
    else throw unknownKey(key);
  });
  if (!isDatatype(datatype)) {
    throw new MillraceError('WRONG_DATATYPE', `"datatype" is "${datatype}", one of ${DATATYPES.join(', ')} expected`);
  }
  if (shape === undefined) throw missingField('"shape"');
  if (base64 !== undefined) return { name, datatype, shape, data: Buffer.from(base64, 'base64') };
  if (data === undefined) throw missingField('"data" or "base64"');
  const bytes = decodeData(reader.bytes, data, name, datatype, shape, elementCount(shape));
  return { name, datatype, shape, data: bytes };
}

function unknownKey(key: string): MillraceError {
  return new MillraceError(
    'MALFORMED_REQUEST',
    `unknown key "${key}"; "timestamp" with "value", "tensor" {"datatype", "shape", "data"} or, for requests, "inputs" expected`,
  );
}

function withNumbers(json: JsonValue): unknown {
  if (typeof json === 'bigint') return Number.isSafeInteger(Number(json)) ? Number(json) : json;
  if (Array.isArray(json)) return json.map(withNumbers);
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, withNumbers(value)]));
}

function plainJson(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as Uint8Array);
  return value;
}

function isTensor(value: unknown): value is Tensor {
  if (typeof value !== 'object' || value === null) return false;
  const { datatype, data } = value as Partial<Tensor>;
  return typeof datatype === 'string' && data instanceof Uint8Array;
}

/** A fault with the place of the line it is in. */
export function atLine(file: string, line: number, error: unknown): GraphError {
  return new GraphError('INVALID_ARGUMENT', `${file}:${line}: ${messageOf(error)}`, { file, line, cause: error });
}
