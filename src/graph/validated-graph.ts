import type { CalculatorDefinition } from './calculator.ts';
import type { GraphConfig } from './graph-config.ts';
import type { InputPolicyFactory } from './policies/input-policy.ts';
import type { TraceSettings } from './profiler-config.ts';
import type { PacketType } from './packet-type.ts';
import type { StatusHandlerPlan } from './plan-status-handlers.ts';
import type { TagEntry } from './tag-map.ts';

export interface GraphPort extends TagEntry {
  readonly type: PacketType;
}

/** An input of a planned node. */
export interface InputPlan extends TagEntry {
  /** Index into {@link ValidatedGraph.streams}. */
  readonly stream: number;
  readonly backEdge: boolean;
  /** Sources (node indexes) that stop while this input's queue is full. */
  readonly throttledSources: readonly number[];
  /** Graph inputs (indexes into `inputStreams`) that stop while this input's queue is full. */
  readonly throttledInputs: readonly number[];
}

export interface OutputPlan extends TagEntry {
  readonly stream: number;
}

export interface SidePacketPlan extends TagEntry {
  readonly type: PacketType;
  readonly optional: boolean;
  /** Whether another node makes it. */
  readonly isProduced: boolean;
}

/** Where the ports of one tag are: one index into the flat list, or several for a repeated tag. */
export interface TagSlots {
  readonly tag: string;
  readonly slots: number | readonly number[];
}

/** A node with everything that does not change from run to run. */
export interface NodePlan {
  /** Position in the order in which the file lists nodes. */
  readonly index: number;
  /** Position in topological order. */
  readonly order: number;
  readonly name: string;
  /** For messages about its streams. */
  readonly debugName: string;
  readonly definition: CalculatorDefinition;
  readonly options: unknown;
  readonly inputs: readonly InputPlan[];
  readonly outputs: readonly OutputPlan[];
  readonly sideInputs: readonly SidePacketPlan[];
  readonly sideOutputs: readonly SidePacketPlan[];
  readonly inputTags: readonly TagSlots[];
  readonly outputTags: readonly TagSlots[];
  readonly sideInputTags: readonly TagSlots[];
  readonly sideOutputTags: readonly TagSlots[];
  readonly timestampOffset: bigint | undefined;
  /** The input policy, by the name that graph files use. */
  readonly policyName: string;
  readonly policy: InputPolicyFactory;
  readonly isSource: boolean;
  readonly sourceLayer: number;
  /** Calls of `process` that may be under way at once. */
  readonly maxInFlight: number;
  /** Index into {@link ValidatedGraph.executors}; nothing where calls are not limited. */
  readonly executor: number | undefined;
  /** How many things must be there before the node opens: opened producers of its inputs, side packets of other nodes. */
  readonly waitsFor: number;
  /** Nodes (by index) that wait for this one to open. */
  readonly opensBefore: readonly number[];
}

/** A graph stream and who reads it. */
export interface StreamPlan {
  readonly name: string;
  /** What its packets are checked against. */
  readonly type: PacketType;
  /** Index into `inputStreams` when the application feeds it. */
  readonly graphInput: number | undefined;
  readonly consumers: readonly { readonly node: number; readonly input: number }[];
}

/** A graph that has passed every check; runs are made from it. Immutable, shared among runs. */
export interface ValidatedGraph {
  readonly config: GraphConfig;
  /** The streams that the application feeds; `type` is the narrowest that a consumer declares. */
  readonly inputStreams: readonly GraphPort[];
  readonly outputStreams: readonly GraphPort[];
  /** The side packets that a run is given. */
  readonly inputSidePackets: readonly {
    readonly name: string;
    readonly type: PacketType;
    readonly optional: boolean;
  }[];
  readonly measuresTime: boolean;
  readonly nodes: readonly NodePlan[];
  /** Per executor with a limit: how many asynchronous calls of its nodes may be under way at once. */
  readonly executors: readonly number[];
  readonly streams: readonly StreamPlan[];
  readonly streamIndex: ReadonlyMap<string, number>;
  /** Nodes (by index) that wait for a side packet which another node makes; once per port. */
  readonly sidePacketWaiters: ReadonlyMap<string, readonly number[]>;
  /** Names of services that some node requires. */
  readonly services: ReadonlySet<string>;
  /** Packets per input queue, -1 for no limit. */
  readonly maxQueueSize: number;
  /** Set where the graph's `profiler_config` asks for traces. */
  readonly trace: TraceSettings | undefined;
  readonly statusHandlers: readonly StatusHandlerPlan[];
}
