import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { subgraphFiles } from '../base/subgraph-files.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { describeValidatedGraph } from './graph-description.ts';
import type { GraphError } from './graph-error.ts';
import { readGraphFile } from './graph-file.ts';
import { copy } from './test-kit.ts';
import { validateGraph } from './validate-graph.ts';

const registry = new CalculatorRegistry([copy]);
const SUBGRAPH = `
input_stream: "IN:x"
output_stream: "OUT:y"
node { calculator: "Copy" input_stream: "x" output_stream: "y" }`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-graph-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return join(folder, 'graph.pbtxt');
}

test('subgraphs are found beside the graph by their type, also those that subgraphs use; others are not read', async () => {
  const path = await write({
    'graph.pbtxt': 'input_stream: "a" node { calculator: "Outer" input_stream: "IN:a" output_stream: "OUT:b" }',
    'outer.pbtxt': `type: "Outer" ${SUBGRAPH.replace('node { calculator: "Copy"', 'node { calculator: "Inner"')}`
      .replace('input_stream: "x" output', 'input_stream: "IN:x" output')
      .replace('output_stream: "y" }', 'output_stream: "OUT:y" }'),
    'inner.pbtxt': `type: "Inner" ${SUBGRAPH}`,
    'broken.pbtxt': 'type: "Broken" {',
    'typeless.pbtxt': 'executor {\n  type: "Copy" }',
  });
  const file = await readGraphFile(path, registry);
  expect(file.subgraphs.map(({ type }) => type)).toEqual(['Outer', 'Inner']);
  const graph = validateGraph(file.config, file.registry);
  expect(graph.nodes.map(({ name }) => name)).toEqual(['outer__inner__Copy']);
  expect((await subgraphFiles(path)).map(({ type }) => type)).toEqual(['Broken', 'Inner', 'Outer']);
});

test('what is wrong in the graph and in its subgraphs is told together', async () => {
  const path = await write({
    'graph.pbtxt': 'node { calculator: "Sub" }\nnode { calculator: "Twice" }',
    'sub.pbtxt': 'type: "Sub"\nnode { calculater: "Copy" }\ninptu_stream: "x"',
    'one.pbtxt': 'type: "Twice"',
    'two.pbtxt': 'type: "Twice"',
  });
  const error = await readGraphFile(path, registry).catch((thrown: unknown) => thrown as GraphError);
  expect((error as GraphError).faults.map(({ message }) => message.replace(`${folder}/`, ''))).toEqual([
    expect.stringMatching(/^sub.pbtxt:2: node has no field "calculater"; did you mean "calculator"/),
    expect.stringMatching(/^sub.pbtxt:3: /),
    'two.pbtxt: one.pbtxt is of type "Twice" too; rename one of them',
  ]);
  await expect(readGraphFile(join(folder, 'none.pbtxt'), registry)).rejects.toThrow(/cannot read graph file/);
});

test('a description is plain JSON with the nodes after expansion', async () => {
  const path = await write({
    'graph.pbtxt':
      'input_stream: "a" output_stream: "b" max_queue_size: 3 node { calculator: "Sub" input_stream: "IN:a" output_stream: "OUT:b" }',
    'sub.pbtxt': `type: "Sub" ${SUBGRAPH}`,
  });
  const file = await readGraphFile(path, registry);
  const description = describeValidatedGraph(validateGraph(file.config, file.registry));
  expect(JSON.parse(JSON.stringify(description))).toEqual(description);
  expect(description).toEqual({
    type: '',
    input_streams: [{ tag: '', index: 0, name: 'a', type: 'any' }],
    output_streams: [{ tag: '', index: 0, name: 'b', type: 'any' }],
    input_side_packets: [],
    nodes: [
      {
        name: 'sub__Copy',
        calculator: 'Copy',
        input_streams: [{ tag: '', index: 0, name: 'a', back_edge: false }],
        output_streams: [{ tag: '', index: 0, name: 'b' }],
        input_side_packets: [],
        output_side_packets: [],
        input_policy: 'DefaultInputStreamHandler',
        timestamp_offset: 0,
        source_layer: 0,
        order: 0,
        options: {},
      },
    ],
    streams: [
      { name: 'a', type: 'any', producer: null, consumers: ['sub__Copy'] },
      { name: 'b', type: 'any', producer: 'sub__Copy', consumers: [] },
    ],
    max_queue_size: 3,
    report_deadlock: false,
  });
});

test('subgraphs are found by their type relative to the package of the graph', async () => {
  const path = await write({
    'graph.pbtxt':
      'package: "shop.tools" input_stream: "a" node { calculator: "Sub" input_stream: "IN:a" output_stream: "OUT:b" }',
    'near.pbtxt': `type: "shop.Sub" ${SUBGRAPH}`,
    'far.pbtxt': `type: "Sub" ${SUBGRAPH}`,
  });
  const file = await readGraphFile(path, registry);
  expect(file.subgraphs.map(({ type }) => type)).toEqual(['shop.Sub']);
  expect(validateGraph(file.config, file.registry).nodes.map(({ name }) => name)).toEqual(['sub__Copy']);
});
