/** What authors of runtimes, scripts and calculators need; everything else is internal. */
export { MillraceError, type ErrorDetails, type ErrorOptions, type Reason } from './base/errors.ts';
export type { Logger } from './base/logger.ts';
export {
  imagePacket,
  requestPacket,
  responsePacket,
  tensorPacket,
  tensorsPacket,
  type RequestPacketType,
  type ResponsePacketType,
  type TensorPacketType,
} from './calculators/packet-types.ts';
export type { Image } from './media/image.ts';
export {
  decodeInput,
  decodeRequest,
  encodeOutput,
  encodeResponse,
  type CodecMetadata,
  type Column,
  type Columns,
  type ContentType,
  type Decoded,
  type DecodedInputs,
  type DecodedRequest,
  type DecodedTensor,
  type ElementsOf,
  type Encodable,
  type EncodableResponse,
  type EncodedResponse,
  type EncodeOptions,
  type NdArray,
  type NdArrayOf,
  type RequestContentType,
} from './codecs/index.ts';
export {
  anyPacket,
  defineCalculator,
  defineStatusHandler,
  GraphError,
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
  type InputPort,
  type NodeContract,
  type OutputPort,
  type Packet,
  type PortDeclarations,
  type RunStatus,
  type StatusHandlerDefinition,
} from './graph/index.ts';
export {
  defineRuntime,
  type MetricLabels,
  type RouteRequest,
  type RouteResponse,
  type RuntimeContext,
  type RuntimeDefinition,
  type RuntimeMetadata,
  type RuntimeMeter,
  type RuntimeModel,
  type RuntimeResponse,
  type RuntimeRoute,
} from './runtime/script/define-runtime.ts';
export {
  defineScript,
  type ScriptContext,
  type ScriptHandler,
  type ScriptOutputs,
  type ScriptSetup,
} from './runtime/script/define-script.ts';
export { decodeBytes, encodeBytes, textData } from './tensor/bytes.ts';
export type { Datatype, TypedArray } from './tensor/datatype.ts';
export type { Headers, InferenceRequest, InferenceResponse } from './tensor/inference.ts';
export { JsonParameter, Uint64, type Parameters, type ParameterValue } from './tensor/parameters.ts';
export { tensorOf, typedData, type Tensor, type TensorSpec } from './tensor/tensor.ts';
/** Schemas of calculators' options; a module in any folder has no zod of its own. */
export { z } from 'zod';
