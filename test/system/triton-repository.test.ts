import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const onnx = (name: string): string => join(ROOT, `test/fixtures/models/${name}.onnx`);

const MEAN = `
  backend: "onnxruntime"
  max_batch_size: 4
  input [ { name: "image" data_type: TYPE_FP32 dims: [ 3, 2, 2 ] } ]
  output [ { name: "mean" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "labels.txt" } ]
  dynamic_batching { preferred_batch_size: [ 2, 4 ] }
  instance_group [ { count: 1 kind: KIND_CPU } ]
  version_policy: { all { } }
  parameters { key: "note" value: { string_value: "hello" } }
`;

/** Three times X: X + X + X. */
const THRICE = `
  platform: "ensemble"
  input [ { name: "X" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  output [ { name: "Z" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  ensemble_scheduling {
    step [
      {
        model_name: "plain" model_version: -1
        input_map { key: "A" value: "X" } input_map { key: "B" value: "X" }
        output_map { key: "SUM" value: "twice" }
      },
      {
        model_name: "plain" model_version: -1
        input_map { key: "A" value: "twice" } input_map { key: "B" value: "X" }
        output_map { key: "SUM" value: "Z" }
      }
    ]
  }
`;

const SUM = 'output [ { name: "SUM" data_type: TYPE_FP32 dims: [ 1, 4 ] label_filename: "labels.txt" } ]';

/** As Triton's, whose output has the labels of the model that it comes from. */
const TWICE = `
  platform: "ensemble"
  input [ { name: "X" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  output [ { name: "Z" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  ensemble_scheduling { step [ {
    model_name: "named" model_version: -1
    input_map { key: "A" value: "X" } input_map { key: "B" value: "X" } output_map { key: "SUM" value: "Z" }
  } ] }
`;

const PASS = `
  input_stream: "input"
  output_stream: "output"
  node { calculator: "PassThroughCalculator" input_stream: "input" output_stream: "output" }
`;

/** Times its parameter \`factor\`. */
const GAIN = `
  export default class {
    constructor(model) { this.factor = Number(model.settings?.parameters?.factor ?? model.parameters?.factor); }
    predict({ inputs: [{ data, ...input }] }) {
      const values = new Float32Array(Uint8Array.from(data).buffer).map((value) => value * this.factor);
      return { outputs: [{ ...input, name: 'output', data: new Uint8Array(values.buffer) }] };
    }
  }
`;

const warmUp = (name: string, file: string): string => `
  model_warmup [
    { name: "${name}" inputs { key: "A" value: { data_type: TYPE_FP32 dims: [1, 4] zero_data: true } }
      inputs { key: "B" value: { data_type: TYPE_FP32 dims: [1, 4] input_data_file: "${file}" } } }
  ]
`;

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await folder.put('mean/config.pbtxt', MEAN);
  for (const version of [1, 3]) await folder.copy(onnx('dynamic'), `mean/${version}/model.onnx`);
  await folder.copy(onnx('add'), 'plain/1/model.onnx');
  await folder.put('thrice/config.pbtxt', THRICE);
  await folder.copy(onnx('add'), 'named/1/model.onnx');
  await folder.put('named/config.pbtxt', SUM);
  await folder.put('named/labels.txt', 'cat\r\ndog\nfish\n');
  await folder.put('twice/config.pbtxt', TWICE);
  await folder.put('mean/labels.txt', 'red\ngreen\nblue\n');
  await folder.put('pass/2/graph.pbtxt', PASS);
  await folder.put(
    'gain/config.pbtxt',
    'backend: "millrace_runtime" parameters { key: "factor" value { string_value: "5" } }',
  );
  await folder.put('gain/1/model.js', GAIN);
  await folder.copy(onnx('add'), 'cached/1/model.onnx');
  await folder.put('cached/config.pbtxt', 'response_cache { enable: true }');
  await folder.put('broken/config.pbtxt', '\nbackend: "tensorflow"');
  await folder.put('broken/1/model.pb', '');
  for (const [name, sample, bytes] of [
    ['warm', 'early', 16],
    ['cold', 'late', 5],
  ] as const) {
    await folder.copy(onnx('add'), `${name}/1/model.onnx`);
    await folder.put(`${name}/config.pbtxt`, warmUp(sample, 'b.raw'));
    await folder.put(`${name}/warmup/b.raw`, '\0'.repeat(bytes));
  }
  const flags = [
    '--model-repository',
    folder.path,
    '--hosts',
    '2',
    '--cache_config=local,size=1000000',
    '--file_system_poll_wait_seconds',
    '0.1',
  ];
  server = await startServer({ flags });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

test('tritonclient: a model repository', async () => {
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = await runPython('test/conformance/tritonclient/model_repository.py', addresses);
  expect(Object.keys(results as object)).not.toEqual([]);
  expect(Object.entries(results as object).filter(([, result]) => result !== 'ok')).toEqual([]);
});

describe('a change of the repository', () => {
  const SEEN = { timeout: 20_000 };
  const configOf = async (name: string): Promise<unknown> =>
    (await fetch(`${server.restUrl}/v2/models/${name}/config`)).json();

  test('of a configuration is taken over', async () => {
    await folder.put('mean/config.pbtxt', MEAN.replace('max_batch_size: 4', 'max_batch_size: 16'));
    await expect.poll(() => configOf('mean'), SEEN).toMatchObject({ max_batch_size: 16 });
  });

  test('a model that is added is served, and one that goes is not', async () => {
    await folder.copy(onnx('dynamic'), 'later/1/model.onnx');
    await expect.poll(() => configOf('later'), SEEN).toMatchObject({ name: 'later', max_batch_size: 4 });
    await folder.remove('later');
    await expect.poll(() => configOf('later'), SEEN).toHaveProperty('error');
  });

  test('a fault keeps what was served, with the reason', async () => {
    await folder.put('mean/config.pbtxt', `${MEAN} max_batch_sise: 3`);
    const index = async (): Promise<unknown> =>
      (await fetch(`${server.restUrl}/v2/repository/index`, { method: 'POST' })).json();
    const reason = expect.stringContaining('ModelConfig has no field "max_batch_sise"') as string;
    await expect.poll(index, SEEN).toContainEqual({ name: 'mean', version: '1', state: 'READY', reason });
    expect(await configOf('mean')).toMatchObject({ max_batch_size: 16 });
  });

  test('of a model in an ensemble is seen by it', async () => {
    const row = { name: 'X', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
    const infer = async (): Promise<unknown> => {
      const response = await fetch(`${server.restUrl}/v2/models/thrice/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [row] }),
      });
      return response.json();
    };
    expect(await infer()).toMatchObject({ outputs: [{ data: [3, 6, 9, 12] }] });
    await folder.remove('plain');
    await expect.poll(infer, SEEN).toMatchObject({ error: expect.stringContaining('plain') as string });
    await folder.copy(onnx('add'), 'plain/1/model.onnx');
    await expect.poll(infer, SEEN).toMatchObject({ outputs: [{ data: [3, 6, 9, 12] }] });
  });
});
