import type { Diagram, DiagramEdge } from './diagram.ts';

const LINES: Record<DiagramEdge['kind'], string> = { stream: '-->', 'back edge': '==>', 'side packet': '-.->' };

/** A Mermaid flowchart: streams are lines, back edges thick ones, side packets dotted ones. */
export function toMermaid({ nodes, edges }: Diagram): string {
  const boxes = nodes.map(({ id, label, kind }) => {
    const text = `"${label.map(escaped).join('<br>')}"`;
    return kind === 'calculator' ? `  ${id}[${text}]` : `  ${id}([${text}])`;
  });
  const lines = edges.map(({ from, to, label, kind }) => `  ${from} ${LINES[kind]}|"${escaped(label)}"| ${to}`);
  return `${['flowchart TB', ...boxes, ...lines].join('\n')}\n`;
}

/** Mermaid's entity codes are HTML's with `#` for `&`. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9 _.,:()/[\]-]/g, (character) => `#${character.codePointAt(0)};`);
}
