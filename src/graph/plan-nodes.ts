import type { NodeDraft } from './draft-node.ts';
import type { DraftSidePacket } from './side-packets.ts';
import type { DraftStream, StreamGraph } from './stream-graph.ts';
import { tagIndexName, type TagEntry } from './tag-map.ts';
import type { InputPlan, NodePlan, SidePacketPlan, TagSlots } from './validated-graph.ts';
import { PacketType } from './packet-type.ts';
import type { PortDeclarations } from './calculator.ts';

interface Ancestors {
  readonly sources: readonly number[];
  readonly inputs: readonly number[];
}

const NO_ANCESTORS: Ancestors = { sources: [], inputs: [] };

/** Works out everything about nodes that does not change from run to run. Plans are in the order of the file. */
export function planNodes(
  nodes: readonly NodeDraft[],
  graph: StreamGraph,
  sides: ReadonlyMap<string, DraftSidePacket>,
  order: readonly number[],
  executors: ReadonlyMap<string, number>,
): NodePlan[] {
  const ancestors = findAncestors(nodes, graph, order);
  const position = new Map(order.map((at, place) => [at, place]));
  const inputPlans = nodes.map((node) => node.inputs.map((input) => planInput(node, input, graph, ancestors)));
  const producers = inputPlans.map((inputs) => opensAfter(inputs, graph));
  return nodes.map((node, at) => {
    const inputs = inputPlans[at] ?? [];
    const sideInputs = node.sideInputs.map((port) => planSidePacket(port, port.isOptional, sides));
    const { inputs: ins, outputs: outs, inputSidePackets: sideIns, outputSidePackets: sideOuts } = node.definition;
    return {
      index: at,
      order: position.get(at) ?? at,
      name: node.name,
      debugName: debugName(node),
      definition: node.definition,
      options: node.options,
      inputs,
      outputs: node.outputs.map(({ tag, index, name }) => ({ tag, index, name, stream: streamOf(graph, name).index })),
      sideInputs,
      sideOutputs: node.sideOutputs.map((port) => planSidePacket(port, false, sides)),
      inputTags: tagSlots(node.inputs, ins),
      outputTags: tagSlots(node.outputs, outs),
      sideInputTags: tagSlots(node.sideInputs, sideIns),
      sideOutputTags: tagSlots(node.sideOutputs, sideOuts),
      timestampOffset: node.timestampOffset,
      policyName: node.policyName,
      policy: node.policy,
      isSource: node.inputs.length === 0,
      sourceLayer: node.config.sourceLayer,
      maxInFlight: node.inputs.length === 0 ? 1 : Math.max(1, node.config.maxInFlight),
      executor: executors.get(node.config.executor),
      waitsFor: (producers[at]?.size ?? 0) + sideInputs.filter((side) => side.isProduced).length,
      opensBefore: producers.flatMap((before, other) => (before.has(at) ? [other] : [])),
    };
  });
}

function streamOf(graph: StreamGraph, name: string): DraftStream {
  const stream = graph.byName.get(name);
  if (stream === undefined) throw new Error(`stream "${name}" is not in the graph. This is a bug`);
  return stream;
}

function planInput(
  node: NodeDraft,
  { tag, index, name }: TagEntry,
  graph: StreamGraph,
  ancestors: ReadonlyMap<number, Ancestors>,
): InputPlan {
  const stream = streamOf(graph, name);
  const { sources, inputs } = upstreamOf(stream, ancestors);
  const backEdge = node.backEdges.has(tagIndexName(tag, index));
  return { tag, index, name, stream: stream.index, backEdge, throttledSources: sources, throttledInputs: inputs };
}

/** Per node: the sources and graph inputs that feed it, itself if it is a source. Back edges do not count. */
function findAncestors(
  nodes: readonly NodeDraft[],
  graph: StreamGraph,
  order: readonly number[],
): ReadonlyMap<number, Ancestors> {
  const found = new Map<number, Ancestors>();
  for (const at of order) {
    const node = nodes[at];
    if (node === undefined) continue;
    const sources = new Set<number>(node.inputs.length === 0 ? [at] : []);
    const inputs = new Set<number>();
    for (const { tag, index, name } of node.inputs) {
      if (node.backEdges.has(tagIndexName(tag, index))) continue;
      const upstream = upstreamOf(streamOf(graph, name), found);
      for (const source of upstream.sources) sources.add(source);
      for (const input of upstream.inputs) inputs.add(input);
    }
    found.set(at, { sources: [...sources], inputs: [...inputs] });
  }
  return found;
}

function upstreamOf(stream: DraftStream, ancestors: ReadonlyMap<number, Ancestors>): Ancestors {
  if (stream.graphInput !== undefined) return { sources: [], inputs: [stream.graphInput] };
  return (stream.producer === undefined ? undefined : ancestors.get(stream.producer)) ?? NO_ANCESTORS;
}

/** The nodes that must have opened before a node with these inputs does. */
function opensAfter(inputs: readonly InputPlan[], graph: StreamGraph): Set<number> {
  const producers = new Set<number>();
  for (const { stream, backEdge } of inputs) {
    const producer = graph.streams[stream]?.producer;
    if (producer !== undefined && !backEdge) producers.add(producer);
  }
  return producers;
}

function planSidePacket(
  { tag, index, name, type }: TagEntry & { readonly type: PacketType },
  optional: boolean,
  sides: ReadonlyMap<string, DraftSidePacket>,
): SidePacketPlan {
  return { tag, index, name, type, optional, isProduced: sides.get(name)?.producer !== undefined };
}

/** Which slots of the flat list belong to each tag; repeated tags without an entry get an empty list. */
function tagSlots(entries: readonly TagEntry[], declarations: PortDeclarations): TagSlots[] {
  const tags = new Map<string, number[]>();
  for (const [tag, declaration] of Object.entries(declarations)) {
    if (!(declaration instanceof PacketType) && declaration.kind === 'repeated' && tag !== '*') tags.set(tag, []);
  }
  entries.forEach(({ tag }, at) => {
    const list = tags.get(tag);
    if (list === undefined) tags.set(tag, [at]);
    else list.push(at);
  });
  return Array.from(tags, ([tag, slots]) => {
    const declaration = Object.hasOwn(declarations, tag) ? declarations[tag] : undefined;
    const isSingle = declaration === undefined || declaration instanceof PacketType || declaration.kind === 'optional';
    const [first = 0] = slots;
    return { tag, slots: isSingle && slots.length === 1 ? first : slots };
  });
}

function debugName({ name, inputs, outputs }: NodeDraft): string {
  const list = (ports: readonly TagEntry[]) => ports.map((port) => port.name).join(',');
  return `[${name}, input streams: <${list(inputs)}>, and output streams: <${list(outputs)}>]`;
}
