import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCalculator } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { createGraphConfig } from './graph-config.ts';
import { GraphError } from './graph-error.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { defineSubgraph } from './subgraph.ts';
import { copy } from './test-kit.ts';
import { validateGraph } from './validate-graph.ts';

/** Its options tell what came through. */
const maker = defineCalculator({
  name: 'Maker',
  options: z.object({
    count: z.int().default(0),
    labels: z.array(z.string()).default([]),
    inner: z.object({ low: z.number().default(0), high: z.number().default(0) }).optional(),
  }),
  open: () => undefined,
});

/** As many `Copy` nodes in a row as its option says. */
const chain = defineSubgraph({
  name: 'Chain',
  options: z.object({ chainLength: z.int().min(1) }),
  expand: (_, { chainLength }) =>
    createGraphConfig({
      inputStream: ['INPUT:stream_0'],
      outputStream: [`OUTPUT:stream_${chainLength}`],
      node: Array.from({ length: chainLength }, (_, at) => ({
        calculator: 'Copy',
        inputStream: [`stream_${at}`],
        outputStream: [`stream_${at + 1}`],
      })),
    }),
});

const refusing = defineSubgraph({
  name: 'Refusing',
  expand() {
    throw new GraphError('INVALID_ARGUMENT', 'this node is wrong');
  },
});

const registry = new CalculatorRegistry([copy, maker, chain, refusing]);
const expand = (text: string, ...subgraphs: string[]) =>
  validateGraph(
    parseGraphConfig(text, 'g.pbtxt'),
    registry.withSubgraph(...subgraphs.map((sub) => parseGraphConfig(sub, 'sub.pbtxt'))),
  ).nodes;

describe('subgraphs made in code', () => {
  test('depend on the options of their node, twice with different values', () => {
    const node = (
      length: number,
      input: string,
      output: string,
    ) => `node { calculator: "Chain" input_stream: "INPUT:${input}"
      output_stream: "OUTPUT:${output}" options { [millrace.ChainOptions.ext] { chain_length: ${length} } } }`;
    const nodes = expand(`input_stream: "a" ${node(2, 'a', 'b')} ${node(1, 'b', 'c')}`);
    expect(nodes.map(({ name, inputs, outputs }) => [name, inputs[0]?.name, outputs[0]?.name])).toEqual([
      ['chain_1__Copy_1', 'a', 'chain_1__stream_1'],
      ['chain_1__Copy_2', 'chain_1__stream_1', 'b'],
      ['chain_2__Copy', 'b', 'c'],
    ]);
  });

  test('faults name the node that uses them', () => {
    const text = 'node { calculator: "Refusing" output_stream: "a" } node { calculator: "Copy" input_stream: "a" }';
    expect(() => expand(text)).toThrow(/^g.pbtxt:1: node "Refusing": this node is wrong$/);
    expect(() => expand('input_stream: "a"\nnode { calculator: "Chain" input_stream: "INPUT:a" }')).toThrow(
      /^g.pbtxt:2: node "Chain": options: chain_length/,
    );
  });
});

describe('option_value', () => {
  const sub = (optionValue: string, own = '') => `type: "Sub"
    graph_options { [type.googleapis.com/millrace.SubOptions] { count: 1 labels: "graph" inner { low: 1 high: 2 } } }
    node { calculator: "Maker" ${optionValue} node_options { [type.googleapis.com/millrace.MakerOptions] { ${own} } } }`;
  const use = (fields: string) =>
    `node { calculator: "Sub" node_options { [type.googleapis.com/millrace.SubOptions] { ${fields} } } }`;
  const optionsOf = (text: string, ...subgraphs: string[]) => expand(text, ...subgraphs).map(({ options }) => options);

  test.each([
    ['count:options/count', '', '', { count: 1, labels: [] }],
    ['count:options/count', 'count: 9', 'count: 5', { count: 5, labels: [] }],
    ['options/count:options/missing', 'count: 9', '', { count: 9, labels: [] }],
    ['labels:options/labels', 'labels: "own"', 'labels: ["a", "b"]', { count: 0, labels: ['own', 'a', 'b'] }],
    ['labels:options/labels/1', '', 'labels: ["a", "b"]', { count: 0, labels: ['b'] }],
    ['inner/low:options/inner/high', 'inner { high: 7 }', '', { count: 0, labels: [], inner: { low: 2, high: 7 } }],
    ['OPTIONS:options', 'count: 9', '', { count: 1, labels: ['graph'], inner: { low: 1, high: 2 } }],
  ])('"%s" with own options "%s", used with "%s"', (optionValue, own, given, expected) => {
    expect(optionsOf(use(given), sub(`option_value: "${optionValue}"`, own))).toEqual([expected]);
  });

  test('goes through several subgraphs, and works in the graph itself', () => {
    const outer = `type: "Outer" node { calculator: "Sub" option_value: "OPTIONS:options" }`;
    const top = `node { calculator: "Outer" options { [millrace.SubOptions.ext] { count: 4 } } }`;
    expect(optionsOf(top, outer, sub('option_value: "count:options/count"'))).toMatchObject([{ count: 4 }]);
    expect(
      optionsOf(
        `options { [millrace.X.ext] { size: 3 } } node { calculator: "Maker" option_value: "count:options/size" }`,
      ),
    ).toMatchObject([{ count: 3 }]);
  });

  test('what is malformed is refused', () => {
    expect(() => optionsOf(use(''), sub('option_value: "count"'))).toThrow(
      /sub.pbtxt:3: option_value "count" given, "field:options\/field" expected/,
    );
  });
});
