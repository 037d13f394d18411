/** `millrace/client`: clients of KServe v2 servers. */
export { GrpcClient, type GrpcClientOptions, type StreamOptions } from './grpc-client.ts';
export { InferenceError, type StatusName } from './inference-error.ts';
export type { InferStream, StreamAnswer, StreamDialect } from './infer-stream.ts';
export type { CallOptions, ClientRequest, ConnectionOptions, TlsOptions } from './request.ts';
export { RestClient, type RestClientOptions, type RestModelMetadata, type RestTensorMetadata } from './rest-client.ts';
export { decodeBytes, encodeBytes, textData } from '../tensor/bytes.ts';
export type { Datatype, TypedArray } from '../tensor/datatype.ts';
export type { InferenceResponse } from '../tensor/inference.ts';
export { JsonParameter, Uint64, type Parameters, type ParameterValue } from '../tensor/parameters.ts';
export { tensorOf, typedData, type Tensor } from '../tensor/tensor.ts';
