/** What runtimes decode requests and encode responses with: MLServer's content types (MLServer sheet §2). */
export type { Column, Columns } from './columns.ts';
export type { CodecMetadata } from './content-type.ts';
export type { ElementsOf, NdArray, NdArrayOf } from './nd-array.ts';
export {
  decodeRequest,
  encodeResponse,
  type DecodedInputs,
  type DecodedRequest,
  type EncodableResponse,
  type EncodedResponse,
  type RequestContentType,
} from './request-codecs.ts';
export {
  decodeInput,
  encodeOutput,
  type ContentType,
  type Decoded,
  type DecodedTensor,
  type Encodable,
  type EncodeOptions,
} from './tensor-codecs.ts';
