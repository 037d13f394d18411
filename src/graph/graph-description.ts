import { snakeCase } from './options.ts';
import type { TagEntry } from './tag-map.ts';
import type { SidePacketPlan, ValidatedGraph } from './validated-graph.ts';

export interface StreamEnd {
  readonly tag: string;
  readonly index: number;
  readonly name: string;
}

export interface SidePacketEnd extends StreamEnd {
  /** Packet type, for people. */
  readonly type: string;
  readonly optional: boolean;
}

export interface NodeDescription {
  readonly name: string;
  readonly calculator: string;
  readonly input_streams: readonly (StreamEnd & { readonly back_edge: boolean })[];
  readonly output_streams: readonly StreamEnd[];
  readonly input_side_packets: readonly SidePacketEnd[];
  readonly output_side_packets: readonly SidePacketEnd[];
  readonly input_policy: string;
  /** Null where the outputs' bounds follow their packets only. */
  readonly timestamp_offset: number | null;
  readonly source_layer: number;
  /** Place in topological order, from 0. */
  readonly order: number;
  /** As they are in force, defaults included; keys as in graph files, int64 beyond 2^53 as text. */
  readonly options: unknown;
}

/** A validated graph as plain JSON, keys as in graph files. Nodes are those after the expansion of subgraphs. */
export interface GraphDescription {
  /** The name under which it serves as a subgraph; "" if it has none. */
  readonly type: string;
  readonly input_streams: readonly (StreamEnd & { readonly type: string })[];
  readonly output_streams: readonly (StreamEnd & { readonly type: string })[];
  readonly input_side_packets: readonly { readonly name: string; readonly type: string; readonly optional: boolean }[];
  readonly nodes: readonly NodeDescription[];
  readonly streams: readonly {
    readonly name: string;
    readonly type: string;
    /** A node; null: the graph's input. */
    readonly producer: string | null;
    readonly consumers: readonly string[];
  }[];
  /** Packets per input queue before what feeds it waits; -1: no limit. */
  readonly max_queue_size: number;
  readonly report_deadlock: boolean;
}

export function describeValidatedGraph(graph: ValidatedGraph): GraphDescription {
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map(({ name }) => [name, node.name] as const)));
  const typed = ({ type, ...entry }: ValidatedGraph['inputStreams'][number]) => ({ ...end(entry), type: type.name });
  return {
    type: graph.config.type,
    input_streams: graph.inputStreams.map(typed),
    output_streams: graph.outputStreams.map(typed),
    input_side_packets: graph.inputSidePackets.map(({ name, type, optional }) => ({ name, type: type.name, optional })),
    nodes: graph.nodes.map((node) => ({
      name: node.name,
      calculator: node.definition.name,
      input_streams: node.inputs.map((input) => ({ ...end(input), back_edge: input.backEdge })),
      output_streams: node.outputs.map(end),
      input_side_packets: node.sideInputs.map(sideEnd),
      output_side_packets: node.sideOutputs.map(sideEnd),
      input_policy: node.policyName,
      timestamp_offset: node.timestampOffset === undefined ? null : Number(node.timestampOffset),
      source_layer: node.sourceLayer,
      order: node.order,
      options: plain(node.options),
    })),
    streams: graph.streams.map(({ name, type, consumers }) => ({
      name,
      type: type.name,
      producer: producers.get(name) ?? null,
      consumers: consumers.map(({ node }) => graph.nodes[node]?.name ?? ''),
    })),
    max_queue_size: graph.maxQueueSize,
    report_deadlock: graph.config.reportDeadlock,
  };
}

const end = ({ tag, index, name }: TagEntry): StreamEnd => ({ tag, index, name });

function sideEnd({ type, optional, ...entry }: SidePacketPlan): SidePacketEnd {
  return { ...end(entry), type: type.name, optional };
}

/** Option values as JSON, keys in snake_case. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), plain(inner)]));
}
