import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../base/errors.ts';
import { decodeBytes } from '../../tensor/bytes.ts';
import { typedData, type TensorSpec } from '../../tensor/tensor.ts';
import { parseHeaderLength } from './binary-extension.ts';
import { decodeInferenceRequest, type DecodedRequest } from './json-request.ts';

const REF = { servable: 'm', version: '' };

function decode(body: unknown, tail?: Uint8Array, specs: readonly TensorSpec[] = []): DecodedRequest {
  const json = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return tail === undefined
    ? decodeInferenceRequest(json, undefined, REF, () => specs)
    : decodeInferenceRequest(Buffer.concat([json, tail]), json.length, REF, () => specs);
}

function input(fields: object): object {
  return { inputs: [{ name: 'x', shape: [2], datatype: 'INT32', data: [1, 2], ...fields }] };
}

function binaryInput(size: unknown, fields: object = {}): object {
  return { inputs: [{ name: 'x', shape: [2], datatype: 'INT32', parameters: { binary_data_size: size }, ...fields }] };
}

function faultOf(run: () => unknown): MillraceError {
  try {
    run();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('decodeInferenceRequest', () => {
  it('reads a whole request, keys in any order', () => {
    const { request, binaryOutputs } = decode(
      '{"outputs":[{"name":"y","parameters":{"k":2}}],"inputs":[{"data":[[1],[2]],"datatype":"INT32","parameters":{"own":"p"},"shape":[2,1],"name":"x"}],"parameters":{"a":1,"b":1.5,"c":"s","d":true,"big":9223372036854775807},"id":"r1","other":{"x":[1]}}',
    );
    expect(request).toMatchObject({
      servable: 'm',
      version: '',
      id: 'r1',
      outputs: [{ name: 'y', parameters: { k: 2n } }],
    });
    expect({ ...request.parameters }).toEqual({ a: 1n, b: 1.5, c: 's', d: true, big: 9223372036854775807n });
    const [tensor] = request.inputs;
    expect(tensor).toMatchObject({ name: 'x', datatype: 'INT32', shape: [2, 1], parameters: { own: 'p' } });
    expect(tensor && [...typedData(tensor)]).toEqual([1, 2]);
    expect(binaryOutputs).toEqual(new Set());
  });

  it('takes binary tensors in order, as views', () => {
    const tail = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 65]);
    const body = {
      inputs: [
        { name: 'x', shape: [2], datatype: 'INT32', parameters: { binary_data_size: 8, keep: 1 } },
        { name: 'j', shape: [1], datatype: 'FP32', data: [0.5] },
        { name: 's', shape: [1], datatype: 'BYTES', parameters: { binary_data_size: 5 } },
      ],
    };
    const [x, j, s] = decode(body, tail).request.inputs;
    expect(x && [...typedData(x)]).toEqual([1, 2]);
    expect({ ...x?.parameters }).toEqual({ keep: 1n });
    expect(j && [...typedData(j)]).toEqual([0.5]);
    expect(s && decodeBytes(s.data, 1, 's').map(String)).toEqual(['A']);
    expect(s?.parameters).toBeUndefined();
  });

  it('takes a size left out from datatype and shape, or the rest for a single BYTES input', () => {
    const numeric = decode({ inputs: [{ name: 'x', shape: [2], datatype: 'INT16' }] }, Buffer.from([1, 0, 2, 0]));
    expect(numeric.request.inputs[0]?.data).toHaveLength(4);
    const text = decode({ inputs: [{ name: 'x', shape: [1], datatype: 'BYTES' }] }, Buffer.from([1, 0, 0, 0, 65]));
    expect(text.request.inputs[0]?.data).toHaveLength(5);
  });

  it('refuses a raw body for an input whose datatype the metadata does not know', () => {
    const raw = (): unknown =>
      decodeInferenceRequest(Buffer.alloc(4), 0, REF, () => [{ name: 'x', datatype: 'INVALID', shape: [-1] }]);
    expect(faultOf(raw).reason).toBe('WRONG_DATATYPE');
  });

  it('refuses binary BYTES data whose length prefixes do not fit', () => {
    const body = binaryInput(5, { datatype: 'BYTES', shape: [1] });
    const fault = faultOf(() => decode(body, Buffer.from([9, 0, 0, 0, 65])));
    expect(fault.reason).toBe('MALFORMED_BYTES');
    expect(fault.message).toContain("incomplete string data for inference input 'x', expecting string of length 9");
    expect(faultOf(() => decode(binaryInput(0, { datatype: 'BYTES' }))).reason).toBe('MALFORMED_BYTES');
  });

  it.each([
    [{}, 'none'],
    [{ parameters: { binary_data_output: true } }, 'all'],
    [{ parameters: { binary_data_output: false } }, 'none'],
    [{ outputs: [{ name: 'a', parameters: { binary_data: true } }, { name: 'b' }] }, new Set(['a'])],
    [{ parameters: { binary_data_output: true }, outputs: [{ name: 'a' }] }, new Set()],
    [
      { parameters: { binary_data_output: true }, outputs: [{ name: 'a', parameters: { binary_data: false } }] },
      new Set(),
    ],
  ])('decides about binary outputs of %j', (fields, expected) => {
    const { request, binaryOutputs } = decode({ ...input({}), ...fields });
    expect(binaryOutputs).toEqual(expected);
    expect(request.parameters).toBeUndefined();
    expect(request.outputs.every((output) => output.parameters === undefined)).toBe(true);
  });

  it.each<[string, unknown, string, string]>([
    ['no inputs', {}, 'MALFORMED_REQUEST', '"inputs" is missing'],
    ['a body that is no object', [1], 'MALFORMED_REQUEST', 'the request body is an array, an object expected'],
    ['malformed JSON', '{"inputs":[', 'MALFORMED_REQUEST', 'at byte 11, got the end'],
    ['inputs of the wrong type', { inputs: {} }, 'MALFORMED_REQUEST', '"inputs" is an object, an array expected'],
    ['id of the wrong type', { ...input({}), id: 5 }, 'MALFORMED_REQUEST', '"id" is the integer 5, a string expected'],
    [
      'no name',
      { inputs: [{ shape: [1], datatype: 'FP32', data: [1] }] },
      'MALFORMED_REQUEST',
      'inputs[0]: "name" is missing',
    ],
    ['no shape', input({ shape: undefined }), 'MALFORMED_REQUEST', 'input "x": "shape" is missing'],
    ['no datatype', input({ datatype: undefined }), 'MALFORMED_REQUEST', 'input "x": "datatype" is missing'],
    ['unknown datatype', input({ datatype: 'FLOAT' }), 'WRONG_DATATYPE', 'datatype is "FLOAT", one of BOOL'],
    [
      'negative dimension',
      input({ shape: [-1] }),
      'MALFORMED_REQUEST',
      '"shape"[0] is the integer -1, an integer of 0 or more',
    ],
    ['fractional dimension', input({ shape: [1.5] }), 'MALFORMED_REQUEST', 'is the number 1.5'],
    ['overflowing shape', input({ shape: [9e15, 9e15].map((n) => n + 1) }), 'WRONG_SHAPE', 'exceeds the maximum size'],
    ['scalar data', input({ data: 5 }), 'MALFORMED_REQUEST', 'input "x": "data" is the integer 5, an array expected'],
    ['data null', input({ data: null }), 'MALFORMED_REQUEST', '"data" is null, an array expected'],
    ['no data', input({ data: undefined }), 'MISSING_INPUT', "unable to find data for input tensor 'x' for model 'm'"],
    ['data twice', '{"inputs":[{"name":"x","data":[1],"data":[1]}]}', 'MALFORMED_REQUEST', 'key "data" appears twice'],
    ['data and binary', input({ parameters: { binary_data_size: 8 } }), 'CONTENTS_MIXED', 'exactly one of them'],
    ['binary without header', binaryInput(8), 'MALFORMED_REQUEST', 'no Inference-Header-Content-Length'],
    [
      'region without a size',
      input({ data: undefined, parameters: { shared_memory_region: 'r' } }),
      'INVALID_PARAMETER',
      "'shared_memory_byte_size' must be specified along with",
    ],
    [
      'region beside data',
      input({ parameters: { shared_memory_region: 'r', shared_memory_byte_size: 8 } }),
      'CONTENTS_MIXED',
      'both "shared_memory_region" and "data"',
    ],
    ['triton_ parameter', { ...input({}), parameters: { triton_x: 1 } }, 'INVALID_PARAMETER', "'triton_x'"],
    [
      'object parameter',
      { ...input({}), parameters: { a: {} } },
      'INVALID_PARAMETER',
      "parameter 'a' has invalid type: it is an object",
    ],
    ['array parameter', { ...input({}), parameters: { a: [] } }, 'INVALID_PARAMETER', 'it is an array'],
    ['null parameter', { ...input({}), parameters: { a: null } }, 'INVALID_PARAMETER', 'it is null'],
    [
      'oversized parameter',
      '{"parameters":{"a":9223372036854775808},"inputs":[]}',
      'INVALID_PARAMETER',
      'beyond 64 bits',
    ],
    ['sequence_start', { ...input({}), parameters: { sequence_start: 1 } }, 'INVALID_PARAMETER', 'a boolean expected'],
    [
      'sequence_id',
      { ...input({}), parameters: { sequence_id: -1 } },
      'INVALID_PARAMETER',
      'unsigned integer or a string',
    ],
    [
      'sequence_id beyond 64 bits',
      '{"parameters":{"sequence_id":18446744073709551616},"inputs":[]}',
      'INVALID_PARAMETER',
      'beyond 64 bits',
    ],
    [
      'binary_data_output',
      { ...input({}), parameters: { binary_data_output: 1 } },
      'INVALID_PARAMETER',
      'a boolean expected',
    ],
    [
      'binary_data',
      { ...input({}), outputs: [{ name: 'y', parameters: { binary_data: 1 } }] },
      'INVALID_PARAMETER',
      'a boolean',
    ],
    [
      'same output twice',
      { ...input({}), outputs: [{ name: 'y' }, { name: 'y' }] },
      'UNEXPECTED_OUTPUT',
      "output 'y' already exists in request",
    ],
  ])('refuses %s', (_, body, reason, message) => {
    const fault = faultOf(() => decode(body));
    expect(fault.message).toContain(message);
    expect(fault.reason).toBe(reason);
  });

  it.each<[string, object, number, string]>([
    ['missing bytes', binaryInput(8), 5, "unexpected size for input 'x', expecting 3 additional bytes for model 'm'"],
    ['surplus bytes', binaryInput(8), 9, "unexpected additional input data for model 'm'"],
    [
      'another size than the shape',
      binaryInput(4),
      4,
      "input byte size mismatch for input 'x' for model 'm'. Expected 8, got 4",
    ],
    ['a negative size', binaryInput(-1), 0, "parameter 'binary_data_size' has invalid type"],
    ['a fractional size', binaryInput(1.5), 0, "parameter 'binary_data_size' has invalid type"],
  ])('refuses %s', (_, body, tailBytes, message) => {
    expect(faultOf(() => decode(body, Buffer.alloc(tailBytes))).message).toContain(message);
  });

  it('refuses a header length beyond the body', () => {
    expect(() => decodeInferenceRequest(Buffer.from('{}'), 3, REF, () => [])).toThrow(
      'inference header size should be in range (0, 2), got: 3',
    );
  });
});

describe('header length 0', () => {
  const spec = (datatype: TensorSpec['datatype'], shape: number[]): TensorSpec => ({ name: 'x', datatype, shape });
  const raw = (body: string, specs: readonly TensorSpec[]): DecodedRequest =>
    decodeInferenceRequest(Buffer.from(body), 0, REF, () => specs);

  it.each([
    [spec('UINT8', [-1]), 'abcd', [4], 'abcd'],
    [spec('UINT8', [1, 2, -1]), 'abcd', [1, 2, 2], 'abcd'],
    [spec('INT32', [1]), 'abcd', [1], 'abcd'],
    [spec('BYTES', [1]), 'ab', [1], '\x02\0\0\0ab'],
    [spec('BYTES', [-1, 1]), 'ab', [1, 1], '\x02\0\0\0ab'],
  ])('takes the whole body as %j', (input, body, shape, data) => {
    const { request, binaryOutputs } = raw(body, [input]);
    expect(request.inputs[0]?.shape).toEqual(shape);
    expect(Buffer.from(request.inputs[0]?.data ?? []).toString('latin1')).toBe(data);
    expect(binaryOutputs).toBe('all');
  });

  it.each([
    [[spec('UINT8', [1]), spec('UINT8', [1])], 'has 2 inputs, exactly 1 expected'],
    [[spec('UINT8', [-1, -1])], 'has 2 dimensions of any size, at most 1 expected'],
    [[spec('BYTES', [2])], 'one element expected'],
    [[spec('INT32', [-1])], 'Expected 8, got 5'],
    [[spec('INT32', [3])], 'Expected 12, got 5'],
  ])('refuses %j', (specs, message) => {
    expect(() => raw('abcde', specs)).toThrow(message);
  });
});

describe('parseHeaderLength', () => {
  it.each([
    [undefined, undefined],
    ['0', 0],
    ['123', 123],
  ])('reads %s', (text, expected) => expect(parseHeaderLength(text)).toBe(expected));

  it.each(['', '-1', '1.5', 'x', '0x10', '99999999999999999999'])('refuses "%s"', (text) => {
    expect(() => parseHeaderLength(text)).toThrow('an integer of 0 or more expected');
  });
});
