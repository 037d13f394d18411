import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCalculator, optional, repeated } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphError } from './graph-error.ts';
import { anyPacket, oneOf, PacketType, sameAs } from './packet-type.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { copy } from './test-kit.ts';
import { validateGraph } from './validate-graph.ts';

const text = new PacketType<string>('text', (value) => typeof value === 'string');
const number = new PacketType<number>('number', (value) => typeof value === 'number');
const nothing = { open: () => {} };
const registry = new CalculatorRegistry([
  copy,
  defineCalculator({ name: 'ReadText', inputs: { IN: text, MORE: optional(text) }, ...nothing }),
  defineCalculator({ name: 'MakeNumber', outputs: { '': number }, ...nothing }),
  defineCalculator({ name: 'Relay', inputs: { '': anyPacket }, outputs: { '': sameAs('') }, ...nothing }),
  defineCalculator({ name: 'ReadEither', inputs: { '': oneOf(text, number) }, ...nothing }),
  defineCalculator({ name: 'NeedsSide', inputSidePackets: { LIMIT: number, EXTRA: optional(text) }, ...nothing }),
  defineCalculator({
    name: 'Options',
    options: z.object({
      keepEvery: z.int().min(1),
      names: z.array(z.string()).default([]),
      big: z.bigint().optional(),
      mode: z.enum(['FAST', 'EXACT']).default('FAST'),
      nested: z.object({ isOn: z.boolean() }).optional(),
    }),
    check: ({ keepEvery }) => (keepEvery === 13 ? 'keep_every must not be 13' : undefined),
    ...nothing,
  }),
  defineCalculator({ name: 'Typed', optionTypes: ['mediapipe.TypedOptions'], inputs: { '': anyPacket }, ...nothing }),
  defineCalculator({
    name: 'Clock',
    measuresTime: true,
    inputs: { '': repeated(anyPacket, { min: 2, max: 3 }) },
    ...nothing,
  }),
]);
const validate = (source: string, known = registry) => validateGraph(parseGraphConfig(source, 'g.pbtxt'), known);

/** MediaPipe: a file with a type of message that it does not have is not read; a type of another calculator's is. */
describe('types of options', () => {
  const node = (rest: string) => `input_stream: "a" node {\n calculator: "Typed" input_stream: "a"\n${rest}\n}`;

  test.each([
    ['options { [mediapipe.TypedOption.ext] {} }', '"mediapipe.TypedOption"; did you mean "mediapipe.TypedOptions"?'],
    ['node_options { [type.googleapis.com/x.TypedOptions] {} }', '"x.TypedOptions"; "mediapipe.TypedOptions" expected'],
  ])('%s is refused with its line', (given, problem) => {
    expect(() => validate(node(given))).toThrow(`g.pbtxt:3: no calculator has options of type ${problem}`);
  });

  test.each([
    'options { [mediapipe.TypedOptions.ext] {} }',
    'node_options { [type.googleapis.com/mediapipe.TypedOptions] {} }',
  ])('%s is taken', (given) => {
    expect(validate(node(given)).nodes).toHaveLength(1);
  });

  test('a calculator that names no type takes any', () => {
    const any = 'input_stream: "a" node { calculator: "Options" options { [user.Any.ext] { keep_every: 2 } } }';
    expect(validate(any).nodes).toHaveLength(1);
  });

  test.each([
    ['DefaultInputStreamHandler', 'x.DefaultInputStreamHandlerOptions', /did you mean "mediapipe.DefaultInput/],
    ['FixedSizeInputStreamHandler', 'x.Y', /type "x.Y"; "mediapipe.FixedSizeInputStreamHandlerOptions" expected/],
    ['BarrierInputStreamHandler', 'x.Y', /type "x.Y"$/],
  ])('a handler %s has no %s', (handler, type, problem) => {
    const given = `input_stream_handler { input_stream_handler: "${handler}" options { [${type}.ext] {} } }`;
    expect(() => validate(node(given))).toThrow(problem);
  });

  test('an executor has those of a thread pool', () => {
    const executor = (type: string) =>
      `executor { name: "e" type: "ThreadPoolExecutor" options { [${type}.ext] { num_threads: 1 } } }`;
    expect(validate(executor('mediapipe.ThreadPoolExecutorOptions')).executors).toEqual([1]);
    expect(() => validate(executor('x.PoolOptions'))).toThrow(/"x.PoolOptions"; "mediapipe.ThreadPoolExecutorOptions"/);
  });
});

describe('faults', () => {
  test.each([
    [
      'an unknown calculator',
      '\nnode { calculator: "Copi" }',
      'NOT_FOUND',
      'g.pbtxt:2: no calculator is named "Copi"; did you mean "Copy"?',
    ],
    [
      'a cycle',
      'node { calculator: "Copy" input_stream: "a" output_stream: "b" }\nnode { calculator: "Copy" input_stream: "b" output_stream: "a" }',
      'UNKNOWN',
      /cycle detected in graph: \[Copy_\d, Copy_\d\]/,
    ],
    [
      'two producers',
      'input_stream: "a"\nnode { calculator: "MakeNumber" output_stream: "a" }',
      'UNKNOWN',
      'g.pbtxt:2: Output Stream "a" defined twice; rename one of them',
    ],
    [
      'no producer',
      'input_stream: "frames"\nnode { calculator: "Copy" input_stream: "frame" }',
      'UNKNOWN',
      /g.pbtxt:2: Input Stream "frame" of node "Copy" has no producer; did you mean "frames"/,
    ],
    [
      'an output without producer',
      'output_stream: "x"',
      'UNKNOWN',
      'g.pbtxt:1: output_stream "x" has no producer; make it an output_stream of a node',
    ],
    [
      'a type that does not fit',
      'node { calculator: "MakeNumber" output_stream: "n" }\nnode { calculator: "ReadText" input_stream: "IN:n" }',
      'UNKNOWN',
      /g.pbtxt:2: stream "n": type "number" of node "MakeNumber" does not fit type "text"/,
    ],
    [
      'a type that does not fit behind a relay',
      'node { calculator: "MakeNumber" output_stream: "n" } node { calculator: "Relay" input_stream: "n" output_stream: "m" } node { calculator: "ReadText" input_stream: "IN:m" }',
      'UNKNOWN',
      /stream "m": type "number"/,
    ],
    ['a missing tag', 'node { calculator: "ReadText" }', 'INTERNAL', /input stream with tag "IN" is required/],
    [
      'an unexpected tag',
      'input_stream: "a" node { calculator: "ReadText" input_stream: "IN:a" input_stream: "MOR:a" }',
      'INVALID_ARGUMENT',
      /tag "MOR" index 0 was not expected; did you mean "MORE"/,
    ],
    [
      'too few of a repeated tag',
      'input_stream: "a" node { calculator: "Clock" input_stream: "a" }',
      'INTERNAL',
      /at least 2 times/,
    ],
    [
      'an option that is not known',
      'node { calculator: "Options" options { [x.Y.ext] { keep_evry: 2 } } }',
      'INVALID_ARGUMENT',
      /x.Y has no field "keep_evry"; did you mean "keep_every"/,
    ],
    [
      'an option out of range',
      'node { calculator: "Options" options { [x.Y.ext] { keep_every: 0 } } }',
      'INVALID_ARGUMENT',
      /options: keep_every: /,
    ],
    [
      'an option that check refuses',
      'node { calculator: "Options" options { [x.Y.ext] { keep_every: 13 } } }',
      'INVALID_ARGUMENT',
      /keep_every must not be 13/,
    ],
    [
      'an unknown handler',
      'input_stream: "a" node { calculator: "Copy" input_stream: "a" input_stream_handler { input_stream_handler: "ImmediateInputStreamHandle" } }',
      'INVALID_ARGUMENT',
      /did you mean "ImmediateInputStreamHandler"/,
    ],
    [
      'a back edge that is no input',
      'node { calculator: "Copy" input_stream_info { tag_index: "LOOP" back_edge: true } }',
      'INVALID_ARGUMENT',
      /names no input: tag_index "LOOP"/,
    ],
    [
      'a gap in indexes',
      'input_stream: "a" node { calculator: "Copy" input_stream: "T:1:a" }',
      'UNKNOWN',
      /not all indexes below it/,
    ],
    ['a reserved executor', 'executor { name: "__x" }', 'INVALID_ARGUMENT', /reserved/],
  ])('%s', (_, source, code, message) => {
    let thrown: unknown;
    try {
      validate(source);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GraphError);
    expect(thrown).toMatchObject({ code });
    const { message: told } = thrown as GraphError;
    if (typeof message === 'string') expect(told).toBe(message);
    else expect(told).toMatch(message);
  });

  test('several are reported together, and not what follows from another', () => {
    const source = `input_stream: "a" output_stream: "nowhere"
      node { calculator: "A" input_stream: "a" output_stream: "b" }
      node { calculator: "Copy" input_stream: "b" output_stream: "c" }
      node { calculator: "ReadText" input_stream: "IN:missing" }
      node { calculator: "MakeNumber" output_stream: "n" }
      node { calculator: "ReadText" input_stream: "IN:n" }`;
    const told: unknown[] = [];
    try {
      validate(source);
    } catch (error) {
      told.push(...(error as GraphError).faults.map(({ line, message }) => `${line}: ${message.split(': ')[1]}`));
    }
    expect(told).toEqual([
      expect.stringContaining('2: no calculator is named "A"; a *.pbtxt file beside'),
      expect.stringContaining('4: Input Stream "missing" of node "ReadText_1" has no producer'),
      '6: stream "n"',
      expect.stringContaining('1: output_stream "nowhere" has no producer'),
    ]);
  });

  test('of fields in the wrong place all are reported', () => {
    expect(() => validate('inptu_stream: "a"\nmax_queue_size: "x"\nnode { calculater: "Copy" }')).toThrow(
      /g.pbtxt:1: .*\ng.pbtxt:2: .*\ng.pbtxt:3: /,
    );
  });
});

describe('a valid graph', () => {
  test('a graph input has the type that a consumer declares, also behind a relay', () => {
    const graph = validate(
      'input_stream: "VIDEO:a" input_stream: "free" node { calculator: "Relay" input_stream: "a" output_stream: "b" } node { calculator: "ReadText" input_stream: "IN:b" } node { calculator: "Copy" input_stream: "free" }',
    );
    expect(graph.inputStreams.map(({ tag, name, type }) => [tag, name, type.name])).toEqual([
      ['', 'free', 'any'],
      ['VIDEO', 'a', 'text'],
    ]);
  });

  test('of a choice of types the exact one holds', () => {
    const graph = validate(
      'input_stream: "a" node { calculator: "ReadEither" input_stream: "a" } node { calculator: "ReadText" input_stream: "IN:a" }',
    );
    expect(graph.inputStreams[0]?.type).toBe(text);
  });

  test('tells which side packets a run needs', () => {
    const graph = validate(
      'node { calculator: "NeedsSide" input_side_packet: "LIMIT:l" input_side_packet: "EXTRA:e" }',
    );
    expect(graph.inputSidePackets).toEqual([
      { name: 'e', type: text, optional: true },
      { name: 'l', type: number, optional: false },
    ]);
  });

  test('options come from both kinds of message, in the types of the schema', () => {
    const graph = validate(`node { calculator: "Options"
      node_options { [type.googleapis.com/x.Z] { keep_every: 9 big: 5 nested { is_on: t } } }
      options { [x.Y.ext] { keep_every: 2 names: "one" mode: EXACT } } }`);
    expect(graph.nodes[0]?.options).toEqual({
      keepEvery: 2,
      names: ['one'],
      big: 5n,
      mode: 'EXACT',
      nested: { isOn: true },
    });
  });

  test('of one type of options in both fields that of `options` counts alone', () => {
    const graph = validate(`node { calculator: "Options"
      node_options { [type.googleapis.com/x.Y] { keep_every: 9 big: 5 nested {} } }
      options { [x.Y.ext] { keep_every: 2 mode: EXACT nested { is_on: t } } } }`);
    expect(graph.nodes[0]?.options).toEqual({ keepEvery: 2, names: [], mode: 'EXACT', nested: { isOn: true } });
  });

  test('knows whether time is measured', () => {
    expect(
      validate('input_stream: "a" input_stream: "b" node { calculator: "Clock" input_stream: "a" input_stream: "b" }')
        .measuresTime,
    ).toBe(true);
    expect(validate('').measuresTime).toBe(false);
  });
});

describe('subgraphs', () => {
  const sub = parseGraphConfig(
    'type: "Sub" input_stream: "IN:x" input_stream: "EXTRA:e" output_stream: "OUT:z" node { calculator: "Copy" input_stream: "x" input_stream: "e" output_stream: "y" } node { calculator: "Copy" input_stream: "y" output_stream: "z" }',
  );
  const withSub = registry.withSubgraph(sub);

  test('inner names get a prefix, outer ones are matched by tag, unconnected inputs vanish', () => {
    const graph = validate(
      'input_stream: "a" node { calculator: "Sub" name: "My sub" input_stream: "IN:a" output_stream: "OUT:b" }',
      withSub,
    );
    expect(graph.streams.map(({ name }) => name)).toEqual(['a', 'my_sub__y', 'b']);
    expect(graph.nodes.map(({ name, inputs }) => [name, inputs.length])).toEqual([
      ['my_sub__Copy_1', 1],
      ['my_sub__Copy_2', 1],
    ]);
  });

  test('a fault in a subgraph that was read from a file is told at its place there', () => {
    const broken = parseGraphConfig('type: "Broken"\nnode { calculator: "Copi" }', 'broken.pbtxt');
    expect(() => validate('node { calculator: "Broken" }', registry.withSubgraph(broken))).toThrow(
      'broken.pbtxt:2: no calculator is named "Copi"',
    );
  });

  test('a tag that the subgraph lacks is refused', () => {
    expect(() => validate('input_stream: "a"\nnode { calculator: "Sub" input_stream: "NO:a" }', withSub)).toThrow(
      /g.pbtxt:2: .*"NO:0"/,
    );
  });

  test('a subgraph of itself is refused', () => {
    // Twice: the nodes would double at each level.
    for (const node of ['node { calculator: "Loop" }', 'node { calculator: "Loop" } node { calculator: "Loop" }']) {
      const loop = parseGraphConfig(`type: "Loop" ${node}`);
      expect(() => validate('node { calculator: "Loop" }', registry.withSubgraph(loop))).toThrow(/contains itself/);
    }
  });

  test('one name is registered once', () => {
    expect(() => registry.withSubgraph(parseGraphConfig('type: "Copy"'))).toThrow(/named "Copy"/);
    expect(() => new CalculatorRegistry([copy, copy])).toThrow(GraphError);
  });
});
