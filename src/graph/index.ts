export { Timestamp, nextTimestamp, prevTimestamp, isRangeTimestamp, timestampName } from './timestamp.ts';
export type { Packet } from './packet.ts';
export { PacketType, OneOfType, SameAsType, anyPacket, oneOf, sameAs } from './packet-type.ts';
export { GraphError, type GraphErrorOptions, type Phase, type RunFault } from './graph-error.ts';
export {
  createGraphConfig,
  type ExecutorConfig,
  type GraphConfig,
  type HandlerConfig,
  type InputStreamInfo,
  type NodeConfig,
  type OptionFields,
  type OptionMessage,
  type OptionValue,
} from './graph-config.ts';
export { mergeOptions } from './merge-options.ts';
export { enumOption, fileOption } from './options.ts';
export { parseGraphConfig } from './parse-graph-config.ts';
export { defineSubgraph, subgraphOf, type NodeDefinition, type SubgraphDefinition } from './subgraph.ts';
export { parseTagMap, type TagEntry } from './tag-map.ts';
export { CalculatorRegistry } from './calculator-registry.ts';
export {
  defineCalculator,
  optional,
  repeated,
  type CalculatorDefinition,
  type CalculatorSpec,
  type InputPolicyName,
  type OptionalPort,
  type PortDeclaration,
  type PortDeclarations,
  type RepeatedPort,
} from './calculator.ts';
export type {
  CalculatorContext,
  CalculatorInstance,
  InputPort,
  OutputPort,
  OutputSidePacketPort,
} from './calculator-context.ts';
export type { ContractPort, ContractPorts, NodeContract } from './node-contract.ts';
export { readGraphFile, type GraphFile } from './graph-file.ts';
export { describeValidatedGraph, type GraphDescription, type NodeDescription } from './graph-description.ts';
export { defineStatusHandler, type RunStatus, type StatusHandlerDefinition } from './status-handler.ts';
export { validateGraph } from './validate-graph.ts';
export type { GraphPort, NodePlan, ValidatedGraph } from './validated-graph.ts';
export { GraphRun, type QueueSize } from './graph-run.ts';
export type { GraphRunOptions } from './run-core.ts';
export { TraceRecorder, type ChromeTrace } from './trace-recorder.ts';
export { profilerWarnings, TRACE_CAPACITY, type TraceSettings } from './profiler-config.ts';
export type { ObserveOptions } from './observer.ts';
export type { Poller, PollOptions } from './poller.ts';
export { runCalculator, type CalculatorCase, type CalculatorOutcome, type PacketList } from './run-calculator.ts';
