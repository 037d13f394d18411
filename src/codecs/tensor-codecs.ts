import { MillraceError } from '../base/errors.ts';
import type { TypedArray } from '../tensor/datatype.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { bytesOf, decodeBase64, decodeTexts, encodeBase64, listTensor } from './bytes-lists.ts';
import { decodeJsonCells, encodeJsonCells } from './columns.ts';
import { contentTypeOf, declaredTensor, type CodecMetadata } from './content-type.ts';
import { decodeDatetimes, encodeDatetimes } from './datetimes.ts';
import { wrongValue } from './faults.ts';
import { decodeArray, encodeArray, isNdArray, type NdArray } from './nd-array.ts';

/** What each content type of a tensor is decoded to (MLServer sheet §2). */
export interface Decoded {
  str: string[];
  base64: Buffer[];
  datetime: Date[];
  np: NdArray;
  pd_json: unknown[];
}

/** What each can be encoded from. */
export interface Encodable {
  str: string | readonly string[];
  base64: Uint8Array | readonly Uint8Array[];
  datetime: Date | readonly (Date | string)[];
  np: NdArray | TypedArray;
  pd_json: readonly unknown[];
}

/** Content types of tensors. */
export type ContentType = keyof Decoded;

/** A decoded tensor, whatever its content type; without one an array, or the elements of BYTES as they came. */
export type DecodedTensor = Decoded[ContentType];

type Codec<C extends ContentType> = {
  decode(tensor: Tensor): Decoded[C];
  encode(name: string, value: unknown): Tensor;
};

const CODECS: { readonly [C in ContentType]: Codec<C> } = {
  str: {
    decode: (tensor) => decodeTexts(tensor),
    encode: (name, value) => listTensor(name, listOf(name, value, isText, 'a text or an array of texts'), 'str'),
  },
  base64: {
    decode: decodeBase64,
    encode: (name, value) => encodeBase64(name, listOf(name, value, isBytes, 'a Uint8Array or an array of them')),
  },
  datetime: {
    decode: decodeDatetimes,
    encode: (name, value) => encodeDatetimes(name, listOf(name, value, isTime, 'a Date or an array of Dates')),
  },
  np: {
    decode: decodeArray,
    encode: (name, value) => {
      if (!isNdArray(value) && !isTypedArray(value)) throw wrongValue(name, value, 'a typed array or an NdArray');
      return encodeArray(name, value);
    },
  },
  pd_json: {
    decode: decodeJsonCells,
    encode: (name, value) =>
      encodeJsonCells(
        name,
        listOf(name, value, (_cell): _cell is unknown => true, 'an array'),
      ),
  },
};

export const CONTENT_TYPES = Object.keys(CODECS) as readonly ContentType[];

/**
 * The value of an input tensor. With a content type: as that, whatever the request says. Else by the input's own
 * `content_type`, then by the one that the model declares for the input of that name; with neither, or an unknown one, by
 * datatype: numbers as an {@link NdArray}, BYTES as an array of Buffers.
 * @param as a content type, or what the model declares (`context.model.settings`)
 * @throws WRONG_DATATYPE, MALFORMED_BYTES for data that the codec cannot read; they name the input and the element
 */
export function decodeInput<C extends ContentType>(input: Tensor, as: C): Decoded[C];
export function decodeInput(input: Tensor, as?: CodecMetadata): DecodedTensor;
export function decodeInput(input: Tensor, as?: ContentType | CodecMetadata): DecodedTensor {
  if (typeof as === 'string') return codecOf(as).decode(input);
  return decodeTagged(input, as) ?? (input.datatype === 'BYTES' ? bytesOf(input, 'none') : decodeArray(input));
}

/** What the codec that an input names, or the model for it, makes of it; undefined where there is none. */
export function decodeTagged(input: Tensor, metadata: CodecMetadata | undefined): DecodedTensor | undefined {
  const contentType = contentTypeOf(input, declaredTensor(metadata?.inputs, input.name));
  return isContentType(contentType) ? CODECS[contentType].decode(input) : undefined;
}

export interface EncodeOptions<C extends ContentType = ContentType> {
  /** Absent: what the request asks for this output, then what the model declares for it, then by the value. */
  readonly contentType?: C | undefined;
  readonly request?: Pick<InferenceRequest, 'outputs'> | undefined;
  readonly metadata?: CodecMetadata | undefined;
}

/**
 * A tensor from a value, tagged with its content type, so that clients decode it again. Without a content type texts are
 * `str`, Uint8Arrays in an array `base64`, Dates `datetime`, typed arrays and {@link NdArray}s `np`.
 * Lists have the shape `[n, 1]`, and so have arrays of one dimension.
 * @throws RUNTIME_FAILED for a value that the codec does not take
 */
export function encodeOutput<C extends ContentType>(
  name: string,
  value: Encodable[C],
  options: EncodeOptions<C> & { readonly contentType: C },
): Tensor;
export function encodeOutput(
  name: string,
  value: Encodable[ContentType],
  options?: EncodeOptions & { readonly contentType?: undefined },
): Tensor;
export function encodeOutput(name: string, value: unknown, options: EncodeOptions = {}): Tensor {
  const { contentType = askedType(name, options) ?? typeOf(value) } = options;
  if (contentType === undefined) {
    throw wrongValue(name, value, 'texts, Uint8Arrays, Dates, a typed array or an NdArray');
  }
  return codecOf(contentType).encode(name, value);
}

function askedType(name: string, { request, metadata }: EncodeOptions): ContentType | undefined {
  const requested = request?.outputs.find((output) => output.name === name);
  const contentType = contentTypeOf(requested, declaredTensor(metadata?.outputs, name));
  return isContentType(contentType) ? contentType : undefined;
}

/** The content type that a value suggests. */
export function typeOf(value: unknown): ContentType | undefined {
  if (isNdArray(value) || isTypedArray(value)) return 'np';
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.every(isText)) return 'str';
  if (list.every(isBytes)) return 'base64';
  return list.every((element) => element instanceof Date) ? 'datetime' : undefined;
}

export function isContentType(name: string | undefined): name is ContentType {
  return name !== undefined && Object.hasOwn(CODECS, name);
}

function codecOf(contentType: string): Codec<ContentType> {
  if (isContentType(contentType)) return CODECS[contentType];
  const known = CONTENT_TYPES.join(', ');
  throw new MillraceError('RUNTIME_FAILED', `content type "${contentType}": one of ${known} expected`);
}

/** One element counts as a list of one. */
function listOf<T>(name: string, value: unknown, is: (element: unknown) => element is T, expected: string): T[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.every(is)) return list;
  throw wrongValue(name, list.length === 1 ? list[0] : list.find((element) => !is(element)), expected);
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
const isTime = (value: unknown): value is Date | string => value instanceof Date || isText(value);
const isTypedArray = (value: unknown): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView);
