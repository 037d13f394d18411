import type { GraphDescription, NodeDescription } from '../graph/index.ts';

/** A box of a drawing. */
export interface DiagramNode {
  readonly id: string;
  /** Lines of text. */
  readonly label: readonly string[];
  readonly kind: 'calculator' | 'edge of the graph';
}

/** A line of a drawing, from producer to consumer. */
export interface DiagramEdge {
  readonly from: string;
  readonly to: string;
  readonly label: string;
  readonly kind: 'stream' | 'back edge' | 'side packet';
}

/** What both forms of drawing show: nodes, the graph's inputs and outputs, and what joins them. */
export interface Diagram {
  readonly nodes: readonly DiagramNode[];
  readonly edges: readonly DiagramEdge[];
}

export function toDiagram(graph: GraphDescription): Diagram {
  const nodes: DiagramNode[] = [];
  const edges: DiagramEdge[] = [];
  const streams = new Map<string, string>();
  const sides = new Map<string, string>();
  const addEnd = (id: string, what: string, { name, type }: { readonly name: string; readonly type: string }) => {
    nodes.push({ id, label: type === 'any' ? [name, what] : [name, what, type], kind: 'edge of the graph' });
    return id;
  };
  graph.input_streams.forEach((port, at) => streams.set(port.name, addEnd(`in${at}`, 'input', port)));
  graph.input_side_packets.forEach((port, at) => sides.set(port.name, addEnd(`side${at}`, 'input side packet', port)));
  graph.nodes.forEach((node, at) => {
    nodes.push({ id: `n${at}`, label: labelOf(node), kind: 'calculator' });
    for (const { name } of node.output_streams) streams.set(name, `n${at}`);
    for (const { name } of node.output_side_packets) sides.set(name, `n${at}`);
  });
  const join = (from: string | undefined, to: string, port: { readonly name: string }, kind: DiagramEdge['kind']) => {
    if (from !== undefined) edges.push({ from, to, label: port.name, kind });
  };
  graph.nodes.forEach((node, at) => {
    for (const port of node.input_streams) {
      join(streams.get(port.name), `n${at}`, port, port.back_edge ? 'back edge' : 'stream');
    }
    for (const port of node.input_side_packets) join(sides.get(port.name), `n${at}`, port, 'side packet');
  });
  graph.output_streams.forEach((port, at) => {
    join(streams.get(port.name), addEnd(`out${at}`, 'output', port), port, 'stream');
  });
  return { nodes, edges };
}

function labelOf({ name, calculator }: NodeDescription): string[] {
  return name === calculator ? [calculator] : [name, calculator];
}
