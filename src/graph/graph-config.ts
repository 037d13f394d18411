/** A value of an option message: scalars, nested messages, lists. Enums are their names as strings. */
export type OptionValue = string | number | bigint | boolean | OptionFields | readonly OptionValue[];

/** Fields of an option message by the name the file gives them (snake_case), repeated ones as arrays if given more than once. */
export interface OptionFields {
  readonly [field: string]: OptionValue;
}

/** One message in `options` (an extension) or `node_options` (an Any). */
export interface OptionMessage {
  /** Full name of the message type, such as `mediapipe.GateCalculatorOptions`. */
  readonly type: string;
  readonly fields: OptionFields;
  readonly line?: number | undefined;
}

export interface HandlerConfig {
  readonly handler: string;
  readonly options: readonly OptionMessage[];
}

export interface InputStreamInfo {
  readonly tagIndex: string;
  readonly backEdge: boolean;
}

export interface ExecutorConfig {
  readonly name: string;
  readonly type: string;
  readonly options: readonly OptionMessage[];
}

/** A node of a graph file. Streams and side packets are `TAG:index:name`, as written. */
export interface NodeConfig {
  readonly name: string;
  readonly calculator: string;
  readonly inputStream: readonly string[];
  readonly outputStream: readonly string[];
  readonly inputSidePacket: readonly string[];
  readonly outputSidePacket: readonly string[];
  readonly options: readonly OptionMessage[];
  readonly nodeOptions: readonly OptionMessage[];
  readonly inputStreamInfo: readonly InputStreamInfo[];
  readonly inputStreamHandler?: HandlerConfig | undefined;
  readonly outputStreamHandler?: HandlerConfig | undefined;
  readonly executor: string;
  /** Calls of `process` that may be under way at once, where they are asynchronous. */
  readonly maxInFlight: number;
  readonly sourceLayer: number;
  readonly bufferSizeHint: number;
  readonly optionValue: readonly string[];
  readonly profilerConfig?: OptionFields | undefined;
  /** Where the node begins in its file. */
  readonly line?: number | undefined;
  /** Its file, where that is not the graph's: the node came out of a subgraph. */
  readonly file?: string | undefined;
}

/** Told of a run's status, before it begins and after it has ended. */
export interface StatusHandlerConfig {
  readonly statusHandler: string;
  readonly inputSidePacket: readonly string[];
  readonly options: readonly OptionMessage[];
  readonly line?: number | undefined;
}

/** A parsed CalculatorGraphConfig. `packet_generator` and `packet_factory` are nodes without streams, before the others. */
export interface GraphConfig {
  readonly file?: string | undefined;
  /** Lines of the graph's own fields, by name and, of texts, value: `output_stream OUT:x`, `profiler_config`. */
  readonly lines?: ReadonlyMap<string, number> | undefined;
  readonly inputStream: readonly string[];
  readonly outputStream: readonly string[];
  readonly inputSidePacket: readonly string[];
  readonly outputSidePacket: readonly string[];
  readonly node: readonly NodeConfig[];
  readonly executor: readonly ExecutorConfig[];
  readonly numThreads: number;
  /** Packets per input queue before sources are throttled; 0 means 100, -1 never. */
  readonly maxQueueSize: number;
  readonly reportDeadlock: boolean;
  readonly inputStreamHandler?: HandlerConfig | undefined;
  readonly outputStreamHandler?: HandlerConfig | undefined;
  readonly statusHandler: readonly StatusHandlerConfig[];
  readonly profilerConfig?: OptionFields | undefined;
  readonly runtimeInfo?: OptionFields | undefined;
  /** The name under which the graph serves as a subgraph. */
  readonly type: string;
  readonly package: string;
  readonly options: readonly OptionMessage[];
  readonly graphOptions: readonly OptionMessage[];
}

const NODE_DEFAULTS: NodeConfig = {
  name: '',
  calculator: '',
  inputStream: [],
  outputStream: [],
  inputSidePacket: [],
  outputSidePacket: [],
  options: [],
  nodeOptions: [],
  inputStreamInfo: [],
  executor: '',
  maxInFlight: 1,
  sourceLayer: 0,
  bufferSizeHint: 0,
  optionValue: [],
};

const GRAPH_DEFAULTS: GraphConfig = {
  inputStream: [],
  outputStream: [],
  inputSidePacket: [],
  outputSidePacket: [],
  node: [],
  executor: [],
  numThreads: 0,
  maxQueueSize: 0,
  reportDeadlock: false,
  statusHandler: [],
  type: '',
  package: '',
  options: [],
  graphOptions: [],
};

/** The option messages of a node, those of `options` last; where both fields have one of a type, that of `options` counts. */
export function optionsOf({ nodeOptions, options }: NodeConfig): readonly OptionMessage[] {
  if (options.length === 0) return nodeOptions;
  return [...nodeOptions.filter(({ type }) => options.every((other) => other.type !== type)), ...options];
}

/** A config made in code: what is left out takes the format's default. */
export function createGraphConfig(
  fields: Partial<Omit<GraphConfig, 'node'>> & { readonly node: readonly Partial<NodeConfig>[] },
): GraphConfig {
  return { ...GRAPH_DEFAULTS, ...fields, node: fields.node.map((node) => ({ ...NODE_DEFAULTS, ...node })) };
}
