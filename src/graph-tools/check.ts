import {
  GraphError,
  readGraphFile,
  validateGraph,
  type CalculatorRegistry,
  type ValidatedGraph,
} from '../graph/index.ts';

/** What a check found; `graph` is there when nothing is wrong. */
export interface CheckedGraph {
  /** In the order of files and lines; the messages begin `file:line: `. */
  readonly faults: readonly GraphError[];
  readonly graph: ValidatedGraph | undefined;
  /** Files of the subgraphs that the graph uses. */
  readonly subgraphs: readonly string[];
}

/** Checks a graph file, and by themselves the subgraphs beside it that it uses. */
export async function checkGraph(path: string, registry: CalculatorRegistry): Promise<CheckedGraph> {
  const faults: GraphError[] = [];
  let graph: ValidatedGraph | undefined;
  let subgraphs: readonly string[] = [];
  await collect(faults, async () => {
    const file = await readGraphFile(path, registry);
    subgraphs = file.subgraphs.map((subgraph) => subgraph.file ?? '');
    for (const subgraph of file.subgraphs) {
      await collect(faults, () => validateGraph(subgraph, file.registry));
    }
    const places = new Set(faults.map(placeOf));
    const own: GraphError[] = [];
    await collect(own, () => (graph = validateGraph(file.config, file.registry)));
    // A fault of a subgraph shows again in each use of it.
    faults.push(...own.filter((fault) => !places.has(placeOf(fault))));
  });
  return { faults: inOrder(faults, path), graph: faults.length === 0 ? graph : undefined, subgraphs };
}

async function collect(faults: GraphError[], step: () => unknown): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    faults.push(...error.faults);
  }
}

const placeOf = ({ file = '', line = 0 }: GraphError): string => `${file}:${line}`;

/** Those of the graph itself first. */
function inOrder(faults: readonly GraphError[], path: string): GraphError[] {
  return faults.toSorted((a, b) => {
    const [fileA, fileB] = [a.file ?? path, b.file ?? path];
    if (fileA !== fileB) return fileA === path ? -1 : fileB === path ? 1 : fileA < fileB ? -1 : 1;
    return (a.line ?? 0) - (b.line ?? 0);
  });
}
