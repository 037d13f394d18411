import { describe, expect, it } from 'vitest';
import { encodeBytes } from '../../tensor/bytes.ts';
import type { InferenceResponse } from '../../tensor/inference.ts';
import { Uint64 } from '../../tensor/parameters.ts';
import { tensorOf, type Tensor } from '../../tensor/tensor.ts';
import { encodeInferenceResponse } from './json-response.ts';

function response(outputs: readonly Tensor[], fields: Partial<InferenceResponse> = {}): InferenceResponse {
  return { servable: 'm', version: '1', id: '', outputs, ...fields };
}

function dataOf(tensor: Tensor): string | undefined {
  return /"data":\[(.*)\]\}\]\}$/s.exec(encodeInferenceResponse(response([tensor]), 'none').json)?.[1];
}

const bytes = (elements: readonly (Uint8Array | string)[]): Tensor => ({
  name: 'y',
  datatype: 'BYTES',
  shape: [elements.length],
  data: encodeBytes(elements),
});

describe('encodeInferenceResponse', () => {
  it('writes keys in order, and those without content not at all', () => {
    const y = tensorOf('y', 'INT32', [1, 2], Int32Array.of(1, -2));
    expect(encodeInferenceResponse(response([y]), 'none')).toEqual({
      json: '{"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"INT32","shape":[1,2],"data":[1,-2]}]}',
      parts: [],
    });
    const full = response([{ ...y, parameters: { p: true } }], {
      id: 'a"b',
      parameters: { i: 9007199254740993n, d: 1, f: 0.5, s: 'x', b: false, u: new Uint64(2n ** 64n - 1n) },
    });
    expect(encodeInferenceResponse(full, 'none').json).toBe(
      '{"id":"a\\"b","model_name":"m","model_version":"1","parameters":{"i":9007199254740993,"d":1.0,"f":0.5,"s":"x","b":false,"u":18446744073709551615},"outputs":[{"name":"y","datatype":"INT32","shape":[1,2],"parameters":{"p":true},"data":[1,-2]}]}',
    );
  });

  it.each<[Tensor, string]>([
    [
      tensorOf('y', 'FP32', [5], Float32Array.of(0.1, NaN, Infinity, -Infinity, 1)),
      '0.10000000149011612,NaN,Infinity,-Infinity,1',
    ],
    [tensorOf('y', 'FP32', [1], Float32Array.of(0.1)), '0.10000000149011612'],
    [tensorOf('y', 'FP64', [2], Float64Array.of(-0, 1e300)), '-0.0,1e+300'],
    [tensorOf('y', 'INT64', [2], BigInt64Array.of(9007199254740993n, -1n)), '9007199254740993,-1'],
    [tensorOf('y', 'UINT64', [1], BigUint64Array.of(2n ** 64n - 1n)), '18446744073709551615'],
    [tensorOf('y', 'BOOL', [2], Uint8Array.of(1, 0)), 'true,false'],
    [tensorOf('y', 'FP32', [0], new Float32Array(0)), ''],
    [bytes(['a"b', 'ü\u0000', '']), '"a\\"b","ü\\u0000",""'],
  ])('prints %j', (tensor, expected) => {
    expect(dataOf(tensor)).toBe(expected);
  });

  it('refuses what JSON cannot hold, and says to ask for binary', () => {
    const half = tensorOf('y', 'FP16', [1], Uint16Array.of(1));
    expect(() => dataOf(half)).toThrow('output "y" is FP16, which has no JSON form; ask for it in binary form');
    expect(() => dataOf(bytes([Uint8Array.of(0xff)]))).toThrow('not valid UTF-8; ask for it in binary form');
    expect(encodeInferenceResponse(response([half]), 'all').parts).toEqual([half.data]);
  });

  it('puts only the asked outputs behind the JSON', () => {
    const a = tensorOf('a', 'INT32', [1], Int32Array.of(1));
    const b = { ...tensorOf('b', 'INT32', [0], new Int32Array(0)), parameters: { p: 's' } };
    const { json, parts } = encodeInferenceResponse(response([a, b]), new Set(['b']));
    expect(JSON.parse(json)).toMatchObject({
      outputs: [
        { name: 'a', data: [1] },
        { name: 'b', parameters: { p: 's', binary_data_size: 0 } },
      ],
    });
    expect(json).not.toContain('"data":[]');
    expect(parts).toEqual([b.data]);
  });
});
