import { Graphviz } from '@hpcc-js/wasm-graphviz';
import type { Diagram, DiagramEdge } from './diagram.ts';

/**
 * Streams go down, from the bottom of a node to the top of the next; side packets go from side to side, dashed; back edges
 * are bold and do not count in the layering.
 */
const LOOKS: Record<DiagramEdge['kind'], string> = {
  stream: 'tailport=s headport=n',
  'back edge': 'tailport=s headport=n constraint=false style=bold color="#b45309"',
  'side packet': 'style=dashed color="#6b7280"',
};

/** The drawing as an SVG document, laid out by Graphviz (in WebAssembly: nothing is installed or fetched). */
export async function toSvg(diagram: Diagram): Promise<string> {
  const graphviz = await Graphviz.load();
  return graphviz.dot(toDot(diagram), 'svg');
}

function toDot({ nodes, edges }: Diagram): string {
  const boxes = nodes.map(({ id, label, kind }) => {
    const look = kind === 'calculator' ? 'shape=box style="rounded,filled"' : 'shape=ellipse style=filled';
    const fill = kind === 'calculator' ? '#eef2ff' : '#f3f4f6';
    return `  ${id} [label=${quoted(label.join('\n'))} ${look} fillcolor="${fill}"]`;
  });
  const lines = edges.map(
    ({ from, to, label, kind }) => `  ${from} -> ${to} [label=${quoted(` ${label}`)} ${LOOKS[kind]}]`,
  );
  const defaults = ['  rankdir=TB', '  node [fontname="Helvetica" fontsize=11 color="#4b5563"]'];
  return [
    'digraph graph_file {',
    ...defaults,
    '  edge [fontname="Helvetica" fontsize=9]',
    ...boxes,
    ...lines,
    '}',
  ].join('\n');
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
