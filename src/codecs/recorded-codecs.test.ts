import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MillraceError } from '../base/errors.ts';
import type { Datatype } from '../tensor/datatype.ts';
import { type Tensor } from '../tensor/tensor.ts';
import { requestOf } from './testing.ts';
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
