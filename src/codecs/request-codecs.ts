import { MillraceError } from '../base/errors.ts';
import type { TypedArray } from '../tensor/datatype.ts';
import type { InferenceRequest } from '../tensor/inference.ts';
import type { Parameters } from '../tensor/parameters.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { decodeColumns, encodeColumns, type Columns } from './columns.ts';
import { contentTypeOf, type CodecMetadata } from './content-type.ts';
import { wrongValue } from './faults.ts';
import type { NdArray } from './nd-array.ts';
import { decodeInput, decodeTagged, encodeOutput, typeOf, type DecodedTensor } from './tensor-codecs.ts';

/** What each content type of a whole request is decoded to. */
export interface DecodedRequest {
  str: string[];
  np: NdArray;
  pd: Columns;
}

/** What each can be encoded from. */
export interface EncodableResponse {
  str: string | readonly string[];
  np: NdArray | TypedArray;
  pd: Columns;
}

/** Content types of whole requests and responses. */
export type RequestContentType = keyof DecodedRequest;

/** The inputs of a request by name. */
export type DecodedInputs = Readonly<Record<string, DecodedTensor>>;

/**
 * The value of a whole request. With a content type: as that. Else by the request's own `content_type`, then by the model's;
 * with neither, or an unknown one, its inputs by name, each as `decodeInput` has it.
 *
 * `str` and `np` need exactly one input; its own content type, if it has one, goes before the request's. `pd` makes each input a column, decoded by the input's own content type first.
 * @param as a content type, or what the model declares (`context.model.settings`)
 * @param metadata what the model declares, where `as` is a content type
 * @throws MISSING_INPUT or UNEXPECTED_INPUT for a wrong number of inputs, else as `decodeInput`
 */
export function decodeRequest<C extends RequestContentType>(
  request: InferenceRequest,
  as: C,
  metadata?: CodecMetadata,
): DecodedRequest[C];
export function decodeRequest(request: InferenceRequest, as?: CodecMetadata): DecodedTensor | Columns | DecodedInputs;
export function decodeRequest(
  request: InferenceRequest,
  as?: RequestContentType | CodecMetadata,
  metadata?: CodecMetadata,
): DecodedTensor | Columns | DecodedInputs {
  const declared = typeof as === 'string' ? metadata : as;
  const contentType = typeof as === 'string' ? known(as) : contentTypeOf(request, declared);
  if (contentType === 'pd') return decodeColumns(request.inputs, (input) => decodeTagged(input, declared));
  if (contentType === 'str' || contentType === 'np') {
    const input = onlyInput(request, contentType);
    const own = typeof as === 'string' ? undefined : decodeTagged(input, declared);
    return own ?? decodeInput(input, contentType);
  }
  const inputs = Object.create(null) as Record<string, DecodedTensor>;
  for (const input of request.inputs) inputs[input.name] = decodeInput(input, declared);
  return inputs;
}

/** What `encodeResponse` makes: as much of a response as a runtime yields. */
export interface EncodedResponse {
  readonly parameters: Parameters;
  readonly outputs: readonly Tensor[];
}

/**
 * A response from one value, tagged with its content type: texts are `str`, a typed array or NdArray `np`, each one output
 * called `output-1`; an object of columns is `pd`, one output per column.
 * @throws RUNTIME_FAILED for a value that the codec does not take
 */
export function encodeResponse<C extends RequestContentType>(
  value: EncodableResponse[C],
  contentType: C,
): EncodedResponse;
export function encodeResponse(value: EncodableResponse[RequestContentType]): EncodedResponse;
export function encodeResponse(value: unknown, contentType?: RequestContentType): EncodedResponse {
  const type = contentType === undefined ? typeOfAll(value) : known(contentType);
  const parameters = { content_type: type };
  if (type === 'pd') {
    if (typeof value !== 'object' || value === null) throw wrongValue('output-1', value, 'an object of columns');
    return { parameters, outputs: encodeColumns(value as Columns) };
  }
  const output = encodeOutput('output-1', value as string[], { contentType: type as 'str' });
  return { parameters, outputs: [output] };
}

function typeOfAll(value: unknown): RequestContentType {
  const type = typeOf(value);
  return type === 'str' || type === 'np' ? type : 'pd';
}

function onlyInput({ inputs }: InferenceRequest, contentType: string): Tensor {
  const [first] = inputs;
  if (first !== undefined && inputs.length === 1) return first;
  throw new MillraceError(
    first === undefined ? 'MISSING_INPUT' : 'UNEXPECTED_INPUT',
    `The '${contentType}' codec only supports a single input tensor (${inputs.length} were received)`,
    { details: { content_type: contentType, actual: inputs.length, expected: 1 } },
  );
}

function known(contentType: string): RequestContentType {
  if (contentType === 'str' || contentType === 'np' || contentType === 'pd') return contentType;
  throw new MillraceError('RUNTIME_FAILED', `content type "${contentType}" of a request: str, np or pd expected`);
}
