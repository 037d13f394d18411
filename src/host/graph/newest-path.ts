import type { GraphRun, ValidatedGraph } from '../../graph/index.ts';

/** Where packets of some graph inputs may go. */
export interface NewestPath {
  /** Graph outputs. */
  readonly outputs: readonly string[];
  /** Nodes, by index, and those of their inputs, back edges apart: what waits there is for a packet to come. */
  readonly nodes: readonly { readonly node: number; readonly inputs: readonly number[] }[];
}

export function pathOf(graphInputs: ReadonlySet<string>, { nodes, outputStreams }: ValidatedGraph): NewestPath {
  const reached = new Set(graphInputs);
  for (let before = -1; before < reached.size;) {
    before = reached.size;
    for (const node of nodes) {
      if (node.inputs.some(({ name }) => reached.has(name))) for (const { name } of node.outputs) reached.add(name);
    }
  }
  const inputsOf = (node: ValidatedGraph['nodes'][number]) =>
    node.inputs.flatMap(({ name, backEdge }, at) => (reached.has(name) && !backEdge ? [at] : []));
  return {
    outputs: outputStreams.map(({ name }) => name).filter((name) => reached.has(name)),
    nodes: nodes
      .filter(({ inputs }) => inputs.some(({ name }) => reached.has(name)))
      .map((node) => ({ node: node.index, inputs: inputsOf(node) })),
  };
}

/**
 * Whether nothing is left to do of what was fed up to a time: every output is settled past it, or no node of the path runs,
 * is about to, or has a packet waiting.
 */
export function isWorkedOff({ outputs, nodes }: NewestPath, run: GraphRun, until: bigint): boolean {
  if (outputs.length > 0 && outputs.every((name) => run.isSettledPast(name, until))) return true;
  return nodes.every(({ node, inputs }) => run.isNodeAtRest(node, inputs));
}
