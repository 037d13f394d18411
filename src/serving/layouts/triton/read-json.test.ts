import { expect, test } from 'vitest';
import { modelConfig } from './model-config.ts';
import { readJson } from './read-json.ts';

const read = (json: object | string) =>
  readJson(modelConfig, typeof json === 'string' ? json : JSON.stringify(json), 'given');

test('protobuf JSON is read as its text form is: names of both kinds, numbers as texts, maps, enumerations', () => {
  const { value, lines } = read({
    max_batch_size: '8',
    defaultModelFilename: 'm.onnx',
    input: [
      { name: 'x', dataType: 'TYPE_FP32', dims: ['-1', 3] },
      { name: 'y', data_type: 11, dims: [] },
    ],
    versionPolicy: { specific: { versions: [1, '3'] } },
    parameters: { k: { string_value: '5' } },
    dynamicBatching: { priority_queue_policy: { 2: { timeout_action: 'DELAY', max_queue_size: 3 } } },
    response_cache: { enable: true },
    output: null,
  });
  expect(value).toMatchObject({
    max_batch_size: 8,
    default_model_filename: 'm.onnx',
    input: [
      { name: 'x', data_type: 'TYPE_FP32', dims: [-1, 3] },
      { name: 'y', data_type: 'TYPE_FP32', dims: [] },
    ],
    output: [],
    version_policy: { specific: { versions: [1, 3] } },
    parameters: { k: { string_value: '5' } },
    dynamic_batching: { priority_queue_policy: { 2: { timeout_action: 'DELAY', max_queue_size: 3 } } },
    response_cache: { enable: true },
  });
  expect([lines.has('input.dims'), lines.has('output')]).toEqual([true, false]);
});

test.each<[object | string, string]>([
  ['[1]', 'given: a JSON object expected'],
  ['', 'given: JSON expected: '],
  [{ inputs: [] }, 'ModelConfig has no field "inputs"; did you mean "input"?'],
  [{ input: { name: 'x' } }, 'given: input: '],
  [{ max_batch_size: 1.5 }, 'given: max_batch_size: 1.5 given, a whole number of 32 bits expected'],
  [{ max_batch_size: [1, 2] }, 'given: max_batch_size: a list given, one value expected'],
  [{ name: 3 }, 'given: name: 3 given, a text in quotes expected'],
  [{ input: [{ data_type: 'FP32' }] }, 'given: input.data_type: FP32 given, one of'],
  [{ response_cache: { enable: 'true' } }, 'response_cache.enable: "true" given, true or false expected'],
  [{ dynamic_batching: {}, sequence_batching: {} }, 'dynamic_batching and sequence_batching given'],
])('%j is refused', (json, text) => {
  expect(() => read(json)).toThrow(text);
});
