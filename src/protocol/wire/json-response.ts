import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../base/errors.ts';
import { decodeBytes } from '../../tensor/bytes.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import type { TypedArray } from '../../tensor/datatype.ts';
import { JsonParameter, Uint64, type Parameters, type ParameterValue } from '../../tensor/parameters.ts';
import { halfToNumber } from '../../tensor/half.ts';
import { elementCount, typedData, type Tensor } from '../../tensor/tensor.ts';
import type { JsonDialect } from './json-fields.ts';
import type { BinaryOutputs } from './json-request.ts';

/** A response with tensors behind its JSON: `json` is the header, `parts` follow it without separators. */
export interface EncodedResponse {
  readonly json: string;
  /** Empty: JSON only. */
  readonly parts: readonly Uint8Array[];
}

/** Keys in Triton's order: id if given, model_name, model_version, parameters, outputs. */
export function encodeInferenceResponse(response: InferenceResponse, binary: BinaryOutputs): EncodedResponse {
  const parts: Uint8Array[] = [];
  let outputs = '';
  for (const tensor of response.outputs) {
    if (outputs !== '') outputs += ',';
    outputs += encodeOutput(tensor, binary === 'all' || (binary !== 'none' && binary.has(tensor.name)), parts);
  }
  const id = response.id === '' ? '' : `"id":${JSON.stringify(response.id)},`;
  const parameters = hasKeys(response.parameters) ? `,"parameters":${printParameters(response.parameters)}` : '';
  const json = `{${id}"model_name":${JSON.stringify(response.servable)},"model_version":${JSON.stringify(response.version)}${parameters},"outputs":[${outputs}]}`;
  return { json, parts };
}

/**
 * The same in MLServer's order of keys: model_name, model_version and id where set, parameters, outputs of name, shape,
 * datatype, parameters, data (its sheet, §7).
 * @param isEvent without empty `parameters`, which its unary answers always have
 */
export function encodeMlserverResponse(
  response: InferenceResponse,
  binary: BinaryOutputs,
  isEvent: boolean,
): EncodedResponse {
  const parts: Uint8Array[] = [];
  let outputs = '';
  for (const tensor of response.outputs) {
    if (outputs !== '') outputs += ',';
    const isBinary = binary === 'all' || (binary !== 'none' && binary.has(tensor.name));
    outputs += encodeMlserverOutput(tensor, isBinary, parts);
  }
  const { servable, version, id, parameters } = response;
  let json = `{"model_name":${JSON.stringify(servable)},`;
  if (version !== '') json += `"model_version":${JSON.stringify(version)},`;
  if (id !== '') json += `"id":${JSON.stringify(id)},`;
  if (hasKeys(parameters)) json += `"parameters":${printParameters(parameters)},`;
  else if (!isEvent) json += '"parameters":{},';
  return { json: `${json}"outputs":[${outputs}]}`, parts };
}

function encodeMlserverOutput(tensor: Tensor, isBinary: boolean, parts: Uint8Array[]): string {
  const head = `{"name":${JSON.stringify(tensor.name)},"shape":[${tensor.shape.join(',')}],"datatype":"${tensor.datatype}"`;
  if (!isBinary) {
    const parameters = hasKeys(tensor.parameters) ? `,"parameters":${printParameters(tensor.parameters)}` : '';
    return `${head}${parameters},"data":[${printData(tensor, 'mlserver')}]}`;
  }
  parts.push(tensor.data);
  const parameters = { ...tensor.parameters, binary_data_size: BigInt(tensor.data.byteLength) };
  return `${head},"parameters":${printParameters(parameters)}}`;
}

function encodeOutput(tensor: Tensor, isBinary: boolean, parts: Uint8Array[]): string {
  const head = `{"name":${JSON.stringify(tensor.name)},"datatype":"${tensor.datatype}","shape":[${tensor.shape.join(',')}]`;
  // Neither data nor parameters, as Triton has it.
  if (tensor.shared !== undefined) return `${head}}`;
  if (!isBinary) {
    const parameters = hasKeys(tensor.parameters) ? `,"parameters":${printParameters(tensor.parameters)}` : '';
    return `${head}${parameters},"data":[${printData(tensor)}]}`;
  }
  parts.push(tensor.data);
  const parameters = { ...tensor.parameters, binary_data_size: BigInt(tensor.data.byteLength) };
  return `${head},"parameters":${printParameters(parameters)}}`;
}

/**
 * The elements of a tensor as JSON, joined by commas, without brackets. FP32 prints as its double; NaN and the infinities
 * as the tokens `NaN`, `Infinity`, `-Infinity`, which JSON lacks and Triton prints too; MLServer prints `null`, and FP16 as
 * numbers.
 */
export function printData(tensor: Tensor, dialect: JsonDialect = 'triton'): string {
  const { datatype, name } = tensor;
  if (datatype === 'BF16' || (datatype === 'FP16' && dialect === 'triton')) {
    throw askForBinary(name, 'WRONG_DATATYPE', `is ${datatype}, which has no JSON form`);
  }
  if (datatype === 'BYTES') {
    const elements = decodeBytes(tensor.data, elementCount(tensor.shape), name);
    return elements.map((element) => printText(element, name, dialect)).join(',');
  }
  if (datatype === 'BOOL') return Array.from(tensor.data, (value) => value !== 0).join(',');
  const values =
    datatype === 'FP16' ? Float32Array.from(typedData(tensor) as Uint16Array, halfToNumber) : typedData(tensor);
  if (dialect === 'mlserver' && hasNoJson(values)) {
    return Array.from(values, (value) => (Number.isFinite(value) ? printNumber(value) : 'null')).join(',');
  }
  // A quarter of `join`'s cost for the one-element answers that streams are made of.
  if (values.length === 1) return printNumber(values[0] ?? 0);
  return hasNegativeZero(values) ? Array.from(values, printNumber).join(',') : values.join(',');
}

function printNumber(value: number | bigint): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** Whether there is a NaN or an infinity. */
function hasNoJson(values: TypedArray): values is Float32Array | Float64Array {
  if (!(values instanceof Float32Array) && !(values instanceof Float64Array)) return false;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return true;
  return false;
}

/** `join` prints −0 as 0. */
function hasNegativeZero(values: TypedArray): values is Float32Array | Float64Array {
  if (!(values instanceof Float32Array) && !(values instanceof Float64Array)) return false;
  for (let i = 0; i < values.length; i++) if (values[i] === 0 && Object.is(values[i], -0)) return true;
  return false;
}

function printText(element: Buffer, name: string, dialect: JsonDialect): string {
  if (!isUtf8(element)) {
    const hint = dialect === 'mlserver' ? '; encode them with content type "base64"' : '';
    throw askForBinary(name, 'MALFORMED_BYTES', `holds bytes that are not valid UTF-8${hint}`);
  }
  return JSON.stringify(element.toString('utf8'));
}

function askForBinary(name: string, reason: 'WRONG_DATATYPE' | 'MALFORMED_BYTES', problem: string): MillraceError {
  return new MillraceError(
    reason,
    `output "${name}" ${problem}; ask for it in binary form ("binary_data": true on the output, or "binary_data_output": true)`,
    { details: { tensor: name } },
  );
}

export function printParameters(parameters: Parameters): string {
  let out = '';
  for (const key in parameters) {
    const value = parameters[key];
    if (value === undefined) continue;
    out += `${out === '' ? '' : ','}${JSON.stringify(key)}:${printParameter(value)}`;
  }
  return `{${out}}`;
}

export function printParameter(value: ParameterValue): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Uint64) return String(value.value);
  if (value instanceof JsonParameter) return value.text;
  // A double stays one: 1 would come back as an integer.
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e15) return value.toFixed(1);
  return String(value);
}

function hasKeys(parameters: Parameters | undefined): parameters is Parameters {
  for (const _ in parameters) return true;
  return false;
}
