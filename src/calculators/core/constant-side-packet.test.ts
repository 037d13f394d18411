import { expect, test } from 'vitest';
import { parseGraphConfig, validateGraph } from '../../graph/index.ts';
import { registry, start } from './test-kit.ts';

const constants = (packets: string, count = 1, rest = '') => `${rest} node { calculator: "ConstantSidePacketCalculator"
  ${Array.from({ length: count }, (_, at) => `output_side_packet: "PACKET:${at}:p${at}"`).join(' ')}
  options { [mediapipe.ConstantSidePacketCalculatorOptions.ext] { ${packets} } } }`;

test.each([
  ['int_value: 3', 3],
  ['int64_value: 9007199254740993', 9007199254740993n],
  ['string_value: "x"', 'x'],
  [
    'classification_list_value { classification { index: 1 score: 0.5 label: "cat" display_name: "Cat" } classification {} }',
    [
      { index: 1, score: 0.5, label: 'cat', displayName: 'Cat' },
      { index: 0, score: 0 },
    ],
  ],
  ['landmark_list_value { landmark { x: 1 y: 2 visibility: 0.25 } }', [{ x: 1, y: 2, z: 0, visibility: 0.25 }]],
  [
    'matrix_data_value { rows: 2 cols: 3 packed_data: [1, 2, 3, 4, 5, 6] }',
    { rows: 2, columns: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  ],
  [
    'matrix_data_value { rows: 2 cols: 3 packed_data: [1, 2, 3, 4, 5, 6] layout: ROW_MAJOR }',
    { rows: 2, columns: 3, data: Float32Array.of(1, 4, 2, 5, 3, 6) },
  ],
  ['time_series_header_value { sample_rate: 16000 num_channels: 1 }', { sampleRate: 16000, numChannels: 1 }],
])('%s', async (fields, expected) => {
  const { run, finish } = start(constants(`packet { ${fields} }`), []);
  await finish();
  expect(run.outputSidePacket('p0')).toEqual(expected);
});

test('several, each with its type', () => {
  const text = constants('packet { int_value: 1 } packet { bool_value: true }', 2);
  const { nodes } = validateGraph(parseGraphConfig(text), registry);
  expect(nodes[0]?.sideOutputs.map(({ type }) => type.name)).toEqual(['int', 'bool']);
});

test.each([
  ['packet { }', 1, 'each packet needs exactly one value'],
  ['packet { int_value: 1 bool_value: true }', 1, 'each packet needs exactly one value'],
  ['packet { int_value: 1 }', 2, '1 values for 2 side packets'],
  ['packet { matrix_data_value { rows: 2 cols: 2 packed_data: 1 } }', 1, 'rows · cols numbers of packed_data expected'],
  ['packet { bogus_value: 1 }', 1, 'packet has no field "bogus_value"'],
])('%s with %i outputs is refused', (packets, count, problem) => {
  expect(() => validateGraph(parseGraphConfig(constants(packets, count)), registry)).toThrow(problem);
});

test('a consumer of another type is refused when the graph is loaded', () => {
  const consumer = `node { calculator: "SequenceShiftCalculator" input_stream: "a" output_stream: "b"
    input_side_packet: "PACKET_OFFSET:p0" }`;
  const text = constants('packet { string_value: "1" }', 1, `input_stream: "a" ${consumer}`);
  expect(() => validateGraph(parseGraphConfig(text), registry)).toThrow(/side packet "p0": type "string" does not fit/);
});
