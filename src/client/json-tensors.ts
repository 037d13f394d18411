import { parseJson, type JsonObject, type JsonValue } from '../protocol/wire/json-reader.ts';
import { printData, printParameters } from '../protocol/wire/json-response.ts';
import { encodeBytes } from '../tensor/bytes.ts';
import { isDatatype, viewOf, type Datatype } from '../tensor/datatype.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';
import { JsonParameter, type Parameters, type ParameterValue } from '../tensor/parameters.ts';
import { expectedBytes, type Tensor } from '../tensor/tensor.ts';
import { InferenceError } from './inference-error.ts';

/** A body, and the length of its JSON where tensors follow that (KServe's binary tensor extension). */
export interface Body {
  readonly bytes: Buffer;
  readonly jsonLength: number | undefined;
}

/** @param isBinary inputs behind the JSON, and all outputs asked for that way */
export function encodeBody(request: InferenceRequest, isBinary: boolean): Body {
  const inputs = request.inputs.map((tensor) => printInput(tensor, isBinary)).join(',');
  const id = request.id === '' ? '' : `"id":${JSON.stringify(request.id)},`;
  const parameters = { ...request.parameters, ...(isBinary && request.outputs.length === 0 && ALL_BINARY) };
  const outputs = request.outputs.map((output) => {
    const own = { ...output.parameters, ...(isBinary && { binary_data: true }) };
    return `{"name":${JSON.stringify(output.name)},"parameters":${printParameters(own)}}`;
  });
  const json = `{${id}"parameters":${printParameters(parameters)},"inputs":[${inputs}]${
    outputs.length === 0 ? '' : `,"outputs":[${outputs.join(',')}]`
  }}`;
  const head = Buffer.from(json);
  if (!isBinary) return { bytes: head, jsonLength: undefined };
  return { bytes: Buffer.concat([head, ...request.inputs.map(({ data }) => data)]), jsonLength: head.length };
}

const ALL_BINARY = { binary_data_output: true };

function printInput(tensor: Tensor, isBinary: boolean): string {
  const { name, datatype, shape, data } = tensor;
  const size = isBinary ? { binary_data_size: BigInt(data.byteLength) } : {};
  const parameters = printParameters({ ...tensor.parameters, ...size });
  const head = `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"parameters":${parameters}`;
  return isBinary ? `{${head}}` : `{${head},"data":[${printData(tensor)}]}`;
}

/** @throws InferenceError INTERNAL where the server's answer is no response */
export function decodeBody({ bytes, jsonLength = bytes.length }: Body): InferenceResponse {
  const message = parse(bytes.subarray(0, jsonLength));
  const { model_name = '', model_version = '', id = '', parameters, outputs } = message;
  if (!Array.isArray(outputs)) throw malformed('it has no "outputs"');
  let at = jsonLength;
  const take = (size: number): Buffer => bytes.subarray(at, (at += size));
  return {
    servable: textOf(model_name),
    version: textOf(model_version),
    id: textOf(id),
    parameters: toParameters(parameters),
    outputs: outputs.map((output) => toTensor(asObject(output, 'an output'), take)),
  };
}

function parse(bytes: Buffer): JsonObject {
  try {
    return asObject(parseJson(bytes, Infinity), 'the body');
  } catch (error) {
    if (error instanceof InferenceError) throw error;
    throw malformed(error instanceof Error ? error.message : String(error));
  }
}

/** A tensor as JSON has it; `data` flat or nested, row-major. */
export interface JsonTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly JsonValue[];
}

/** @throws InferenceError where datatype, shape and data do not fit */
export function tensorFromJson({ name, datatype, shape, data }: JsonTensor): Tensor {
  return checkedTensor(name, datatype, shape, (type) => toBytes(type, flatten(data)));
}

function toTensor(output: JsonObject, take: (size: number) => Buffer): Tensor {
  const name = textOf(output['name'] ?? '');
  const { datatype = '', shape, data } = output;
  if (!Array.isArray(shape)) throw malformed(`tensor "${name}" has no shape`);
  const { binary_data_size: size, ...parameters } = toParameters(output['parameters']) ?? {};
  if (size === undefined && !Array.isArray(data)) throw malformed(`tensor "${name}" has no data`);
  const tensor = checkedTensor(name, textOf(datatype), shape.map(Number), (type) =>
    size === undefined ? toBytes(type, flatten(data as JsonValue[])) : take(Number(size)),
  );
  return Object.keys(parameters).length === 0 ? tensor : { ...tensor, parameters };
}

function checkedTensor(
  name: string,
  datatype: string,
  shape: readonly number[],
  bytesOf: (datatype: Datatype) => Uint8Array,
): Tensor {
  if (!isDatatype(datatype)) throw malformed(`tensor "${name}" has datatype ${JSON.stringify(datatype)}`);
  const data = bytesOf(datatype);
  const expected = expectedBytes(datatype, shape);
  if (expected !== undefined && data.byteLength !== expected) {
    throw malformed(`tensor "${name}" has ${data.byteLength} bytes, ${datatype} [${shape.join(',')}] expected`);
  }
  return { name, datatype, shape, data };
}

/** MLServer writes NaN as null. */
function toBytes(datatype: Datatype, values: readonly JsonValue[]): Uint8Array {
  if (datatype === 'BYTES')
    return encodeBytes(values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value))));
  const view = viewOf(datatype);
  const isLong = view === BigInt64Array || view === BigUint64Array;
  const numbers = values.map((value) => (isLong ? BigInt(value as bigint) : value === null ? NaN : Number(value)));
  const { buffer } = (view as unknown as { from(values: readonly unknown[]): Uint8Array }).from(numbers);
  return new Uint8Array(buffer);
}

function flatten(values: readonly JsonValue[]): readonly JsonValue[] {
  return values.some(Array.isArray)
    ? values.flatMap((value) => (Array.isArray(value) ? flatten(value) : [value]))
    : values;
}

function toParameters(value: JsonValue | undefined): Parameters | undefined {
  if (value === undefined || value === null) return undefined;
  const object = asObject(value, '"parameters"');
  return Object.fromEntries(Object.keys(object).map((key) => [key, toParameter(object[key] as JsonValue)]));
}

function toParameter(value: JsonValue): ParameterValue {
  return value === null || typeof value === 'object' ? new JsonParameter(JSON.stringify(value, plainLongs)) : value;
}

function plainLongs(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : '';
}

function asObject(value: JsonValue, what: string): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw malformed(`${what} is no object`);
  return value;
}

function malformed(problem: string): InferenceError {
  return new InferenceError('INTERNAL', `no inference response: ${problem}`);
}
