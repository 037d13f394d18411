import { describe, expect, test } from 'vitest';
import { parseGraphConfig } from './parse-graph-config.ts';

describe('graph files', () => {
  test('every way of writing a value is read', () => {
    const config = parseGraphConfig(
      String.raw`
      # a comment
      input_stream: ["a", 'b'], input_stream: "c\x21\n" "joined";
      max_queue_size: -1 report_deadlock: t num_threads: 0x10
      node < calculator: "X" max_in_flight: 010 node_options: { [ type.googleapis.com / mediapipe.XOptions ]: {
        flag: true ratio: 1.5f big: 9007199254740993 list: [1, 2] list: 3 mode: FAST nested { inner: -2 } huge: -inf
      } } >
      `,
    );
    expect(config.inputStream).toEqual(['a', 'b', 'c!\njoined']);
    expect(config).toMatchObject({ maxQueueSize: -1, reportDeadlock: true, numThreads: 16 });
    expect(config.node[0]).toMatchObject({ calculator: 'X', maxInFlight: 8, line: 5, executor: '' });
    expect(config.node[0]?.nodeOptions).toEqual([
      {
        type: 'mediapipe.XOptions',
        line: 5,
        fields: {
          flag: true,
          ratio: 1.5,
          big: 9007199254740993n,
          list: [1, 2, 3],
          mode: 'FAST',
          nested: { inner: -2 },
          huge: -Infinity,
        },
      },
    ]);
  });

  test('handlers, executors, stream infos and external inputs are read', () => {
    const config = parseGraphConfig(`
      executor { name: "x" type: "ThreadPoolExecutor" options { [mediapipe.ThreadPoolExecutorOptions.ext] { num_threads: 2 } } }
      node {
        calculator: "X" external_input: "side"
        input_stream_info { tag_index: "LOOP:1" back_edge: true }
        input_stream_handler { input_stream_handler: "SyncSetInputStreamHandler" }
      }`);
    expect(config.executor).toMatchObject([{ name: 'x', options: [{ type: 'mediapipe.ThreadPoolExecutorOptions' }] }]);
    expect(config.node).toMatchObject([
      {
        inputSidePacket: ['side'],
        inputStreamInfo: [{ tagIndex: 'LOOP:1', backEdge: true }],
        inputStreamHandler: { handler: 'SyncSetInputStreamHandler', options: [] },
      },
    ]);
  });

  test.each([
    [
      'node {\n  calculator: "X"\n  inputstream: "a"\n}',
      'g.pbtxt:3: node has no field "inputstream"; did you mean "input_stream"?',
    ],
    ['\nbogus: 3', 'g.pbtxt:2: CalculatorGraphConfig has no field "bogus"'],
    ['type: "a"\ntype: "b"', 'g.pbtxt:2: field "type" is given twice; remove one of the two'],
    ['node {\n', 'g.pbtxt:2: "}" for the message that begins in line 1 expected, the end of the file found'],
    ['node {\n name "x" }', 'g.pbtxt:2: ":" or "{" after "name" expected, "\\"x\\"" found'],
    ['num_threads: 1.0', 'g.pbtxt:1: field "num_threads": a whole number expected'],
    ['num_threads: [2]', 'g.pbtxt:1: field "num_threads" is no list, one value without brackets expected'],
    ['input_stream: ["a",]', 'g.pbtxt:1: a value expected, "]" found'],
    ['node { options { [x.Y.ext] {}\n[x.Y.ext] {} } }', 'g.pbtxt:2: "[x.Y.ext]" is given twice; remove one of the two'],
    ['num_threads: "two"', 'g.pbtxt:1: field "num_threads": a whole number expected'],
    ['\n\nnode: 3', 'g.pbtxt:3: field "node" is a message: { … } expected'],
    ['type: "never closed', 'g.pbtxt:1: the string that begins with "never closed is not closed in its line'],
    ['type: @', 'g.pbtxt:1: unexpected character "@"'],
    ['node { options { threshold: 3 } }', 'g.pbtxt:1: [type] { … } expected, "threshold" found'],
  ])('%j is refused with its line', (text, message) => {
    expect(() => parseGraphConfig(text, 'g.pbtxt')).toThrow(
      expect.objectContaining({ name: 'GraphError', code: 'INVALID_ARGUMENT', message }),
    );
  });

  test('refuses garbage at its first line, however much there is', () => {
    expect(() => parseGraphConfig('{'.repeat(5_000_000), 'g.pbtxt')).toThrow('g.pbtxt:1: the name of a field expected');
    expect(() => parseGraphConfig('node {'.repeat(1_000_000))).toThrow('messages within messages, 100 deep at most');
  });
});
