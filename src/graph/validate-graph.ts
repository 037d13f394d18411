import { messageOf } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import type { CalculatorRegistry } from './calculator-registry.ts';
import { draftNode, standIn, uniqueNodeNames, type NodeDraft } from './draft-node.ts';
import { checkExecutors, executorLimits } from './executors.ts';
import { expandSubgraphs } from './expand-subgraphs.ts';
import { Faults } from './faults.ts';
import type { GraphConfig } from './graph-config.ts';
import { anyPacket } from './packet-type.ts';
import { parseTraceSettings, type TraceSettings } from './profiler-config.ts';
import { planNodes } from './plan-nodes.ts';
import { joinSidePackets, type DraftSidePacket } from './side-packets.ts';
import { joinStreams, resolveTypes, type StreamGraph } from './stream-graph.ts';
import { planStatusHandlers } from './plan-status-handlers.ts';
import { parseTagMap, type TagEntry } from './tag-map.ts';
import { topologicalOrder } from './topological-order.ts';
import type { GraphPort, ValidatedGraph } from './validated-graph.ts';

const DEFAULT_QUEUE_SIZE = 100;

/**
 * Checks everything that can be checked without data, and plans the run. Throws one {@link GraphError} for all faults; its
 * lines begin `file:line: ` where the node is known. What follows from another fault alone is not reported.
 */
export function validateGraph(
  config: GraphConfig,
  registry: CalculatorRegistry,
  options: { readonly file?: string } = {},
): ValidatedGraph {
  const faults = new Faults(options.file ?? config.file);
  const trace = readTraceSettings(config, faults);
  const configs = expandSubgraphs(config, registry, faults);
  checkExecutors(config, configs, faults);
  const ports = graphPorts(config, faults);
  const names = uniqueNodeNames(configs);
  const nodes = configs.map((node, at) => {
    const name = names[at] ?? '';
    return draftNode(node, at, name, config, registry, faults) ?? standIn(node, at, name);
  });
  const statusHandlers = planStatusHandlers(config, registry, faults);
  const handled = statusHandlers.flatMap(({ sideInputs }) => sideInputs);
  const sides = joinSidePackets([...ports.sideInputs, ...handled], nodes, faults);
  const graph = joinStreams(ports.inputs, nodes, faults);
  const order = sortNodes(nodes, graph, sides, faults);
  if (order !== undefined) resolveTypes(nodes, graph, order, faults);
  checkGraphOutputs(config, ports.outputs, graph, faults);
  faults.throwIfAny();
  if (order === undefined) throw new Error('a cycle was not reported. This is a bug');

  const limits = executorLimits(config);
  const typed = (entry: TagEntry): GraphPort => ({ ...entry, type: graph.byName.get(entry.name)?.type ?? anyPacket });
  const hints = configs.map(({ bufferSizeHint }) => bufferSizeHint);
  const maxQueueSize = config.maxQueueSize === 0 ? DEFAULT_QUEUE_SIZE : config.maxQueueSize;
  return {
    config,
    inputStreams: ports.inputs.map(typed),
    outputStreams: ports.outputs.map(typed),
    inputSidePackets: [...sides.values()]
      .filter(({ producer }) => producer === undefined)
      .map(({ name, type, optional }) => ({ name, type, optional })),
    measuresTime: nodes.some(({ definition }) => definition.measuresTime),
    nodes: planNodes(nodes, graph, sides, order, new Map([...limits.keys()].map((name, at) => [name, at]))),
    executors: [...limits.values()],
    streams: graph.streams.map(({ name, type, graphInput, consumers }) => ({ name, type, graphInput, consumers })),
    streamIndex: new Map(graph.streams.map(({ name, index }) => [name, index])),
    sidePacketWaiters: new Map(
      Array.from(sides.values(), ({ name, consumers }) => [name, consumers.map(({ node }) => node)]),
    ),
    services: new Set(nodes.flatMap(({ definition }) => definition.services)),
    maxQueueSize: maxQueueSize < 0 ? -1 : Math.max(maxQueueSize, ...hints),
    trace,
    statusHandlers,
  };
}

function readTraceSettings(config: GraphConfig, faults: Faults): TraceSettings | undefined {
  try {
    return parseTraceSettings(config.profilerConfig);
  } catch (error) {
    const line = config.lines?.get('profiler_config');
    faults.add('INVALID_ARGUMENT', `profiler_config: ${messageOf(error)}`, { line });
    return undefined;
  }
}

function graphPorts(config: GraphConfig, faults: Faults): Record<'inputs' | 'outputs' | 'sideInputs', TagEntry[]> {
  const problems: string[] = [];
  const ports = {
    inputs: parseTagMap(config.inputStream, problems),
    outputs: parseTagMap(config.outputStream, problems),
    sideInputs: parseTagMap(config.inputSidePacket, problems),
  };
  for (const problem of problems) faults.add('UNKNOWN', problem);
  return ports;
}

/** @returns nodes in topological order; nothing where there is a cycle, which is reported */
function sortNodes(
  nodes: readonly NodeDraft[],
  graph: StreamGraph,
  sides: ReadonlyMap<string, DraftSidePacket>,
  faults: Faults,
): readonly number[] | undefined {
  const edges: (readonly [number, number])[] = [];
  for (const { producer, consumers } of graph.streams) {
    if (producer === undefined) continue;
    for (const { node, backEdge } of consumers) if (!backEdge) edges.push([producer, node]);
  }
  for (const { producer, consumers } of sides.values()) {
    if (producer !== undefined) for (const { node } of consumers) edges.push([producer, node]);
  }
  const sorted = topologicalOrder(nodes.length, edges);
  if ('order' in sorted) return sorted.order;
  const cycle = sorted.cycle.map((at) => nodes[at]?.name).join(', ');
  const text = `Generator side packet cycle or calculator stream cycle detected in graph: [${cycle}]; mark one input of it with back_edge`;
  faults.add('UNKNOWN', text, nodes[sorted.cycle[0] ?? 0]?.config);
  return undefined;
}

function checkGraphOutputs(
  config: GraphConfig,
  outputs: readonly TagEntry[],
  graph: StreamGraph,
  faults: Faults,
): void {
  for (const { name } of outputs) {
    if (graph.byName.has(name)) continue;
    const remedy = didYouMean(name, graph.byName.keys()) || '; make it an output_stream of a node';
    const entry = config.outputStream.find((text) => text.slice(text.lastIndexOf(':') + 1) === name) ?? name;
    const line = config.lines?.get(`output_stream ${entry}`);
    faults.add('UNKNOWN', `output_stream "${name}" has no producer${remedy}`, { line });
  }
}
