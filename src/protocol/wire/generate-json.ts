import { MillraceError } from '../../base/errors.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import type { ParameterValue } from '../../tensor/parameters.ts';
import { elementCount, type Tensor, type TensorSpec } from '../../tensor/tensor.ts';
import { countElements, decodeData } from './json-data.ts';
import {
  emptyParameters,
  invalidParameter,
  isParameter,
  PARAMETER_TYPES,
  readObject,
  readText,
  TRITON_RULES,
  type JsonRules,
} from './json-fields.ts';
import { JsonReader, type JsonSlice } from './json-reader.ts';
import { decodeInferenceRequest, type ServableRef } from './json-request.ts';
import { encodeInferenceResponse, printData, printParameter } from './json-response.ts';
import { datatypeOf } from './spec-datatype.ts';

/** `flat`: Triton's one key per tensor. `v2`: a whole inference request, as MLServer and the OIP's aliases take. */
export type GenerateForm = 'flat' | 'v2';

export interface GenerateRequest {
  readonly form: GenerateForm;
  readonly request: InferenceRequest;
}

/**
 * Reads the body of `generate` and `generate_stream`. It is in V2 form when `inputs` is an array of objects; otherwise
 * every key, and every key inside `parameters`, is an input of the servable or a request parameter.
 */
export function decodeGenerateRequest(
  body: Buffer,
  ref: ServableRef,
  inputs: readonly TensorSpec[],
  rules: JsonRules = TRITON_RULES,
): GenerateRequest {
  if (isV2Form(body) || (rules.dialect === 'mlserver' && !namesOne(body, inputs))) {
    return { form: 'v2', request: decodeInferenceRequest(body, undefined, ref, () => inputs, rules).request };
  }
  return { form: 'flat', request: decodeFlat(body, ref, inputs) };
}

/** Whether it can be the flat form: MLServer's paths take V2, and what is neither should be told as faulty V2. */
function namesOne(body: Buffer, inputs: readonly TensorSpec[]): boolean {
  return inputs.some(({ name }) => body.includes(JSON.stringify(name)));
}

function isV2Form(body: Buffer): boolean {
  if (!body.includes('"inputs"')) return false;
  const reader = new JsonReader(body);
  let isV2 = false;
  readObject(reader, 'the request body', (key) => {
    if (key !== 'inputs' || reader.peek() !== 91) {
      reader.slice();
      return;
    }
    const { start, end } = reader.slice();
    const first = new JsonReader(body, start + 1, end).peek();
    isV2 = first === 123 || first === 93;
  });
  return isV2;
}

function decodeFlat(body: Buffer, ref: ServableRef, specs: readonly TensorSpec[]): InferenceRequest {
  const reader = new JsonReader(body);
  const inputs: Tensor[] = [];
  const parameters = emptyParameters();
  let id = '';
  const take = (key: string, prefix: string): void => {
    const spec = specs.find((candidate) => candidate.name === key);
    if (spec === undefined) {
      const value = reader.value();
      if (!isParameter(value)) throw prefixed(prefix, invalidParameter(key, value, PARAMETER_TYPES));
      parameters[key] = value;
      return;
    }
    if (inputs.some((input) => input.name === key)) {
      throw new MillraceError('DUPLICATE_INPUT', `${prefix}input '${key}' already exists in request`, {
        details: { tensor: key },
      });
    }
    inputs.push(toTensor(body, reader.slice(), spec, ref.servable));
  };
  readObject(reader, 'the request body', (key) => {
    if (key === 'id') id = readText(reader, '"id"');
    else if (key === 'parameters' && !specs.some((spec) => spec.name === key)) {
      readObject(reader, '"parameters"', (inner) => take(inner, "Converting keyword: 'parameters': "));
    } else take(key, '');
  });
  reader.finish();
  return { servable: ref.servable, version: ref.version, id, parameters: noneIfEmpty(parameters), inputs, outputs: [] };
}

/** A scalar or an array, row-major however it nests; the shape follows from the metadata. */
function toTensor(body: Buffer, slice: JsonSlice, spec: TensorSpec, servable: string): Tensor {
  const { name } = spec;
  const datatype = datatypeOf(spec, servable);
  const isArray = body[slice.start] === 91;
  // A scalar is an array of one: the same reader checks it.
  const bytes = isArray ? body : Buffer.concat([OPEN, body.subarray(slice.start, slice.end), CLOSE]);
  const all = isArray ? slice : { start: 0, end: bytes.length };
  const count = isArray ? countElements({ bytes, slice: all }) : 1;
  const shape = shapeFor(spec, count);
  return { name, datatype, shape, data: decodeData(bytes, all, name, datatype, shape, count) };
}

const OPEN = Buffer.from('[');
const CLOSE = Buffer.from(']');

/** Fixed dimensions must divide the count; the innermost open one takes the rest, the others become 1 (KServe sheet §3.2). */
function shapeFor(spec: TensorSpec, count: number): number[] {
  const fixed = elementCount(spec.shape.filter((dim) => dim >= 0));
  const innermost = spec.shape.lastIndexOf(-1);
  const rest = fixed === 0 ? (count === 0 ? 0 : NaN) : count / fixed;
  if (!Number.isInteger(rest) || (innermost < 0 && rest !== 1 && !(fixed === 0 && count === 0))) {
    throw new MillraceError(
      'WRONG_SHAPE',
      `The schema can not convert input '${spec.name}' to tensor with proper shape: ${count} elements given, [${spec.shape.join(',')}] expected`,
      { details: { tensor: spec.name, actual: count, expected: [...spec.shape] } },
    );
  }
  return spec.shape.map((dim, i) => (dim >= 0 ? dim : i === innermost ? rest : 1));
}

/** One response in the form of its request, on one line. */
export function encodeGenerateResponse(response: InferenceResponse, form: GenerateForm): string {
  if (form === 'v2') return encodeInferenceResponse(response, 'none').json;
  let out = response.id === '' ? '{' : `{"id":${JSON.stringify(response.id)},`;
  out += `"model_name":${JSON.stringify(response.servable)},"model_version":${JSON.stringify(response.version)}`;
  const { parameters } = response;
  for (const key in parameters) {
    const value = parameters[key];
    if (value !== undefined) out += `,${JSON.stringify(key)}:${printParameter(value)}`;
  }
  for (const tensor of response.outputs) {
    const data = printData(tensor);
    out += `,${JSON.stringify(tensor.name)}:${elementCount(tensor.shape) === 1 ? data : `[${data}]`}`;
  }
  return `${out}}`;
}

function noneIfEmpty(parameters: Record<string, ParameterValue>): Record<string, ParameterValue> | undefined {
  return Object.keys(parameters).length === 0 ? undefined : parameters;
}

function prefixed(prefix: string, error: MillraceError): MillraceError {
  return prefix === '' ? error : new MillraceError(error.reason, prefix + error.message, { details: error.details });
}
