import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const onnx = (name: string): string => join(ROOT, `test/fixtures/models/${name}.onnx`);

const MEAN = `
  backend: "onnxruntime"
  max_batch_size: 4
  input [ { name: "image" data_type: TYPE_FP32 dims: [ 3, 2, 2 ] } ]
  output [ { name: "mean" data_type: TYPE_FP32 dims: [ 3 ] } ]
`;

const THRICE = `
  platform: "ensemble"
  input [ { name: "X" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  output [ { name: "Z" data_type: TYPE_FP32 dims: [ 1, 4 ] } ]
  ensemble_scheduling { step [ {
    model_name: "plain" model_version: -1
    input_map { key: "A" value: "X" } input_map { key: "B" value: "X" } output_map { key: "SUM" value: "Z" }
  } ] }
`;

let folder: ScratchFolder;
let temporary: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  temporary = await ScratchFolder.create();
  await folder.put('mean/config.pbtxt', MEAN);
  await folder.copy(onnx('dynamic'), 'mean/1/model.onnx');
  await folder.copy(onnx('add'), 'plain/1/model.onnx');
  await folder.put('thrice/config.pbtxt', THRICE);
  const flags = ['--model-repository', folder.path, '--model-control-mode=explicit', '--load-model=mean', '--hosts=2'];
  server = await startServer({ flags, env: { TMPDIR: temporary.path } });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
  await temporary[Symbol.asyncDispose]();
});

const listed = async (path: string): Promise<string[]> => (await readdir(path, { recursive: true })).sort();

test('tritonclient: loads with a configuration and files of their own', async () => {
  const before = await listed(folder.path);
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = await runPython('test/conformance/tritonclient/load_override.py', addresses);
  expect(Object.keys(results as object)).not.toEqual([]);
  expect(Object.entries(results as object).filter(([, result]) => result !== 'ok')).toEqual([]);
  expect(await listed(folder.path)).toEqual(before);
  expect((await readdir(temporary.path)).filter((name) => name.startsWith('millrace-load-'))).toEqual([]);
});

test('what a client brought is removed when the server ends', async () => {
  const flags = ['--model-repository', folder.path, '--model-control-mode=explicit', '--hosts=1'];
  await using other = await startServer({ flags, env: { TMPDIR: temporary.path } });
  const brought = async (): Promise<number> =>
    (await readdir(temporary.path)).filter((name) => name.startsWith('millrace-load-')).length;
  const model = (await readFile(onnx('add'))).toString('base64');
  const response = await fetch(`${other.restUrl}/v2/repository/models/fresh/load`, {
    method: 'POST',
    body: JSON.stringify({ parameters: { config: '{}', 'file:1/model.onnx': model } }),
  });
  expect(await response.text()).toBe('');
  expect(await brought()).toBe(1);
  await other.stop();
  expect(await brought()).toBe(0);
});
