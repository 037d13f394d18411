import { describe, expect, it } from 'vitest';
import { encodeBytes } from '../../tensor/bytes.ts';
import { numberToHalf } from '../../tensor/half.ts';
import type { InferenceRequest, InferenceResponse } from '../../tensor/inference.ts';
import { JsonParameter } from '../../tensor/parameters.ts';
import { decodeInferenceRequest } from './json-request.ts';
import { encodeMlserverResponse } from './json-response.ts';

const REF = { servable: 'm', version: '' };

function decode(body: object | string, anyParameters = true): InferenceRequest {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return decodeInferenceRequest(bytes, undefined, REF, () => [], { dialect: 'mlserver', anyParameters }).request;
}

function input(datatype: string, data: unknown, shape = [2]): { inputs: object[] } {
  return { inputs: [{ name: 'x', datatype, shape, data }] };
}

const floats = (request: InferenceRequest): number[] => [
  ...new Float32Array(Uint8Array.from(request.inputs[0]?.data ?? []).buffer),
];

describe("a request as MLServer's clients print it", () => {
  it('may have null for all that is absent', () => {
    const request = decode({
      id: null,
      parameters: { content_type: null, headers: null },
      inputs: [{ name: 'x', datatype: 'INT8', shape: [1], parameters: null, data: [1] }],
      outputs: null,
    });
    expect(request).toMatchObject({ id: '', parameters: undefined, outputs: [] });
    expect(request.inputs[0]?.parameters).toBeUndefined();
  });

  it('has null for NaN in floats, and only there', () => {
    expect(floats(decode(input('FP32', [1, null])))).toEqual([1, NaN]);
    expect(floats(decode(input('FP32', [[null], [2.5]], [2, 1])))).toEqual([NaN, 2.5]);
    const many = Array.from({ length: 3000 }, (_, i) => (i % 2 === 0 ? null : i));
    expect(floats(decode(input('FP32', many, [3000])))).toEqual(many.map((value) => value ?? NaN));
    const fp64 = decode(input('FP64', [null, 0.1])).inputs[0]?.data ?? Buffer.alloc(0);
    expect([...new Float64Array(Uint8Array.from(fp64).buffer)]).toEqual([NaN, 0.1]);
    expect(() => decode(input('INT32', [1, null]))).toThrow('data[1] is null, a number expected');
    expect(() => decode(input('BYTES', ['a', null]))).toThrow('data[1] is null, a string expected');
  });

  it('has FP16 in numbers, nested or not', () => {
    const { data } = decode(input('FP16', [[1.5], [-2]], [2, 1])).inputs[0] ?? { data: Buffer.alloc(0) };
    expect([...new Uint16Array(Uint8Array.from(data).buffer)]).toEqual([numberToHalf(1.5), numberToHalf(-2)]);
  });

  it('keeps parameters of any JSON for runtimes, and refuses them elsewhere', () => {
    const body = { parameters: { a: { b: [1, 'x'] }, c: [1], d: null, triton_x: 1 }, ...input('INT8', [1, 2]) };
    expect({ ...decode(body).parameters }).toEqual({
      a: new JsonParameter('{"b":[1,"x"]}'),
      c: new JsonParameter('[1]'),
      d: new JsonParameter('null'),
      triton_x: 1n,
    });
    expect(() => decode(body, false)).toThrow("parameter 'a' has invalid type: it is an object");
    expect(() => decode('{"parameters":{"a":[NaN]},"inputs":[]}')).toThrow("parameter 'a' is not valid JSON");
    expect({ ...decode({ parameters: { d: null, e: 1 }, inputs: [] }, false).parameters }).toEqual({ e: 1n });
  });
});

const OUTPUT = { name: 'y', datatype: 'BYTES', shape: [1, 1], data: encodeBytes(['What "is"']) } as const;

function encode(response: Partial<InferenceResponse>, isEvent = false): string {
  return encodeMlserverResponse({ servable: 'm', version: '', id: '', outputs: [], ...response }, 'none', isEvent).json;
}

describe("a response in MLServer's form", () => {
  it('has its order of keys, without what is not set', () => {
    const outputs = [{ ...OUTPUT, parameters: { content_type: 'str' } }, OUTPUT];
    expect(encode({ version: 'v1', id: 'i', parameters: { k: new JsonParameter('{"z":[1]}') }, outputs })).toBe(
      '{"model_name":"m","model_version":"v1","id":"i","parameters":{"k":{"z":[1]}},"outputs":[' +
        '{"name":"y","shape":[1,1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["What \\"is\\""]},' +
        '{"name":"y","shape":[1,1],"datatype":"BYTES","data":["What \\"is\\""]}]}',
    );
    expect(encode({})).toBe('{"model_name":"m","parameters":{},"outputs":[]}');
    expect(encode({}, true)).toBe('{"model_name":"m","outputs":[]}');
  });

  it('has null for NaN and the infinities, and numbers for FP16', () => {
    const fp32 = Buffer.from(Float32Array.of(1.5, NaN, -Infinity, -0).buffer);
    expect(encode({ outputs: [{ name: 'y', datatype: 'FP32', shape: [4], data: fp32 }] })).toContain(
      '"data":[1.5,null,null,-0.0]',
    );
    const fp16 = Buffer.from(Uint16Array.of(numberToHalf(0.5), 0x7e00).buffer);
    expect(encode({ outputs: [{ name: 'y', datatype: 'FP16', shape: [2], data: fp16 }] })).toContain(
      '"data":[0.5,null]',
    );
  });

  it('says what to do about bytes that are no text', () => {
    const outputs = [{ ...OUTPUT, data: encodeBytes([Buffer.from([255])]) }];
    expect(() => encode({ outputs })).toThrow(/not valid UTF-8.*"base64"/);
  });
});
