import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileFault } from '../base/file-fault.ts';
import { subgraphFiles } from '../base/subgraph-files.ts';
import type { CalculatorRegistry } from './calculator-registry.ts';
import { Faults } from './faults.ts';
import type { GraphConfig, NodeConfig } from './graph-config.ts';
import { GraphError } from './graph-error.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { dotted, meanings } from './qualified-names.ts';

/** A graph file and what its nodes need of the files beside it. */
export interface GraphFile {
  readonly config: GraphConfig;
  /** Those that the graph uses, directly or through others. */
  readonly subgraphs: readonly GraphConfig[];
  /** The registry that was given, with the subgraphs. */
  readonly registry: CalculatorRegistry;
}

/**
 * Reads a graph file and the subgraphs that it uses: other `*.pbtxt` files of its folder, found by the `type` they have,
 * relative to the graph's package.
 * @throws GraphError for what cannot be read in any of them, as `parseGraphConfig`
 */
export async function readGraphFile(path: string, registry: CalculatorRegistry): Promise<GraphFile> {
  const text = await readText(path);
  const faults = new Faults(path);
  const config = parsed(text, path, faults);
  const beside = await subgraphFiles(path);
  const subgraphs: GraphConfig[] = [];
  const known = new Set(registry.names().map(dotted));
  const packageName = config?.package ?? '';
  const nodes = [...(config?.node ?? [])];
  for (const node of nodes) {
    nodes.push(...containedNodes(node, packageName, registry));
    const type = meanings(node.calculator, packageName).find(
      (meaning) => known.has(meaning) || beside.some((file) => dotted(file.type) === meaning),
    );
    if (type === undefined || known.has(type)) continue;
    known.add(type);
    const [file, second] = beside.filter((file) => dotted(file.type) === type);
    if (second !== undefined && file !== undefined) {
      faults.add('ALREADY_EXISTS', `${basename(file.path)} is of type "${type}" too; rename one of them`, {
        file: second.path,
      });
    }
    const subgraph = file === undefined ? undefined : parsed(file.text, file.path, faults);
    if (subgraph === undefined) continue;
    subgraphs.push(subgraph);
    nodes.push(...subgraph.node);
  }
  faults.throwIfAny();
  if (config === undefined) throw new Error(`${path} was not read and no fault says why. This is a bug`);
  return { config, subgraphs, registry: registry.withSubgraph(...subgraphs) };
}

/** The nodes that a subgraph made in code stands for, which may be subgraphs again. A wrong node is reported by validation. */
function containedNodes(node: NodeConfig, packageName: string, registry: CalculatorRegistry): readonly NodeConfig[] {
  const name = registry.fullName(node.calculator, packageName);
  try {
    return registry.subgraph(name ?? '')?.expand(node).node ?? [];
  } catch {
    return [];
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new GraphError('NOT_FOUND', `cannot read graph file ${path}: ${fileFault(error)}`, { cause: error });
  }
}

function parsed(text: string, path: string, faults: Faults): GraphConfig | undefined {
  try {
    return parseGraphConfig(text, path);
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    for (const fault of error.faults) faults.addError(fault);
    return undefined;
  }
}
