import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../../../test/support/paths.ts';
import { ScratchFolder } from '../../../test/support/scratch-folder.ts';
import type { LoadedServables } from '../servable-spec.ts';
import { loadOvmsConfig } from './ovms-config.ts';

const from = (node_name: string, data_item: string) => ({ node_name, data_item });

const first = {
  name: 'first',
  model_name: 'add',
  type: 'DL model',
  inputs: [{ A: from('request', 'x') }, { B: from('request', 'x') }],
  outputs: [{ data_item: 'SUM', alias: 'twice' }],
};

const second = {
  name: 'second',
  model_name: 'add',
  type: 'DL model',
  version: 1,
  inputs: [{ A: from('first', 'twice') }, { B: from('request', 'y') }],
  outputs: [{ data_item: 'SUM', alias: 'all' }],
};

const pipeline = {
  name: 'p',
  inputs: ['x', 'y'],
  nodes: [first, second],
  outputs: [{ all: from('second', 'all') }, { half: from('first', 'twice') }],
};

async function load(entry: object): Promise<LoadedServables> {
  await using folder = await ScratchFolder.create();
  await folder.copy(join(ROOT, 'test/fixtures/models/add.onnx'), 'add/1/model.onnx');
  const models = [{ config: { name: 'add', base_path: 'add' } }];
  const path = await folder.put('config.json', { model_config_list: models, pipeline_config_list: [entry] });
  return await loadOvmsConfig(path);
}

test('a pipeline of models is an ensemble, its tensors as the models have them', async () => {
  const { specs, broken } = await load(pipeline);
  expect(broken).toEqual([]);
  expect(specs.find(({ name }) => name === 'p')).toMatchObject({
    kind: 'ensemble',
    version: '1',
    streams: { x: 't0', y: 't1', all: 't2', half: 't3' },
    models: [
      { name: 'add', version: '' },
      { name: 'add', version: '1' },
    ],
    signature: {
      maxBatchSize: 0,
      inputs: [
        { name: 'x', datatype: 'FP32', shape: [1, 4] },
        { name: 'y', datatype: 'FP32', shape: [1, 4] },
      ],
      outputs: [{ name: 'all' }, { name: 'half', datatype: 'FP32', shape: [1, 4] }],
    },
  });
});

describe('is refused, with the place', () => {
  test.each([
    [
      'a custom node',
      { nodes: [{ ...first, type: 'custom', library_name: 'l' }, second] },
      'node "first": type "custom" given, "DL model" expected: native libraries are not loaded; write the pipeline as a graph',
    ],
    ['demultiplexing', { demultiply_count: 3 }, 'demultiply_count: batches are not taken apart'],
    [
      'gathering',
      { nodes: [first, { ...second, gather_from_node: 'first' }] },
      'node "second": gather_from_node: batches',
    ],
    [
      'an unknown model',
      { nodes: [{ ...first, model_name: 'ad' }, second] },
      'node "first": model_name: there is no model "ad"; did you mean "add"?',
    ],
    ['an unknown version', { nodes: [{ ...first, version: 9 }, second] }, 'there is no version 9 of model "add"'],
    ['an unknown node', { outputs: [{ z: from('third', 'all') }] }, 'outputs "z": there is no node "third"'],
    [
      'an unknown output',
      { outputs: [{ z: from('second', 'some') }] },
      'outputs "z": node "second" has no output "some"; it has output "all"',
    ],
    [
      'an unknown input',
      { nodes: [first, { ...second, inputs: [{ C: from('request', 'y') }] }] },
      'node "second": model "add" has no input "C"',
    ],
    ['an input that nobody has', { inputs: ['x'] }, 'node "second": the pipeline has no input "y"'],
    ['an input that nobody uses', { inputs: ['x', 'y', 'z'] }, 'inputs: "z" is not used'],
    [
      'a model input that is left out',
      { nodes: [first, { ...second, inputs: [{ A: from('request', 'y') }] }] },
      'node "second": input "B" of its model is not connected',
    ],
    ['a name twice', { nodes: [first, first] }, 'nodes: the name "first" is taken'],
    ['an unknown key', { node: [] }, 'unknown key "node"'],
  ])('%s', async (_, change, reason) => {
    const { specs, broken } = await load({ ...pipeline, ...change });
    expect(specs.map(({ name }) => name)).toEqual(['add']);
    expect(broken).toMatchObject([{ name: 'p', kind: 'ensemble' }]);
    expect(broken[0]?.reason).toContain('config.json: pipeline_config_list[0]: ');
    expect(broken[0]?.reason).toContain(reason);
  });
});
