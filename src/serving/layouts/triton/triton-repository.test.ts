import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ScratchFolder } from '../../../../test/support/scratch-folder.ts';
import { loadTritonRepository } from './triton-repository.ts';
import { MODELS, BATCHED, load, one, spec, reasonOf } from '../../../../test/support/triton-models.ts';

describe('versions', () => {
  const files = {
    'm/1/model.onnx': 'onnx:dynamic',
    'm/2/model.onnx': 'onnx:dynamic',
    'm/10/model.onnx': 'onnx:dynamic',
    'm/03/model.onnx': 'onnx:add',
    'm/x/y': '',
  };

  test.each([
    ['', ['10']],
    ['version_policy { latest { num_versions: 2 } }', ['2', '10']],
    ['version_policy { all {} }', ['1', '2', '10']],
    ['version_policy { specific { versions: [1, 10] } }', ['1', '10']],
  ])('"%s" serves %j', async (policy, versions) => {
    const { specs } = await load({ ...files, 'm/config.pbtxt': `${BATCHED} ${policy}` });
    expect(specs.map(({ version }) => version)).toEqual(versions);
  });

  test('one that is asked for and not there is warned of, and the others are served', async () => {
    const { specs, warnings } = await load({
      ...files,
      'm/config.pbtxt': `${BATCHED} version_policy { specific { versions: [2, 7] } }`,
    });
    expect(specs.map(({ version }) => version)).toEqual(['2']);
    expect(warnings).toEqual([expect.stringMatching(/^m\/config\.pbtxt:4: version_policy: version 7 .* not present$/)]);
  });

  test('a version whose file is missing is told, and the others are served', async () => {
    const loaded = await load({
      'm/1/model.onnx': 'onnx:dynamic',
      'm/2/weights.pt': '',
      'm/config.pbtxt': `${BATCHED} version_policy { all {} }`,
    });
    expect(loaded.specs.map(({ version }) => version)).toEqual(['1']);
    expect(loaded.broken).toEqual([
      { name: 'm', version: '2', kind: 'model', reason: expect.stringContaining('torch.onnx.export') as string },
    ]);
  });
});

test('a link to nothing is no model, nor a version of one', async () => {
  await using folder = await ScratchFolder.create();
  await folder.copy(join(MODELS, 'dynamic.onnx'), 'm/1/model.onnx');
  for (const link of ['gone', 'm/2']) await symlink('/nowhere', join(folder.path, link));
  const { specs, broken } = await loadTritonRepository({ roots: [folder.path] });
  expect([specs.map(({ name, version }) => [name, version]), broken]).toEqual([[['m', '1']], []]);
});

describe('what serves a model', () => {
  test.each([
    ['backend: "onnxruntime"', 'model'],
    ['platform: "onnxruntime_onnx"', 'model'],
    ['', 'model'],
  ])('"%s": an ONNX file', async (config, kind) => {
    const { specs } = await one(config);
    expect(specs.map((each) => each.kind)).toEqual([kind]);
  });

  test.each(['backend: "millrace"', 'platform: "millrace_graph"', ''])('"%s": a graph', async (config) => {
    const graph =
      'input_stream: "a"\noutput_stream: "b"\nnode { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" }';
    const { specs } = await load({ 'g/config.pbtxt': config, 'g/3/graph.pbtxt': graph });
    expect(specs).toMatchObject([{ kind: 'graph', name: 'g', version: '3', config: { platform: 'millrace_graph' } }]);
  });

  test('a runtime has its parameters, without the export', async () => {
    const config = `backend: "millrace_runtime" default_model_filename: "echo.ts" max_batch_size: 4
      parameters { key: "export" value { string_value: "Echo" } } parameters { key: "gain" value { string_value: "2" } }
      instance_group { count: 2 } dynamic_batching { max_queue_delay_microseconds: 5000 }
      input { name: "x" data_type: TYPE_FP32 dims: 1 } output { name: "y" data_type: TYPE_STRING dims: 1 }`;
    const { specs, broken } = await load({ 'r/config.pbtxt': config, 'r/1/echo.ts': 'export class Echo {}' });
    expect(broken).toEqual([]);
    expect(specs).toMatchObject([
      {
        kind: 'runtime',
        version: '1',
        export: 'Echo',
        parameters: { gain: '2' },
        instances: 2,
        batching: { maxSize: 4, maxTimeMs: 5 },
        declared: {
          inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 1] }],
          outputs: [{ name: 'y', datatype: 'BYTES' }],
        },
      },
    ]);
  });

  test('a rate limiter of a runtime is warned of', async () => {
    const config = 'backend: "millrace_runtime" instance_group { rate_limiter { priority: 2 } }';
    const { specs, warnings } = await load({ 'r/config.pbtxt': config, 'r/1/model.ts': 'export default {}' });
    expect(specs).toHaveLength(1);
    expect(warnings).toEqual([
      expect.stringMatching(/^r\/config\.pbtxt:1: instance_group.rate_limiter: only runs of ONNX/),
    ]);
  });

  test.each([
    [
      'backend: "python"',
      'm/config.pbtxt:1: backend: "python" given, "onnxruntime", "millrace", "millrace_runtime" expected: Triton\'s Python models',
    ],
    ['backend: "tensorflow"', 'python -m tf2onnx.convert'],
    ['platform: "tensorrt_plan"', 'm/config.pbtxt:1: platform: "tensorrt_plan" given'],
    ['backend: "mine"', '"millrace_runtime" expected'],
    ['default_model_filename: "model.xyz"', "Could not determine backend for model 'm'"],
    [
      'backend: "onnxruntime" default_model_filename: "other.onnx"',
      'm/config.pbtxt:1: default_model_filename: "m/1/other.onnx" does not exist',
    ],
    [
      'backend: "onnxruntime" default_model_filename: "../2/model.onnx"',
      "the name of a file in the version's folder expected",
    ],
  ])('%s is refused', async (config, reason) => {
    expect(reasonOf(await one(config))).toContain(reason);
  });

  test("a folder of Triton's Python model without a configuration is told what to do", async () => {
    expect(reasonOf(await load({ 'p/1/model.py': '' }))).toContain('write a runtime');
  });
});

describe('auto-complete', () => {
  test('without a configuration all comes from the file; a model that can be batched is', async () => {
    const { specs, warnings } = await load({ 'm/1/model.onnx': 'onnx:dynamic' });
    expect(specs).toMatchObject([
      {
        signature: {
          maxBatchSize: 4,
          inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 3, -1, -1] }],
          outputs: [{ name: 'mean', datatype: 'FP32', shape: [-1, 3] }],
        },
        dynamicBatching: { maxQueueDelayUs: 0 },
        config: {
          max_batch_size: 4,
          backend: 'onnxruntime',
          default_model_filename: 'model.onnx',
          dynamic_batching: {},
        },
      },
    ]);
    expect(warnings).toEqual([expect.stringContaining("autofilled max_batch_size to 4 for model 'm'")]);
  });

  test('one that cannot is not', async () => {
    const { specs, warnings } = await load({ 'm/1/model.onnx': 'onnx:add' });
    expect(specs).toMatchObject([
      { signature: { maxBatchSize: 0, inputs: [{ shape: [1, 4] }, { shape: [1, 4] }] }, dynamicBatching: undefined },
    ]);
    expect(warnings).toEqual([]);
  });

  test('what is given stays', async () => {
    const { signature, dynamicBatching } = await spec(
      'max_batch_size: 16 output { name: "mean" data_type: TYPE_FP32 dims: 3 }',
    );
    expect(signature).toMatchObject({ maxBatchSize: 16, inputs: [{ shape: [-1, 3, -1, -1] }] });
    expect(dynamicBatching).toBeDefined();
  });

  test('a batch of values alone has a reshaped dimension, as dims may not be empty', async () => {
    const { specs } = await load({ 'm/1/model.onnx': 'onnx:identity_fp32' });
    expect(specs).toMatchObject([{ signature: { inputs: [{ shape: [-1, 1], reshape: [] }] } }]);
  });

  test('a file that is no ONNX is left to the host to refuse', async () => {
    const { specs, broken } = await load({ 'm/1/model.onnx': 'onnx:not_onnx' });
    expect(broken).toEqual([]);
    expect(specs).toMatchObject([{ kind: 'model', signature: undefined, config: undefined }]);
  });
});

describe('a configuration and a file that do not agree', () => {
  const io = (input: string, output = 'output { name: "mean" data_type: TYPE_FP32 dims: 3 }') => `${input} ${output}`;
  test.each([
    [
      `max_batch_size: 4 input { name: "A" data_type: TYPE_FP32 dims: 4 } output { name: "SUM" data_type: TYPE_FP32 dims: 4 }`,
      "unable to load model 'm', configuration expects 1 inputs, model provides 2",
      'add',
    ],
    [
      `max_batch_size: 4`,
      "autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified",
      'add',
    ],
    [
      io('input { name: "picture" data_type: TYPE_FP32 dims: [-1, 3, 4, 4] }'),
      "unexpected inference input 'picture', allowed inputs are: image",
      'dynamic',
    ],
    [
      io('input { name: "image" data_type: TYPE_UINT8 dims: [-1, 3, 4, 4] }'),
      "unexpected datatype TYPE_UINT8 for input 'image', expecting TYPE_FP32",
      'dynamic',
    ],
    [
      io('input { name: "image" data_type: TYPE_FP32 dims: [3, 4, 4] }'),
      "model 'm', tensor 'image': the model expects 4 dimensions (shape [-1,3,-1,-1]) but the model configuration specifies 3 dimensions (shape [3,4,4])",
      'dynamic',
    ],
    [
      `max_batch_size: 4 ${io('input { name: "image" data_type: TYPE_FP32 dims: [1, 4, 4] }')}`,
      'the model configuration specifies 4 dimensions (an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape [-1,1,4,4])',
      'dynamic',
    ],
    [
      io(
        'input { name: "image" data_type: TYPE_FP32 dims: [-1, 3, 4, 4] }',
        'output { name: "sum" data_type: TYPE_FP32 dims: [-1, 3] }',
      ),
      "unexpected inference output 'sum', allowed outputs are: mean",
      'dynamic',
    ],
  ])('%s', async (config, reason, model) => {
    expect(reasonOf(await one(config, { 'm/1/model.onnx': `onnx:${model}` }))).toContain(reason);
  });
});

describe('a repository', () => {
  test('a name that two have is served from neither', async () => {
    await using other = await ScratchFolder.create();
    await other.copy(join(MODELS, 'add.onnx'), 'm/1/model.onnx');
    await using first = await ScratchFolder.create();
    await first.copy(join(MODELS, 'add.onnx'), 'm/1/model.onnx');
    const { specs, broken } = await loadTritonRepository({ roots: [first.path, other.path] });
    expect(specs).toEqual([]);
    expect(broken).toMatchObject([
      { name: 'm', reason: expect.stringContaining('model appears in two or more repositories') as string },
    ]);
  });

  test('one that is not there is refused', async () => {
    await expect(loadTritonRepository({ roots: ['/no/such'] })).rejects.toThrow(
      'model_repository: "/no/such": it does not exist',
    );
  });

  test('a changed configuration is another fingerprint, and all that may change is watched', async () => {
    const before = await one(BATCHED);
    const after = await one(`${BATCHED} metric_tags { key: "a" value: "b" }`);
    expect(after.specs[0]?.fingerprint).not.toBe(before.specs[0]?.fingerprint);
    const relative = before.files.map((file) => file.replace(/^.*millrace-scratch-[^/]*/, ''));
    expect(relative).toEqual(['', '/m', '/m/config.pbtxt', '/m/1']);
  });

  test('a model that is broken takes no other down', async () => {
    const loaded = await one('max_batch_size: "x"', { 'n/1/model.onnx': 'onnx:add', '.git/1/x': '' });
    expect(loaded.specs.map(({ name }) => name)).toEqual(['n']);
    expect(loaded.broken.map(({ name }) => name)).toEqual(['m']);
  });
});
