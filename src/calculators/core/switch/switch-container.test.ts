import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  anyPacket,
  defineCalculator,
  GraphRun,
  optional,
  parseGraphConfig,
  readGraphFile,
  validateGraph,
} from '../../../graph/index.ts';
import { registry, start } from '../test-kit.ts';

/** Sends thrice its input, on a stream and as a side packet. */
const triple = defineCalculator({
  name: 'TripleInt',
  inputs: { '': optional(anyPacket) },
  outputs: { '': optional(anyPacket) },
  inputSidePackets: { '': optional(anyPacket) },
  outputSidePackets: { '': optional(anyPacket) },
  timestampOffset: 0,
  open({ sidePackets, outputSidePackets, inputPorts }) {
    outputSidePackets['']?.set(3 * Number(sidePackets['']));
    if (inputPorts.length === 0) return;
    return {
      process({ inputs, outputs }) {
        outputs['']?.send(3 * Number(inputs['']?.packet?.value));
      },
    };
  },
});

const graph = (options: string, rest = '') => `
  input_stream: "foo"
  input_stream: "enable"
  node {
    calculator: "SwitchContainer"
    input_stream: "ENABLE:enable"
    input_stream: "foo"
    output_stream: "bar"
    options { [mediapipe.SwitchContainerOptions.ext] {
      contained_node { calculator: "TripleInt" }
      contained_node { calculator: "PassThroughCalculator" }
      ${options}
    } }
    ${rest}
  }`;

const expand = (text: string) =>
  validateGraph(parseGraphConfig(text, 'g.pbtxt'), registry.withCalculators(triple)).nodes.map((node) => ({
    name: node.name,
    inputs: node.inputs.map(({ tag, index, name }) => `${tag}:${index}:${name}`),
    outputs: node.outputs.map(({ tag, index, name }) => `${tag}:${index}:${name}`),
  }));

describe('SwitchContainer', () => {
  test('expands to the names that MediaPipe documents', () => {
    expect(expand(graph(''))).toEqual([
      {
        name: 'switchcontainer__SwitchDemuxCalculator',
        inputs: [':0:foo', 'ENABLE:0:enable'],
        outputs: ['C0__:0:switchcontainer__c0__foo', 'C1__:0:switchcontainer__c1__foo'],
      },
      {
        name: 'switchcontainer__SwitchMuxCalculator',
        inputs: ['C0__:0:switchcontainer__c0__bar', 'C1__:0:switchcontainer__c1__bar', 'ENABLE:0:enable'],
        outputs: [':0:bar'],
      },
      {
        name: 'switchcontainer__TripleInt',
        inputs: [':0:switchcontainer__c0__foo'],
        outputs: [':0:switchcontainer__c0__bar'],
      },
      {
        name: 'switchcontainer__PassThroughCalculator',
        inputs: [':0:switchcontainer__c1__foo'],
        outputs: [':0:switchcontainer__c1__bar'],
      },
    ]);
  });

  test.each([
    ['waits until the channel is known', '', ''],
    ['takes inputs together', 'synchronize_io: true', ''],
    ['hands its policy to the demux', '', 'input_stream_handler { input_stream_handler: "DefaultInputStreamHandler" }'],
  ])('%s', async (_, options, rest) => {
    const live = start(graph(options, rest), ['bar'], { calculators: [triple] });
    await live.add('foo', 10, 1);
    expect(live.seen).toEqual([]);
    await live.add('enable', 10, true);
    await live.add('enable', 20, false);
    expect(live.seen).toEqual(['bar@10=1']);
    await live.add('foo', 20, 2);
    expect(live.seen).toEqual(['bar@10=1', 'bar@20=6']);
    await live.add('foo', 25, 3);
    await live.add('foo', 30, 4);
    await live.settle('enable', 30);
    await live.add('enable', 30, true);
    expect(live.seen.slice(2)).toEqual(['bar@25=9', 'bar@30=4']);
    await live.finish();
  });

  test('with async_selection the latest choice counts, from its time on', async () => {
    const live = start(graph('async_selection: true'), ['bar'], { calculators: [triple] });
    await live.add('foo', 1, 1);
    await live.add('enable', 5, true);
    for (const t of [3, 10, 20]) await live.add('foo', t, t);
    await live.add('enable', 25, false);
    for (const t of [30, 40]) await live.add('foo', t, t);
    expect(live.seen).toEqual(['bar@1=3', 'bar@3=9', 'bar@10=10', 'bar@20=20', 'bar@30=90', 'bar@40=120']);
    await live.finish();
  });

  test('a handler of the whole graph does not reach the switch', async () => {
    const text = `input_stream_handler { input_stream_handler: "BarrierInputStreamHandler" }${graph('async_selection: true')}`;
    const live = start(text, ['bar'], { calculators: [triple] });
    await live.add('foo', 1, 2);
    expect(live.seen).toEqual(['bar@1=6']);
    await live.finish();
  });

  test.each([
    ['', 15],
    ['enable: false', 15],
    ['enable: true', 5],
    ['select: 1', 5],
  ])('without control, the option "%s" chooses', async (option, expected) => {
    const live = start(graph(option).replace('input_stream: "ENABLE:enable"', ''), ['bar'], { calculators: [triple] });
    await live.add('foo', 1, 5);
    expect(live.seen).toEqual([`bar@1=${expected}`]);
    await live.finish();
  });

  test('side packets go to all channels and come from the chosen one', async () => {
    const text = `node {
      calculator: "SwitchContainer"
      input_side_packet: "ENABLE:enable" input_side_packet: "foo" output_side_packet: "bar"
      options { [mediapipe.SwitchContainerOptions.ext] {
        contained_node { calculator: "TripleInt" } contained_node { calculator: "PassThroughCalculator" } } } }`;
    for (const [enable, expected] of [
      [false, 12],
      [true, 4],
    ] as const) {
      const { run } = start(text, [], { calculators: [triple], sidePackets: { enable, foo: 4 } });
      await run.waitUntilDone();
      expect(run.outputSidePacket('bar')).toBe(expected);
    }
  });

  test('contained subgraphs and options', async () => {
    const sub = parseGraphConfig(`type: "Later" input_stream: "IN:a" output_stream: "OUT:b"
      node { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" }`);
    const text = `input_stream: "in"
      node { calculator: "SwitchContainer" name: "my switch" input_stream: "IN:in" output_stream: "OUT:out"
        options { [mediapipe.SwitchContainerOptions.ext] { select: 1
          contained_node { calculator: "Later" }
          contained_node { calculator: "BypassCalculator"
            options { [mediapipe.BypassCalculatorOptions.ext] { pass_input_stream: "IN" pass_output_stream: "OUT" } } }
          contained_node { calculator: "BypassCalculator" name: "none" } } } }`;
    const graph = validateGraph(parseGraphConfig(text), registry.withSubgraph(sub));
    expect(graph.nodes.map(({ name }) => name)).toEqual([
      'my_switch__SwitchDemuxCalculator',
      'my_switch__SwitchMuxCalculator',
      'my_switch__later__PassThroughCalculator',
      'my_switch__BypassCalculator',
      'my_switch__none',
    ]);
    const run = new GraphRun(graph);
    const seen: unknown[] = [];
    run.observe('out', ({ value }) => seen.push(value));
    run.start();
    run.addPacket('in', { value: 'x', timestamp: 1n });
    run.closeAllInputs();
    await run.waitUntilDone();
    expect(seen).toEqual(['x']);
  });

  test('contained subgraphs are found in the files beside the graph', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-switch-'));
    try {
      const path = join(folder, 'graph.pbtxt');
      const contained =
        'contained_node { calculator: "Beside" } contained_node { calculator: "PassThroughCalculator" }';
      await writeFile(
        path,
        `input_stream: "a" node { calculator: "SwitchContainer" input_stream: "IN:a" output_stream: "IN:b"
         options { [mediapipe.SwitchContainerOptions.ext] { ${contained} } } }`,
      );
      const text = `type: "Beside" input_stream: "IN:x" output_stream: "IN:y"
        node { calculator: "PassThroughCalculator" input_stream: "x" output_stream: "y" }`;
      await writeFile(join(folder, 'beside.pbtxt'), text);
      const file = await readGraphFile(path, registry);
      const { nodes } = validateGraph(file.config, file.registry);
      expect(nodes.map(({ name }) => name)).toContain('switchcontainer__beside__PassThroughCalculator');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ['no contained node', 'node { calculator: "SwitchContainer" }', /contained_node: /],
    [
      'an unknown field of one',
      'node { calculator: "SwitchContainer" options { [mediapipe.SwitchContainerOptions.ext] { contained_node { calculater: "X" } } } }',
      /contained_node has no field "calculater"; did you mean "calculator"/,
    ],
    [
      'two controls',
      graph('', 'input_stream: "SELECT:enable"'),
      /Only one of SwitchContainer inputs 'ENABLE' and 'SELECT' can be specified/,
    ],
    ['two options', graph('select: 1 enable: true'), /Only one of SwitchContainer options 'ENABLE' and 'SELECT'/],
    ['a tick that is no input', graph('tick_input_stream: "TIME"'), /tick_input_stream "TIME" is no input/],
  ])('refuses %s', (_, text, message) => {
    expect(() => expand(text)).toThrow(message);
  });
});
