import { messageOf } from '../base/errors.ts';
import type { CalculatorRegistry } from './calculator-registry.ts';
import { uniqueNodeNames } from './draft-node.ts';
import type { Faults, Place } from './faults.ts';
import type { GraphConfig, NodeConfig } from './graph-config.ts';
import { codeOf } from './graph-error.ts';
import { applyGraphOptions } from './graph-options.ts';
import type { SubgraphDefinition } from './subgraph.ts';
import { parseTagMap, tagIndexName } from './tag-map.ts';

type PortList = 'inputStream' | 'outputStream' | 'inputSidePacket' | 'outputSidePacket';
const PORT_LISTS: readonly PortList[] = ['inputStream', 'outputStream', 'inputSidePacket', 'outputSidePacket'];
const MAX_DEPTH = 64;

/**
 * Replaces each node whose calculator is a subgraph by that graph's nodes, repeatedly, and carries out `option_value`. Names
 * of calculators are looked up relative to the package of the outermost graph, and are full names afterwards. Names of streams
 * inside get the prefix `<node>__`; what the node connects (by tag and index) gets the outer name, inputs it leaves out vanish
 * from the inner nodes. A node whose subgraph has faults stays.
 */
export function expandSubgraphs(
  config: GraphConfig,
  registry: CalculatorRegistry,
  faults: Faults,
): readonly NodeConfig[] {
  const nesting = { depth: 0, isEndless: false, packageName: config.package };
  return expandNodes(prepare(config, config.package, registry, faults), registry, faults, nesting);
}

/** The nodes of a graph with full names of calculators, and with the options that the graph, or its `user`, gives them. */
function prepare(
  graph: GraphConfig,
  packageName: string,
  registry: CalculatorRegistry,
  faults: Faults,
  user?: NodeConfig,
): readonly NodeConfig[] {
  const node = graph.node.map((inner) => withFullName(inner, registry.fullName(inner.calculator, packageName)));
  return applyGraphOptions({ ...graph, node }, registry, faults, user);
}

/** A node keeps the name that it has by what its file calls its calculator. */
function withFullName(node: NodeConfig, fullName: string | undefined): NodeConfig {
  if (fullName === undefined || fullName === node.calculator) return node;
  return { ...node, name: node.name || node.calculator, calculator: fullName };
}

/** How deep an expansion is; one that turned out to be endless stops everywhere, for its nodes may double at each level. */
interface Nesting {
  depth: number;
  isEndless: boolean;
  readonly packageName: string;
}

function expandNodes(
  nodes: readonly NodeConfig[],
  registry: CalculatorRegistry,
  faults: Faults,
  nesting: Nesting,
): NodeConfig[] {
  const names = uniqueNodeNames(nodes);
  return nodes.flatMap((node, at) => {
    const subgraph = registry.subgraph(node.calculator);
    if (subgraph === undefined || nesting.isEndless) return [node];
    if (nesting.depth >= MAX_DEPTH) {
      nesting.isEndless = true;
      faults.add('INVALID_ARGUMENT', `subgraph "${node.calculator}" contains itself`, node);
      return [node];
    }
    refuseCalculatorFields(node, faults);
    const graph = expand(subgraph, node, nesting.packageName, registry, faults);
    if (graph === undefined) return [node];
    nesting.depth++;
    const inner = expandNodes(instantiate(node, names[at] ?? '', graph, faults), registry, faults, nesting);
    nesting.depth--;
    return inner;
  });
}

function expand(
  subgraph: SubgraphDefinition,
  node: NodeConfig,
  packageName: string,
  registry: CalculatorRegistry,
  faults: Faults,
): GraphConfig | undefined {
  try {
    const graph = subgraph.expand(node);
    return { ...graph, node: prepare(graph, packageName, registry, faults, node) };
  } catch (error) {
    faults.add(codeOf(error), `node "${node.name || node.calculator}": ${messageOf(error)}`, node, error);
    return undefined;
  }
}

function refuseCalculatorFields(node: NodeConfig, faults: Faults): void {
  const given = [
    node.sourceLayer !== 0 && 'source_layer',
    node.bufferSizeHint !== 0 && 'buffer_size_hint',
    node.outputStreamHandler !== undefined && 'output_stream_handler',
    node.inputStreamInfo.length > 0 && 'input_stream_info',
  ].filter((field) => field !== false);
  if (given.length === 0) return;
  faults.add('INVALID_ARGUMENT', `subgraph node "${node.calculator}" cannot have ${given.join(', ')}`, node);
}

function instantiate(node: NodeConfig, nodeName: string, subgraph: GraphConfig, faults: Faults): NodeConfig[] {
  const prefix = `${nodeName.toLowerCase().replace(/[.\s:/]/g, '_')}__`;
  const streams = new Map<string, string | undefined>();
  const sides = new Map<string, string | undefined>();
  for (const list of PORT_LISTS) {
    connect(node, list, subgraph, list.endsWith('Stream') ? streams : sides, faults);
  }
  return subgraph.node.map((inner) => ({
    ...inner,
    name: `${prefix}${inner.name || inner.calculator}`,
    inputStream: rename(inner.inputStream, streams, prefix),
    outputStream: rename(inner.outputStream, streams, prefix),
    inputSidePacket: rename(inner.inputSidePacket, sides, prefix),
    outputSidePacket: rename(inner.outputSidePacket, sides, prefix),
    inputStreamHandler: inner.inputStreamHandler ?? subgraph.inputStreamHandler,
    executor: inner.executor || node.executor,
    ...placeOf(inner, node, subgraph),
  }));
}

/** Nodes of a subgraph that was read from a file are named there; those of one made in code at the node that uses it. */
function placeOf(inner: NodeConfig, node: NodeConfig, subgraph: GraphConfig): Place {
  if (subgraph.file === undefined) return { file: node.file, line: node.line };
  return { file: inner.file ?? subgraph.file, line: inner.line };
}

/** Fills `names`: inner name → outer name, or → nothing for an input that the node leaves out. */
function connect(
  node: NodeConfig,
  list: PortList,
  subgraph: GraphConfig,
  names: Map<string, string | undefined>,
  faults: Faults,
): void {
  const problems: string[] = [];
  const inner = parseTagMap(subgraph[list], problems);
  const outer = new Map(
    parseTagMap(node[list], problems).map(({ tag, index, name }) => [tagIndexName(tag, index), name]),
  );
  for (const problem of problems) faults.add('UNKNOWN', `${problem}, at subgraph "${node.calculator}"`, node);
  for (const { tag, index, name } of inner) {
    const key = tagIndexName(tag, index);
    const outerName = outer.get(key);
    outer.delete(key);
    if (outerName !== undefined) names.set(name, outerName);
    else if (list.startsWith('input')) names.set(name, undefined);
  }
  for (const key of outer.keys()) {
    faults.add('INVALID_ARGUMENT', `subgraph "${node.calculator}" has no "${key}" among its ${list}`, node);
  }
}

function rename(entries: readonly string[], names: ReadonlyMap<string, string | undefined>, prefix: string): string[] {
  return entries.flatMap((entry) => {
    const at = entry.lastIndexOf(':') + 1;
    const name = entry.slice(at);
    if (!names.has(name)) return [entry.slice(0, at) + prefix + name];
    const outer = names.get(name);
    return outer === undefined ? [] : [entry.slice(0, at) + outer];
  });
}
