/** What a runtime's author needs; everything else is internal. */
export { MillraceError, type ErrorDetails, type ErrorOptions, type Reason } from './base/errors.ts';
export type { Logger } from './base/logger.ts';
export {
  defineRuntime,
  type RuntimeContext,
  type RuntimeDefinition,
  type RuntimeResponse,
} from './runtime/script/define-runtime.ts';
export { decodeBytes, encodeBytes, textData } from './tensor/bytes.ts';
export type { Datatype, TypedArray } from './tensor/datatype.ts';
export type { InferenceRequest } from './tensor/inference.ts';
export { Uint64, type Parameters, type ParameterValue } from './tensor/parameters.ts';
export { tensorOf, typedData, type Tensor, type TensorSpec } from './tensor/tensor.ts';
