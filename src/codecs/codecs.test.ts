import { describe, expect, test } from 'vitest';
import { encodeBytes } from '../tensor/bytes.ts';
import { tensorOf, type Tensor } from '../tensor/tensor.ts';
import type { NdArray } from './nd-array.ts';
import { decodeInput, decodeRequest, encodeOutput, encodeResponse, type CodecMetadata, type Columns } from './index.ts';
import { requestOf } from './testing.ts';

const texts = (...elements: (string | Uint8Array)[]): Tensor => ({
  name: 'prompt',
  datatype: 'BYTES',
  shape: [elements.length],
  data: encodeBytes(elements),
});

describe('values', () => {
  test('without a content type numbers are an array, BYTES their elements', () => {
    expect(decodeInput(tensorOf('x', 'FP32', [2], Float32Array.of(1, 2)))).toEqual({
      datatype: 'FP32',
      shape: [2],
      data: Float32Array.of(1, 2),
    });
    expect(decodeInput(texts('a', 'b'))).toEqual([Buffer.from('a'), Buffer.from('b')]);
  });

  test('an array is a view of the tensor, and the tensor one of the array', () => {
    const data = Float32Array.of(1, 2);
    const decoded = decodeInput(tensorOf('x', 'FP32', [2], data), 'np');
    expect((decoded.data as Float32Array).buffer).toBe(data.buffer);
    expect(encodeOutput('y', data).data.buffer).toBe(data.buffer);
  });

  test('bytes at an odd place are copied into one that fits', () => {
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float64Array.of(0.1).buffer), 1);
    const decoded = decodeInput({ name: 'x', datatype: 'FP64', shape: [1], data: bytes.subarray(1) }, 'np');
    expect(decoded.data).toEqual(Float64Array.of(0.1));
  });

  test('the types say what a content type is decoded to', () => {
    const words: string[] = decodeInput(texts('a'), 'str');
    const pictures: Buffer[] = decodeInput(texts('YQ=='), 'base64');
    const array: NdArray = decodeInput(tensorOf('x', 'FP32', [1], Float32Array.of(2)), 'np');
    const sum: number = array.datatype === 'FP32' ? array.data.reduce((a, b) => a + b) : NaN;
    const columns: Columns = decodeRequest(requestOf([texts('a')]), 'pd');
    expect([words, pictures, sum, Object.keys(columns)]).toEqual([['a'], [Buffer.from('a')], 2, ['prompt']]);
    // @ts-expect-error numbers are no texts
    expect(() => encodeOutput('y', [1, 2], { contentType: 'str' })).toThrow('output "y": number given, a text or');
  });

  test('BYTES as an array keep their shape', () => {
    const square = { ...texts('a', 'b', 'c', 'd'), shape: [2, 2] };
    const decoded = decodeInput(square, 'np');
    expect(decoded).toMatchObject({
      datatype: 'BYTES',
      shape: [2, 2],
      data: ['a', 'b', 'c', 'd'].map((e) => Buffer.from(e)),
    });
    expect(encodeOutput('y', decoded)).toMatchObject({ shape: [2, 2], data: Buffer.from(square.data) });
  });

  test('BF16 comes as singles and goes back', () => {
    const tensor: Tensor = {
      name: 'x',
      datatype: 'BF16',
      shape: [3, 1],
      data: Uint8Array.of(0x80, 0x3f, 0xc0, 0x7f, 0x49, 0xc0),
    };
    const decoded = decodeInput(tensor, 'np');
    expect(decoded.data).toEqual(Float32Array.of(1, NaN, -3.140625));
    expect(Buffer.from(encodeOutput('y', decoded).data)).toEqual(Buffer.from(tensor.data));
    const rounded = encodeOutput('y', { datatype: 'BF16', shape: [1], data: Float32Array.of(3.14159) });
    expect([...rounded.data]).toEqual([0x49, 0x40]);
  });

  test('one value counts as a list of one', () => {
    expect(encodeOutput('y', 'a')).toMatchObject({ shape: [1, 1], parameters: { content_type: 'str' } });
    const date = new Date(0);
    expect(encodeOutput('y', date, { contentType: 'datetime' }).shape).toEqual([1, 1]);
  });
});

describe('columns', () => {
  test('come back as they went, codecs stacked', () => {
    const columns: Columns = {
      text: ['a', 'b'],
      long: BigInt64Array.of(1n, -1n),
      when: [new Date(0), new Date(1)],
      cell: [{ a: 1 }, null],
      bytes: [Buffer.of(255), Buffer.of(0)],
    };
    const { outputs, parameters } = encodeResponse(columns, 'pd');
    expect(decodeRequest({ ...requestOf(outputs), parameters })).toEqual(columns);
  });

  test('whole numbers are INT64, others FP64; a missing one is NaN', () => {
    const { outputs } = encodeResponse({ whole: [1, 2], real: [0.5, null], big: [2n ** 62n, 0n] }, 'pd');
    expect(outputs.map(({ datatype }) => datatype)).toEqual(['INT64', 'FP64', 'INT64']);
    expect(decodeInput(outputs[1] as Tensor, 'np').data).toEqual(Float64Array.of(0.5, NaN));
  });

  test('a column without rows is one of texts, as in pandas', () => {
    const [column] = encodeResponse({ none: [] }, 'pd').outputs;
    expect(column).toMatchObject({ datatype: 'BYTES', shape: [0, 1], parameters: { content_type: 'str' } });
  });

  test('a name like __proto__ is a name like any', () => {
    const column = { ...texts('a'), name: '__proto__', parameters: { content_type: 'str' } };
    expect(Object.entries(decodeRequest(requestOf([column]), 'pd'))).toEqual([['__proto__', ['a']]]);
  });
});

describe('who says the content type', () => {
  const asked = { outputs: [{ name: 'y', parameters: { content_type: 'base64' } }] };
  const metadata = { outputs: [{ name: 'y', parameters: { content_type: 'str' } }] };

  test('of an output: the code, the request, the model, the value', () => {
    const bytes = Buffer.from('a');
    const type = (tensor: Tensor): unknown => tensor.parameters?.['content_type'];
    expect(type(encodeOutput('y', bytes, { contentType: 'np', request: asked, metadata }))).toBe('np');
    expect(type(encodeOutput('y', bytes, { request: asked, metadata }))).toBe('base64');
    expect(type(encodeOutput('y', ['a'], { request: { outputs: [{ name: 'y' }] }, metadata }))).toBe('str');
    expect(type(encodeOutput('z', [bytes], { request: asked, metadata }))).toBe('base64');
  });

  test.each([undefined, 1, { inputs: 1 }, { inputs: [null, { name: 'prompt' }], parameters: 3 }])(
    'a model that declares %j declares none',
    (settings) => {
      expect(decodeInput(texts('a'), settings as CodecMetadata)).toBeDefined();
      expect(decodeRequest(requestOf([texts('a')]), { ...(settings as object) })).toEqual({
        prompt: [Buffer.from('a')],
      });
    },
  );

  test("of a request: its own, then the model's", () => {
    const declared = { parameters: { content_type: 'str' } };
    expect(decodeRequest(requestOf([texts('a')]), declared)).toEqual(['a']);
    expect(decodeRequest(requestOf([texts('a')], 'pd'), declared)).toEqual({ prompt: [Buffer.from('a')] });
  });
});

describe('faults say where and what', () => {
  test.each<[string, () => unknown, string, string]>([
    [
      'no UTF-8',
      () => decodeInput(texts('ok', Buffer.of(0xff)), 'str'),
      'MALFORMED_BYTES',
      'input "prompt" (content type str): element 1 is not valid UTF-8',
    ],
    [
      'no text at all',
      () => decodeInput(tensorOf('n', 'INT32', [1], Int32Array.of(1)), 'str'),
      'WRONG_DATATYPE',
      'input "n" (content type str): INT32 given, BYTES expected',
    ],
    [
      'no time',
      () => decodeInput(texts('noon'), 'datetime'),
      'MALFORMED_BYTES',
      'input "prompt" (content type datetime): element 0 is "noon", an ISO 8601 text expected',
    ],
    ['no JSON', () => decodeInput(texts('{'), 'pd_json'), 'MALFORMED_BYTES', 'element 0 is "{", a JSON text expected'],
    [
      'two inputs',
      () => decodeRequest(requestOf([texts('a'), texts('b')]), 'str'),
      'UNEXPECTED_INPUT',
      "The 'str' codec only supports a single input tensor (2 were received)",
    ],
    [
      'uneven columns',
      () => decodeRequest(requestOf([texts('a', 'b'), { ...texts('c'), name: 'c' }]), 'pd'),
      'WRONG_SHAPE',
      'input "c" (content type pd): shape [1] given, one element for each of 2 rows expected',
    ],
    [
      'an output of nothing',
      () => encodeOutput('y', {} as string),
      'RUNTIME_FAILED',
      'output "y": Object given, texts, Uint8Arrays, Dates, a typed array or an NdArray expected',
    ],
    [
      'elements of two kinds',
      () => encodeOutput('y', ['a', 1] as string[], { contentType: 'str' }),
      'RUNTIME_FAILED',
      'output "y": number given',
    ],
    [
      'a shape that does not fit',
      () => encodeOutput('y', { datatype: 'FP32', shape: [3], data: Float32Array.of(1) }),
      'RUNTIME_FAILED',
      'output "y": Float32Array given, 3 elements for shape [3,1] expected',
    ],
    [
      'a wrong class',
      () => encodeOutput('y', { datatype: 'FP32', shape: [1], data: [1] } as unknown as NdArray),
      'RUNTIME_FAILED',
      'output "y": Array given, Float32Array for FP32 expected',
    ],
    [
      'no such content type',
      () => decodeInput(texts('a'), 'text' as 'str'),
      'RUNTIME_FAILED',
      'content type "text": one of str, base64, datetime, np, pd_json expected',
    ],
    [
      'a Date that is none',
      () => encodeOutput('y', new Date(NaN)),
      'RUNTIME_FAILED',
      'output "y": Date given, a valid Date expected',
    ],
    [
      'a column that is none',
      () => encodeResponse({ a: 1 } as unknown as Columns, 'pd'),
      'RUNTIME_FAILED',
      'output "a": number given, a column',
    ],
    [
      'uneven output columns',
      () => encodeResponse({ a: [1], b: [1, 2] }, 'pd'),
      'RUNTIME_FAILED',
      'output "b": Array given, 1 rows, as the first column has, expected',
    ],
    [
      'a cell beyond JSON',
      () => encodeResponse({ a: [undefined] }, 'pd'),
      'RUNTIME_FAILED',
      'output "a": undefined given, a value that JSON can hold expected',
    ],
  ])('%s', (_what, call, reason, message) => {
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ reason, message: expect.stringContaining(message) as string });
  });
});
