import { describe, expect, it } from 'vitest';
import { encodeBytes } from '../../tensor/bytes.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { numberToHalf } from '../../tensor/half.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { decodeInferRequest, decodeInferResponse, encodeTypedInferResponse, joinParts } from './infer-codec.ts';

const bytesOf = (array: { readonly buffer: ArrayBufferLike }): Buffer => Buffer.from(array.buffer);

/** One tensor of each datatype, with the ends of its range. */
const TENSORS: readonly Tensor[] = (
  [
    ['BOOL', Buffer.from([1, 0, 1])],
    ['INT8', bytesOf(Int8Array.of(-128, 0, 127))],
    ['INT16', bytesOf(Int16Array.of(-32768, 0, 32767))],
    ['INT32', bytesOf(Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1))],
    ['INT64', bytesOf(BigInt64Array.of(-(2n ** 63n), -1n, 2n ** 63n - 1n))],
    ['UINT8', bytesOf(Uint8Array.of(0, 1, 255))],
    ['UINT16', bytesOf(Uint16Array.of(0, 1, 65535))],
    ['UINT32', bytesOf(Uint32Array.of(0, 1, 2 ** 32 - 1))],
    ['UINT64', bytesOf(BigUint64Array.of(0n, 1n, 2n ** 64n - 1n))],
    ['FP32', bytesOf(Float32Array.of(-1.5, NaN, Infinity))],
    ['FP64', bytesOf(Float64Array.of(-1.5, NaN, Number.MAX_VALUE))],
    ['BYTES', encodeBytes(['', 'word', Buffer.from([255, 0])])],
  ] as const
).map(([datatype, data]) => ({ name: datatype, datatype, shape: [3], data }));

describe('typed contents of a response', () => {
  it('come back as the tensors that they were, of every datatype', () => {
    const response: InferenceResponse = { servable: 'm', version: 'v1.2', id: 'x', outputs: TENSORS };
    const decoded = decodeInferResponse(joinParts(encodeTypedInferResponse(response)));
    expect(decoded).toMatchObject({ servable: 'm', version: 'v1.2', id: 'x' });
    expect(decoded.outputs.map(({ datatype, data }) => [datatype, Buffer.from(data).toString('hex')])).toEqual(
      TENSORS.map(({ datatype, data }) => [datatype, Buffer.from(data).toString('hex')]),
    );
  });

  it('of tensors without elements are empty, and id and version are only there when they are set', () => {
    const outputs = TENSORS.map(({ name, datatype }) => ({ name, datatype, shape: [0], data: Buffer.alloc(0) }));
    const message = joinParts(encodeTypedInferResponse({ servable: 'm', version: '', id: '', outputs }, 5));
    const decoded = decodeInferResponse(message.subarray(5));
    expect(decoded.outputs.every(({ data }) => data.byteLength === 0)).toBe(true);
    expect(message.subarray(5, 8)).toEqual(Buffer.from('\x0a\x01m'));
    expect(message[8]).toBe(42); // the outputs follow the name at once
  });
});

/** A ModelInferRequest of one input "x" with the given `contents` and raw entries. */
function request(datatype: string, dims: number, contents: Buffer | undefined, raw: Buffer[] = []): Buffer {
  const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag, bytes.length]), bytes]);
  const tensor = Buffer.concat([
    field(10, Buffer.from('x')),
    field(18, Buffer.from(datatype)),
    field(26, Buffer.from([dims])),
    ...(contents === undefined ? [] : [field(42, contents)]),
  ]);
  return Buffer.concat([field(42, tensor), ...raw.map((bytes) => field(58, bytes))]);
}

const packed = (tag: number, bytes: readonly number[]): Buffer => Buffer.from([tag, bytes.length, ...bytes]);
const INT64_1_2 = packed(26, [1, 2]);
const MINUS_ONE = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];

describe('contents of a request, read as MLServer reads them', () => {
  it.each<[string, Datatype, Buffer, Buffer]>([
    ['int64 for FP32', 'FP32', INT64_1_2, bytesOf(Float32Array.of(1, 2))],
    ['int64 for INT8', 'INT8', packed(26, [1, ...MINUS_ONE]), bytesOf(Int8Array.of(1, -1))],
    ['uint32 for INT64', 'INT64', packed(34, [1, 2]), bytesOf(BigInt64Array.of(1n, 2n))],
    ['fp64 for UINT8', 'UINT8', packed(58, [...bytesOf(Float64Array.of(7, 255))]), Buffer.from([7, 255])],
    ['int32 for BOOL', 'BOOL', packed(18, [0, 5]), Buffer.from([0, 1])],
    ['fp32 for FP16', 'FP16', packed(50, [...bytesOf(Float32Array.of(1, 0.5))]), halves(1, 0.5)],
    ['bytes for FP16', 'FP16', packed(66, [...halves(1, 2)]), halves(1, 2)],
    ['bytes for FP16, one by one', 'FP16', Buffer.concat([packed(66, [0, 60]), packed(66, [0, 64])]), halves(1, 2)],
    ['int64 for BYTES', 'BYTES', INT64_1_2, encodeBytes(['1', '2'])],
    ['the list of the datatype', 'INT64', INT64_1_2, bytesOf(BigInt64Array.of(1n, 2n))],
  ])('%s', (_, datatype, contents, expected) => {
    const [input] = decodeInferRequest(request(datatype, 2, contents), 'mlserver').inputs;
    expect(Buffer.from(input?.data ?? []).toString('hex')).toBe(expected.toString('hex'));
  });

  it.each<[string, Datatype, Buffer, string]>([
    ['a value beyond the datatype', 'UINT8', packed(26, [1, ...MINUS_ONE]), 'WRONG_DATATYPE'],
    ['a fraction for an integer', 'INT64', packed(58, [...bytesOf(Float64Array.of(1.5, 1))]), 'WRONG_DATATYPE'],
    ['text for a number', 'FP32', Buffer.concat([packed(66, [65]), packed(66, [66])]), 'WRONG_DATATYPE'],
    ['too few', 'FP32', packed(26, [1]), 'WRONG_BYTE_SIZE'],
    ['too many', 'FP32', packed(26, [1, 2, 3]), 'WRONG_BYTE_SIZE'],
    ['half a half', 'FP16', packed(66, [0, 60, 0]), 'WRONG_BYTE_SIZE'],
  ])('%s is refused', (_, datatype, contents, reason) => {
    expect(() => decodeInferRequest(request(datatype, 2, contents), 'mlserver')).toThrow(
      expect.objectContaining({ reason }),
    );
  });

  it('raw entries fill the inputs without contents', () => {
    const raw = bytesOf(Float32Array.of(3, 4));
    const both = Buffer.concat([
      request('INT64', 2, INT64_1_2).fill('y', 4, 5),
      request('FP32', 2, Buffer.alloc(0), [raw]),
    ]);
    const { inputs } = decodeInferRequest(both, 'mlserver');
    expect(inputs.map(({ name, data }) => [name, Buffer.from(data).toString('hex')])).toEqual([
      ['y', bytesOf(BigInt64Array.of(1n, 2n)).toString('hex')],
      ['x', raw.toString('hex')],
    ]);
    expect(() => decodeInferRequest(both)).toThrow(expect.objectContaining({ reason: 'CONTENTS_MIXED' }));
  });
});

function halves(...values: number[]): Buffer {
  return bytesOf(Uint16Array.from(values, numberToHalf));
}
