import { MillraceError } from '../../base/errors.ts';
import { checkBytes } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, DATATYPES, isDatatype, type Datatype } from '../../tensor/datatype.ts';
import type { InferenceRequest, RequestedOutput } from '../../tensor/inference.ts';
import type { Parameters } from '../../tensor/parameters.ts';
import { NO_DATA } from '../../tensor/shared-bytes.ts';
import {
  elementCount,
  expectedBytes,
  MAX_RANK,
  tooManyDims,
  type Tensor,
  type TensorSpec,
} from '../../tensor/tensor.ts';
import { BinaryTail, checkHeaderLength, decodeRawBody, wrongByteSize } from './binary-extension.ts';
import { decodeData } from './json-data.ts';
import {
  checkRequestParameters,
  invalidParameter,
  missingField,
  readArray,
  readDimension,
  readObject,
  readParameters,
  readText,
  takeNull,
  TRITON_RULES,
  withoutKey,
  wrongType,
  type JsonRules,
} from './json-fields.ts';
import { JsonReader, type JsonSlice } from './json-reader.ts';
import { refuseRepeated, refuseUnsupported } from './refusals.ts';
import { requestedOutput } from './requested-output.ts';
import { takeShared } from './shared-parameters.ts';

/** Which outputs are answered behind the JSON instead of in it. */
export type BinaryOutputs = 'all' | 'none' | ReadonlySet<string>;

export interface DecodedRequest {
  readonly request: InferenceRequest;
  readonly binaryOutputs: BinaryOutputs;
}

/** What the URL names. */
export interface ServableRef {
  readonly servable: string;
  /** "" asks for the default version. */
  readonly version: string;
}

const EMPTY = Buffer.alloc(0);

/** An upper bound for the bytes of one tensor, far above any body. */
const MAX_TENSOR_BYTES = 2 ** 40;

/**
 * Reads the body of a REST infer (V2 form).
 * @param headerLength `Inference-Header-Content-Length`; undefined: the body is JSON only
 * @param inputSpecs the servable's inputs; called only for header length 0, where the body has no JSON
 */
export function decodeInferenceRequest(
  body: Buffer,
  headerLength: number | undefined,
  ref: ServableRef,
  inputSpecs: () => readonly TensorSpec[],
  rules: JsonRules = TRITON_RULES,
): DecodedRequest {
  if (headerLength === undefined) return readEnvelope(body, body.length, ref, undefined, rules);
  checkHeaderLength(headerLength, body.length);
  if (headerLength > 0) {
    const tail = new BinaryTail(body, headerLength, ref.servable);
    const decoded = readEnvelope(body, headerLength, ref, tail, rules);
    tail.finish();
    return decoded;
  }
  const input = decodeRawBody(body, ref.servable, inputSpecs());
  return { request: { ...ref, id: '', inputs: [input], outputs: [] }, binaryOutputs: 'all' };
}

function readEnvelope(
  body: Buffer,
  jsonEnd: number,
  ref: ServableRef,
  tail: BinaryTail | undefined,
  rules: JsonRules,
): DecodedRequest {
  const reader = new JsonReader(body, 0, jsonEnd);
  let id = '';
  let parameters: Parameters | undefined;
  let inputs: InputField[] | undefined;
  const outputs: RequestedOutput[] = [];
  const binary = new Set<string>();
  const names = new Set<string>();
  readObject(reader, 'the request body', (key) => {
    switch (key) {
      case 'id':
        if (!takeNull(reader, rules)) id = readText(reader, '"id"');
        break;
      case 'parameters':
        parameters = readParameters(reader, '"parameters"', rules);
        break;
      case 'inputs':
        inputs = readInputs(reader, rules);
        break;
      case 'outputs':
        if (takeNull(reader, rules)) break;
        readArray(reader, '"outputs"', (index) => outputs.push(readOutput(reader, index, names, binary, rules)));
        break;
      default:
        reader.value();
    }
  });
  reader.finish();
  if (inputs === undefined) throw missingField(`failed to parse the request: "inputs"`);
  if (parameters !== undefined && rules.dialect === 'triton') checkRequestParameters(parameters);
  const all = parameters?.['binary_data_output'] === true ? 'all' : 'none';
  const request: InferenceRequest = {
    servable: ref.servable,
    version: ref.version,
    id,
    parameters: withoutKey(parameters, 'binary_data_output'),
    inputs: inputs.map((field, index) => toTensor(field, index, body, tail, ref.servable, inputs?.length === 1, rules)),
    outputs,
  };
  // Listed outputs decide for themselves, whatever the request says (KServe sheet §3.1).
  return { request, binaryOutputs: outputs.length === 0 ? all : binary };
}

interface InputField {
  name: string | undefined;
  datatype: string | undefined;
  shape: number[] | undefined;
  parameters: Parameters | undefined;
  data: JsonSlice | undefined;
}

function readInputs(reader: JsonReader, rules: JsonRules): InputField[] {
  const inputs: InputField[] = [];
  readArray(reader, '"inputs"', (index) => inputs.push(readInput(reader, index, rules)));
  return inputs;
}

function readInput(reader: JsonReader, index: number, rules: JsonRules): InputField {
  const field: InputField = {
    name: undefined,
    datatype: undefined,
    shape: undefined,
    parameters: undefined,
    data: undefined,
  };
  const where = (): string => (field.name === undefined ? `inputs[${index}]` : `input "${field.name}"`);
  readObject(reader, where(), (key) => {
    switch (key) {
      case 'name':
        field.name = readText(reader, `${where()}: "name"`);
        break;
      case 'datatype':
        field.datatype = readText(reader, `${where()}: "datatype"`);
        break;
      case 'shape':
        field.shape = readShape(reader, where);
        break;
      case 'parameters':
        field.parameters = readParameters(reader, `${where()}: "parameters"`, rules);
        break;
      case 'data':
        if (reader.peek() !== 91) throw wrongType(`${where()}: "data"`, reader.value(), 'an array');
        field.data = reader.slice();
        break;
      default:
        reader.value();
    }
  });
  return field;
}

function readShape(reader: JsonReader, where: () => string): number[] {
  const shape: number[] = [];
  if (reader.peek() !== 91) throw wrongType(`${where()}: "shape"`, reader.value(), 'an array of integers');
  reader.array((index) => {
    if (index === MAX_RANK) throw tooManyDims();
    shape.push(readDimension(reader, `${where()}: "shape"[${index}]`));
  });
  return shape;
}

function readOutput(
  reader: JsonReader,
  index: number,
  before: Set<string>,
  binary: Set<string>,
  rules: JsonRules,
): RequestedOutput {
  let name: string | undefined;
  let parameters: Parameters | undefined;
  readObject(reader, `outputs[${index}]`, (key) => {
    if (key === 'name') name = readText(reader, `outputs[${index}]: "name"`);
    else if (key === 'parameters') parameters = readParameters(reader, `outputs[${index}]: "parameters"`, rules);
    else reader.value();
  });
  if (name === undefined) throw missingField(`outputs[${index}]: "name"`);
  refuseRepeated(name, before);
  if (parameters === undefined) return { name };
  refuseUnsupported(`output "${name}"`, parameters, rules.dialect === 'mlserver');
  const isBinary = parameters['binary_data'];
  if (isBinary !== undefined && typeof isBinary !== 'boolean') {
    throw invalidParameter('binary_data', isBinary as bigint, 'a boolean');
  }
  if (isBinary === true) binary.add(name);
  return requestedOutput(name, withoutKey(parameters, 'binary_data'), true);
}

function toTensor(
  field: InputField,
  index: number,
  body: Buffer,
  tail: BinaryTail | undefined,
  servable: string,
  isOnly: boolean,
  { dialect }: JsonRules,
): Tensor {
  const { name, datatype, shape, data } = field;
  if (name === undefined) throw missingField(`inputs[${index}]: "name"`);
  if (datatype === undefined) throw missingField(`input "${name}": "datatype"`);
  if (shape === undefined) throw missingField(`input "${name}": "shape"`);
  if (!isDatatype(datatype)) {
    throw new MillraceError(
      'WRONG_DATATYPE',
      `input "${name}": datatype is ${JSON.stringify(datatype)}, one of ${DATATYPES.join(', ')} expected`,
      { details: { tensor: name, actual: datatype } },
    );
  }
  refuseUnsupported(`input "${name}"`, field.parameters, dialect === 'mlserver');
  const { shared, parameters } = takeShared(name, field.parameters);
  const count = countOf(name, datatype, shape);
  const size = parameters?.['binary_data_size'];
  if (data !== undefined && size !== undefined) {
    throw new MillraceError(
      'CONTENTS_MIXED',
      `input "${name}" has both "data" and "binary_data_size", exactly one of them expected`,
      { details: { tensor: name } },
    );
  }
  if (shared !== undefined) {
    if (data !== undefined || size !== undefined) throw sharedAndData(name, data === undefined);
    const expected = expectedBytes(datatype, shape) ?? shared.byteSize;
    if (shared.byteSize !== expected) throw wrongByteSize(name, servable, expected, shared.byteSize);
    return { name, datatype, shape, data: NO_DATA, parameters, shared };
  }
  let bytes: Uint8Array;
  if (data === undefined) {
    bytes = takeBinary({ name, datatype, shape }, size, tail, servable, isOnly);
    if (datatype === 'BYTES') checkBytes(bytes, count, name);
  } else bytes = decodeData(body, data, name, datatype, shape, count, dialect);
  const own = withoutKey(parameters, 'binary_data_size');
  return own === undefined
    ? { name, datatype, shape, data: bytes }
    : { name, datatype, shape, data: bytes, parameters: own };
}

function sharedAndData(name: string, isBinary: boolean): MillraceError {
  const other = isBinary ? 'binary_data_size' : 'data';
  return new MillraceError(
    'CONTENTS_MIXED',
    `input "${name}" has both "shared_memory_region" and "${other}", exactly one of them expected`,
    { details: { tensor: name } },
  );
}

/** Elements of a shape, refused where its bytes would exceed every limit. */
function countOf(name: string, datatype: Datatype, shape: readonly number[]): number {
  const count = elementCount(shape);
  if (count * Math.max(1, DATATYPE_BYTES[datatype]) <= MAX_TENSOR_BYTES) return count;
  throw new MillraceError(
    'WRONG_SHAPE',
    `input "${name}": element count of shape [${shape.join(',')}] exceeds the maximum size`,
    { details: { tensor: name } },
  );
}

/** Without `binary_data_size` the size follows from datatype and shape, or is the rest for a single BYTES input (OVMS). */
function takeBinary(
  tensor: Omit<Tensor, 'data'>,
  size: Parameters[string] | undefined,
  tail: BinaryTail | undefined,
  servable: string,
  isOnly: boolean,
): Uint8Array {
  const { name, datatype, shape } = tensor;
  const expected = expectedBytes(datatype, shape);
  if (size === undefined) {
    const implied = tail === undefined ? undefined : (expected ?? (isOnly ? tail.left : undefined));
    if (tail === undefined || implied === undefined) {
      if (expected === 0) return EMPTY;
      throw new MillraceError(
        'MISSING_INPUT',
        `unable to find data for input tensor '${name}' for model '${servable}' in request: "data" or "binary_data_size" expected`,
        { details: { tensor: name } },
      );
    }
    return tail.take(name, implied);
  }
  if (typeof size !== 'bigint' || size < 0n || size > BigInt(MAX_TENSOR_BYTES)) {
    throw invalidParameter('binary_data_size', size as bigint, 'an integer of 0 or more');
  }
  if (expected !== undefined && expected !== Number(size)) throw wrongByteSize(name, servable, expected, Number(size));
  if (tail === undefined && size > 0n) {
    throw new MillraceError(
      'MALFORMED_REQUEST',
      `input "${name}" has "binary_data_size" but the request has no Inference-Header-Content-Length header`,
      { details: { tensor: name } },
    );
  }
  return tail === undefined ? EMPTY : tail.take(name, Number(size));
}
