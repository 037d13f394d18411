import { z } from 'zod';
import type { CalculatorDefinition } from './calculator.ts';
import { emptyOptions } from './empty-options.ts';
import { optionsOf, type GraphConfig, type NodeConfig } from './graph-config.ts';
import { parseOptions } from './options.ts';

/** A graph that takes the place of a node: that of a file with a `type`, or made in code for each node. */
export interface SubgraphDefinition {
  /** What a node has as its calculator. */
  readonly name: string;
  /** Of the nodes that use it, as of calculators. */
  readonly options: z.ZodType;
  /** The graph for this node, connected by the tags and indexes of its streams. Throws a GraphError for a node that is wrong. */
  expand(node: NodeConfig): GraphConfig;
}

/** What a registry holds: whatever a node may have as its calculator. */
export type NodeDefinition = CalculatorDefinition | SubgraphDefinition;

interface SubgraphSpec<Options> {
  readonly name: string;
  /** A zod object with camelCase keys; graph files write them in snake_case. */
  readonly options?: z.ZodType<Options>;
  /** Nodes that name no input stream handler of their own keep the calculator's, whatever the node at hand has. */
  expand(node: NodeConfig, options: Options): GraphConfig;
}

/** Makes a subgraph whose nodes depend on the node that uses it. */
export function defineSubgraph<Options = unknown>(spec: SubgraphSpec<Options>): SubgraphDefinition {
  const schema: z.ZodType = spec.options ?? emptyOptions;
  return {
    name: spec.name,
    options: schema,
    expand: (node) => spec.expand(node, parseOptions(schema, optionsOf(node)) as Options),
  };
}

/** What nodes of a subgraph's file take, is theirs to check: see `option_value`. */
const anyOptions = z.looseObject({});

/** The subgraph that a config is, by its `type`. Its nodes take the handler of the node that uses it, else the graph's. */
export function subgraphOf(config: GraphConfig): SubgraphDefinition {
  return {
    name: config.type,
    options: anyOptions,
    expand: ({ inputStreamHandler = config.inputStreamHandler }) => ({ ...config, inputStreamHandler }),
  };
}
