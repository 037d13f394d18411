import { gzipSync } from 'node:zlib';
import { encodeBytes } from '../../../src/tensor/bytes.ts';
import type { Case, CaseRequest, CaseTensor, Exchange, Form } from './case.ts';

/** Every exchange of the cases; an inference case is one exchange in each of its forms. */
export function toExchanges(cases: readonly Case[]): Exchange[] {
  return cases.flatMap((item): Exchange[] => {
    const { compare = 'values', afterMs = 0 } = item;
    const base = { compare, afterMs };
    switch (item.kind) {
      case 'infer':
        return item.forms.map((form) => inferExchange({ key: `${item.name} [${form}]`, ...base }, item.request, form));
      case 'rpc':
        return [{ ...item, key: item.name, ...base, gzip: item.gzip ?? false }];
      case 'stream': {
        const messages = item.messages ?? item.requests.map((request) => toMessage(request, 'raw'));
        const { gzip = false, interleaved = false } = item;
        return [{ kind: 'stream', key: item.name, ...base, messages, gzip, interleaved }];
      }
      case 'http': {
        const plain =
          item.body === undefined && item.tail === undefined
            ? undefined
            : Buffer.concat([Buffer.from(item.body ?? ''), Buffer.from(item.tail ?? '', 'hex')]);
        const body = plain !== undefined && item.gzip === true ? gzipSync(plain) : plain;
        const headers = { ...item.headers, ...(item.gzip === true ? { 'Content-Encoding': 'gzip' } : {}) };
        return [{ kind: 'http', key: item.name, ...base, method: item.method, path: item.path, headers, body }];
      }
    }
  });
}

function inferExchange(
  base: Pick<Exchange, 'key' | 'compare' | 'afterMs'>,
  request: CaseRequest,
  form: Form,
): Exchange {
  switch (form) {
    case 'grpc-raw':
    case 'grpc-typed': {
      const message = toMessage(request, form === 'grpc-raw' ? 'raw' : 'typed');
      return { kind: 'rpc', ...base, method: 'ModelInfer', message, gzip: false };
    }
    case 'http-json':
    case 'http-binary':
      return { kind: 'http', ...base, method: 'POST', ...toHttp(request, form === 'http-binary') };
  }
}

/** A ModelInferRequest as proto-loader takes it. */
function toMessage(request: CaseRequest, content: 'raw' | 'typed'): object {
  return {
    model_name: request.model,
    model_version: request.version ?? '',
    id: request.id ?? '',
    parameters: Object.fromEntries(
      Object.entries(request.parameters ?? {}).map(([name, value]) => [name, toParameter(value)]),
    ),
    inputs: request.inputs.map((input) => ({
      name: input.name,
      datatype: input.datatype,
      shape: input.shape,
      ...(content === 'typed' ? { contents: { [typedField(input.datatype)]: typedValues(input) } } : {}),
    })),
    outputs: (request.outputs ?? []).map((name) => ({ name })),
    raw_input_contents: content === 'raw' ? request.inputs.map(rawContent) : [],
  };
}

function toParameter(value: boolean | number | string): object {
  if (typeof value === 'boolean') return { bool_param: value };
  if (typeof value === 'string') return { string_param: value };
  return Number.isInteger(value) ? { int64_param: value } : { double_param: value };
}

function toHttp(
  request: CaseRequest,
  binary: boolean,
): { path: string; headers: Record<string, string>; body: Buffer } {
  const parts = binary ? request.inputs.map(rawContent) : [];
  const header = JSON.stringify({
    ...(request.id === undefined ? {} : { id: request.id }),
    ...(request.parameters === undefined && !binary
      ? {}
      : { parameters: { ...request.parameters, ...(binary ? { binary_data_output: true } : {}) } }),
    inputs: request.inputs.map(({ name, datatype, shape, values }, at) => ({
      name,
      datatype,
      shape,
      ...(binary ? { parameters: { binary_data_size: parts[at]?.length } } : { data: values }),
    })),
    ...(request.outputs === undefined
      ? {}
      : { outputs: request.outputs.map((name) => ({ name, parameters: { binary_data: binary } })) }),
  });
  const version = request.version === undefined ? '' : `/versions/${request.version}`;
  const length = String(Buffer.byteLength(header));
  return {
    path: `/v2/models/${encodeURIComponent(request.model)}${version}/infer`,
    headers: binary ? { 'Inference-Header-Content-Length': length } : { 'Content-Type': 'application/json' },
    body: Buffer.concat([Buffer.from(header), ...parts]),
  };
}

/** The raw form of a tensor: the case's bytes, or its values encoded. */
function rawContent(tensor: CaseTensor): Buffer {
  if (tensor.raw !== undefined) return Buffer.from(tensor.raw, 'hex');
  const values = tensor.values ?? [];
  if (tensor.datatype === 'BYTES') return encodeBytes(values.map(String));
  return Buffer.concat(values.map((value) => rawElement(tensor.datatype, value)));
}

function rawElement(datatype: string, value: number | string | boolean): Buffer {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return Buffer.from(Uint8Array.of(Number(value)).buffer);
    case 'INT8':
      return Buffer.from(Int8Array.of(Number(value)).buffer);
    case 'INT16':
      return Buffer.from(Int16Array.of(Number(value)).buffer);
    case 'UINT16':
    case 'FP16':
    case 'BF16':
      return Buffer.from(Uint16Array.of(Number(value)).buffer);
    case 'INT32':
      return Buffer.from(Int32Array.of(Number(value)).buffer);
    case 'UINT32':
      return Buffer.from(Uint32Array.of(Number(value)).buffer);
    case 'INT64':
      return Buffer.from(BigInt64Array.of(BigInt(value)).buffer);
    case 'UINT64':
      return Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
    case 'FP64':
      return Buffer.from(Float64Array.of(Number(value)).buffer);
    default:
      return Buffer.from(Float32Array.of(Number(value)).buffer);
  }
}

const TYPED_FIELDS: Readonly<Record<string, string>> = {
  BOOL: 'bool_contents',
  INT8: 'int_contents',
  INT16: 'int_contents',
  INT32: 'int_contents',
  INT64: 'int64_contents',
  UINT8: 'uint_contents',
  UINT16: 'uint_contents',
  UINT32: 'uint_contents',
  UINT64: 'uint64_contents',
  FP64: 'fp64_contents',
  BYTES: 'bytes_contents',
};

function typedField(datatype: string): string {
  return TYPED_FIELDS[datatype] ?? 'fp32_contents';
}

function typedValues({ datatype, values = [] }: CaseTensor): readonly unknown[] {
  return datatype === 'BYTES' ? values.map((value) => Buffer.from(String(value))) : values;
}
