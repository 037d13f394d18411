import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import { encodeBytes } from '../tensor/bytes.ts';
import type { Datatype } from '../tensor/datatype.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import { tensorOf, type Tensor } from '../tensor/tensor.ts';
import { halvesToSingles, singlesToHalves } from './half.ts';
import type { NdArray } from './nd-array.ts';
import { decodeInput, decodeRequest, encodeOutput, encodeResponse, type CodecMetadata, type Columns } from './index.ts';

interface RecordedTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly hex: string;
  readonly content_type?: string | null;
}
interface RecordedCase {
  readonly title: string;
  readonly content_type: string | null;
  readonly value?: unknown;
  readonly error?: string;
}

/** What the real MLServer makes of it: made by scripts/record-codecs.py. */
const recorded = JSON.parse(
  readFileSync(new URL('../../test/fixtures/mlserver-codecs.json', import.meta.url), 'utf8'),
) as {
  readonly decode: (RecordedCase & { readonly tensor: RecordedTensor; readonly declared: string | null })[];
  readonly encode: (RecordedCase & { readonly tensor: RecordedTensor })[];
  readonly halves: { readonly singles: string; readonly halves: string; readonly back: string };
  readonly requests: (RecordedCase & {
    readonly inputs: readonly RecordedTensor[];
    readonly declared: Readonly<Record<string, string>> | null;
  })[];
  readonly responses: (RecordedCase & { readonly outputs: readonly RecordedTensor[]; readonly parameters: object })[];
};

function tensorFrom({ name, datatype, shape, hex, content_type }: RecordedTensor): Tensor {
  const parameters = content_type == null ? undefined : { content_type };
  return { name, datatype, shape, data: Uint8Array.from(Buffer.from(hex, 'hex')), parameters };
}

function recordedFrom({ name, datatype, shape, data, parameters }: Tensor): RecordedTensor {
  const plain = { name, datatype, shape: [...shape], hex: Buffer.from(data).toString('hex') };
  const contentType = parameters?.['content_type'];
  return contentType === undefined ? plain : { ...plain, content_type: contentType as string };
}

function requestOf(inputs: readonly Tensor[], contentType?: string | null): InferenceRequest {
  const parameters = contentType == null ? undefined : { content_type: contentType };
  return { servable: 'm', version: '', id: '', parameters, inputs, outputs: [] };
}

/** A decoded value in the form of the record. */
function plain(value: unknown, isBool = false): unknown {
  if (value instanceof Uint8Array && Buffer.isBuffer(value)) return { hex: value.toString('hex') };
  if (value instanceof Date) return { ms: value.getTime() };
  if (isBool) return value === 1;
  if (typeof value === 'bigint') return BigInt.asIntN(54, value) === value ? Number(value) : { int: String(value) };
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    return { float: String(value) };
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, (element) => plain(element));
  if (Array.isArray(value)) return value.map((element) => plain(element));
  if (typeof value === 'object' && value !== null && 'datatype' in value) {
    const { shape, data, datatype } = value as NdArray;
    return { shape, data: Array.from<unknown>(data).map((element) => plain(element, datatype === 'BOOL')) };
  }
  return value;
}

/** A value of the record in the form that our codecs take. */
function given(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(given);
  if (typeof value !== 'object' || value === null) return value;
  if ('hex' in value) return Uint8Array.from(Buffer.from(value.hex as string, 'hex'));
  if ('ms' in value) return new Date(value.ms as number);
  if (!('datatype' in value)) return value;
  const { datatype, shape, data } = value as { datatype: Datatype; shape: number[]; data: unknown[] };
  if (datatype === 'INT64' || datatype === 'UINT64') {
    const longs = data.map((element) =>
      BigInt(typeof element === 'object' ? (element as { int: string }).int : Number(element)),
    );
    return { datatype, shape, data: datatype === 'INT64' ? BigInt64Array.from(longs) : BigUint64Array.from(longs) };
  }
  const numbers = data.map(Number);
  const { data: like } = decodeInput({ name: '', datatype, shape: [0], data: new Uint8Array(0) }, 'np') as {
    data: Float32Array;
  };
  return { datatype, shape, data: (like.constructor as Float32ArrayConstructor).from(numbers) };
}

/** MLServer goes on where we refuse: rows of which some have no value. */
const STRICTER = ['pd with columns of different length'];

describe('as recorded from MLServer', () => {
  test.each(recorded.decode)('decodes $title', ({ tensor, content_type, declared, ...expected }) => {
    const input = tensorFrom({ ...tensor, content_type });
    const metadata =
      declared === null ? undefined : { inputs: [{ name: 'x', parameters: { content_type: declared } }] };
    if (expected.error !== undefined) {
      expect(() => decodeInput(input, metadata)).toThrow(MillraceError);
      return;
    }
    // MLServer has no value for a tensor without a codec; ours is by its datatype.
    if (expected.value === null) return;
    expect(plain(decodeInput(input, metadata))).toEqual(expected.value);
  });

  test.each(recorded.encode)('encodes $title', ({ content_type, value, tensor }) => {
    const payload = given(value) as string[];
    expect(recordedFrom(encodeOutput('y', payload, { contentType: content_type as 'str' }))).toEqual(tensor);
  });

  test.each(recorded.encode.filter(({ title }) => !title.endsWith('are texts')))(
    'finds the codec for $title by the value',
    ({ value, tensor }) => {
      expect(recordedFrom(encodeOutput('y', given(value) as string[]))).toEqual(tensor);
    },
  );

  test('rounds singles to halves', () => {
    const { singles, halves, back } = recorded.halves;
    const array = <T>(hex: string, type: new (buffer: ArrayBuffer) => T): T =>
      new type(Uint8Array.from(Buffer.from(hex, 'hex')).buffer);
    expect(singlesToHalves(array(singles, Float32Array))).toEqual(array(halves, Uint16Array));
    expect(halvesToSingles(array(halves, Uint16Array))).toEqual(array(back, Float32Array));
  });

  test.each(recorded.requests)(
    'decodes a request: $title',
    ({ title, inputs, content_type, declared, ...expected }) => {
      const metadata: CodecMetadata = {
        inputs: Object.entries(declared ?? {}).map(([name, type]) => ({ name, parameters: { content_type: type } })),
      };
      const request = requestOf(inputs.map(tensorFrom), content_type);
      if (expected.error !== undefined || STRICTER.includes(title)) {
        expect(() => decodeRequest(request, metadata)).toThrow(MillraceError);
        return;
      }
      const decoded = decodeRequest(request, metadata);
      if (expected.value !== null && Object.hasOwn(expected.value as object, 'request')) {
        expect(decoded).toEqual({ a: [Buffer.from('x'), Buffer.from('y')] });
      } else if (content_type === 'pd') {
        expect(plainColumns(decoded as Columns, inputs)).toEqual(expected.value);
      } else {
        expect(plain(decoded)).toEqual(expected.value);
      }
    },
  );

  test.each(recorded.responses)('encodes a response: $title', ({ content_type, value, parameters, outputs }) => {
    const payload = given(value) as Columns;
    expect(encodeResponse(payload, content_type as 'pd').outputs.map(recordedFrom)).toEqual(outputs);
    expect(encodeResponse(payload).outputs.map(recordedFrom)).toEqual(outputs);
    expect(encodeResponse(payload).parameters).toEqual(parameters);
  });
});

function plainColumns(columns: Columns, inputs: readonly RecordedTensor[]): unknown {
  const isBool = (name: string): boolean => inputs.find((input) => input.name === name)?.datatype === 'BOOL';
  return Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      Array.from(column as unknown[], (cell) => plain(cell, isBool(name))),
    ]),
  );
}

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
