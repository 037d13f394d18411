import { didYouMean } from '../base/nearest.ts';
import type { DraftPort, NodeDraft } from './draft-node.ts';
import type { Faults, Place } from './faults.ts';
import { anyPacket, OneOfType, SameAsType, type PacketType } from './packet-type.ts';
import { tagIndexName, type TagEntry } from './tag-map.ts';

/** A graph stream while the graph is being checked. */
export interface DraftStream {
  readonly index: number;
  readonly name: string;
  readonly graphInput: number | undefined;
  /** Position of the producing node in the list of drafts. */
  readonly producer: number | undefined;
  readonly output: DraftPort | undefined;
  readonly consumers: { readonly node: number; readonly input: number; readonly backEdge: boolean }[];
  type: PacketType;
}

export interface StreamGraph {
  readonly streams: readonly DraftStream[];
  readonly byName: ReadonlyMap<string, DraftStream>;
}

/** Joins outputs and inputs by name: one producer each, none missing. */
export function joinStreams(
  graphInputs: readonly TagEntry[],
  nodes: readonly NodeDraft[],
  faults: Faults,
): StreamGraph {
  const streams: DraftStream[] = [];
  const byName = new Map<string, DraftStream>();
  const add = (name: string, source: Pick<DraftStream, 'graphInput' | 'producer' | 'output'>, at?: Place) => {
    if (byName.has(name)) return faults.add('UNKNOWN', `Output Stream "${name}" defined twice; rename one of them`, at);
    const stream = { index: streams.length, name, ...source, consumers: [], type: anyPacket };
    streams.push(stream);
    byName.set(name, stream);
  };
  graphInputs.forEach(({ name }, at) => add(name, { graphInput: at, producer: undefined, output: undefined }));
  nodes.forEach((node, at) => {
    for (const output of node.outputs) {
      add(output.name, { graphInput: undefined, producer: at, output }, node.config);
    }
  });
  nodes.forEach((node, at) => {
    node.inputs.forEach(({ tag, index, name }, input) => {
      const stream = byName.get(name);
      const backEdge = node.backEdges.has(tagIndexName(tag, index));
      if (stream !== undefined) stream.consumers.push({ node: at, input, backEdge });
      else {
        const problem = `Input Stream "${name}" of node "${node.name}" has no producer${didYouMean(name, byName.keys()) || '; make it an output_stream of a node or an input_stream of the graph'}`;
        faults.add('UNKNOWN', problem, node.config);
      }
    });
  });
  return { streams, byName };
}

/**
 * Gives each stream its type: what the producer declares; where that is open, what consumers need ("same as" links are
 * followed both ways). Reports producers that do not fit a consumer. `order` is topological.
 */
export function resolveTypes(
  nodes: readonly NodeDraft[],
  graph: StreamGraph,
  order: readonly number[],
  faults: Faults,
): void {
  for (const at of order) {
    const node = nodes[at];
    if (node === undefined) continue;
    for (const output of node.outputs) {
      const stream = graph.byName.get(output.name);
      if (stream !== undefined) stream.type = producedType(node, output, graph);
    }
  }
  const needs = new Map<DraftStream, PacketType>();
  for (const at of order.toReversed()) {
    for (const output of nodes[at]?.outputs ?? []) need(graph.byName.get(output.name), nodes, graph, needs);
  }
  for (const stream of graph.streams) {
    const needed = need(stream, nodes, graph, needs);
    if (stream.type === anyPacket || (stream.type instanceof OneOfType && needed !== anyPacket)) stream.type = needed;
    checkConsumers(stream, nodes, faults);
  }
}

function producedType(node: NodeDraft, output: DraftPort, graph: StreamGraph): PacketType {
  const { type } = output;
  if (!(type instanceof SameAsType)) return type;
  const input = linkedInput(node, output, type);
  if (input === undefined) return anyPacket;
  return input.type === anyPacket ? (graph.byName.get(input.name)?.type ?? anyPacket) : input.type;
}

function linkedInput(node: NodeDraft, output: DraftPort, type: SameAsType): DraftPort | undefined {
  const index = type.index ?? output.index;
  return node.inputs.find((input) => input.tag === type.tag && input.index === index);
}

/** The narrowest type that the consumers of `stream` ask for. */
function need(
  stream: DraftStream | undefined,
  nodes: readonly NodeDraft[],
  graph: StreamGraph,
  known: Map<DraftStream, PacketType>,
): PacketType {
  if (stream === undefined) return anyPacket;
  const before = known.get(stream);
  if (before !== undefined) return before;
  known.set(stream, anyPacket); // ends the search in a loop of "same as" links
  const wanted: PacketType[] = [];
  for (const { node: at, input: inputAt } of stream.consumers) {
    const node = nodes[at];
    const input = node?.inputs[inputAt];
    if (node === undefined || input === undefined) continue;
    if (input.type !== anyPacket) wanted.push(input.type);
    else {
      for (const output of node.outputs) {
        if (!(output.type instanceof SameAsType) || linkedInput(node, output, output.type) !== input) continue;
        wanted.push(need(graph.byName.get(output.name), nodes, graph, known));
      }
    }
  }
  // Choices last: an exact type is narrower.
  const exact = wanted.filter((type) => type !== anyPacket).sort((a, b) => choices(a) - choices(b));
  const narrowest = exact.find((type) => exact.every((other) => type.compatibleWith(other))) ?? exact[0] ?? anyPacket;
  known.set(stream, narrowest);
  return narrowest;
}

function choices(type: PacketType): number {
  return type instanceof OneOfType ? type.alternatives.length : 1;
}

function checkConsumers(stream: DraftStream, nodes: readonly NodeDraft[], faults: Faults): void {
  for (const { node: at, input } of stream.consumers) {
    const node = nodes[at];
    const wanted = node?.inputs[input]?.type ?? anyPacket;
    if (wanted === anyPacket || stream.type === anyPacket || stream.type.compatibleWith(wanted)) continue;
    const producer = stream.producer === undefined ? 'the graph input' : `node "${nodes[stream.producer]?.name}"`;
    faults.add(
      'UNKNOWN',
      `stream "${stream.name}": type "${stream.type.name}" of ${producer} does not fit type "${wanted.name}" of node "${node?.name}"; put a node that converts it between them`,
      node?.config,
    );
  }
}
