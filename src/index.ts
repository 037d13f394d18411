/** What authors of runtimes and calculators need; everything else is internal. */
export { MillraceError, type ErrorDetails, type ErrorOptions, type Reason } from './base/errors.ts';
export type { Logger } from './base/logger.ts';
export {
  defineRuntime,
  type RuntimeContext,
  type RuntimeDefinition,
  type RuntimeResponse,
} from './runtime/script/define-runtime.ts';
export {
  anyPacket,
  defineCalculator,
  GraphError,
  nextTimestamp,
  oneOf,
  optional,
  PacketType,
  repeated,
  runCalculator,
  sameAs,
  Timestamp,
  type CalculatorCase,
  type CalculatorContext,
  type CalculatorDefinition,
  type CalculatorInstance,
  type CalculatorOutcome,
  type CalculatorSpec,
  type InputPolicyName,
  type InputPort,
  type NodeContract,
  type OutputPort,
  type Packet,
  type PacketList,
  type PortDeclarations,
} from './graph/index.ts';
export { imagePacket, requestPacket, responsePacket, tensorPacket, tensorsPacket } from './calculators/packet-types.ts';
export { fromImage, toImage, type Image } from './calculators/image.ts';
export { decodeBytes, encodeBytes, textData } from './tensor/bytes.ts';
export type { Datatype, TypedArray } from './tensor/datatype.ts';
export type { InferenceRequest } from './tensor/inference.ts';
export { Uint64, type Parameters, type ParameterValue } from './tensor/parameters.ts';
export { tensorOf, typedData, type Tensor, type TensorSpec } from './tensor/tensor.ts';
