import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath, runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Times `gain`, which is 2 where the request does not say. */
const GAIN = (factor: number): string => `
  export default class {
    predict({ id, parameters, inputs: [{ data, ...input }] }) {
      if (parameters?.fail !== undefined) throw new Error(parameters.fail);
      const gain = Number(parameters?.gain ?? ${factor});
      const values = new Float32Array(Uint8Array.from(data).buffer).map((value) => value * gain);
      const text = Buffer.from(id);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(text.length);
      const given = { name: 'id', datatype: 'BYTES', shape: [1], data: Buffer.concat([size, text]) };
      if (parameters?.forget === true) return { outputs: [given] };
      return { outputs: [{ ...input, name: 'output', data: new Uint8Array(values.buffer) }, given] };
    }
  }
`;

const MORE = `
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class More(MLModel):
    async def predict(self, payload):
        values = NumpyCodec.decode_input(payload.inputs[0]) + np.float32(1)
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("output", values)])
`;

const PASS = `
  input_stream: "OVTENSOR:input"
  output_stream: "OVTENSOR:output"
  node { calculator: "PassThroughCalculator" input_stream: "input" output_stream: "output" }
`;

type Maps = readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>];

function step(model: string, [inputs, outputs]: Maps): string {
  const maps = (side: string, map: Readonly<Record<string, string>>): string =>
    Object.entries(map)
      .map(([key, value]) => `${side}_map { key: "${key}" value: "${value}" }`)
      .join(' ');
  return `step { model_name: "${model}" model_version: -1 ${maps('input', inputs)} ${maps('output', outputs)} }`;
}

function ensemble(outputs: string, ...steps: readonly (readonly [string, Maps])[]): string {
  const wanted = outputs === 'Z' ? '' : 'output { name: "ID" data_type: TYPE_STRING dims: [ 1 ] }';
  return `
    platform: "ensemble"
    input { name: "X" data_type: TYPE_FP32 dims: [ 1, 4 ] }
    output { name: "Z" data_type: TYPE_FP32 dims: [ 1, 4 ] } ${wanted}
    ensemble_scheduling { ${steps.map(([model, maps]) => step(model, maps)).join('\n')} }
  `;
}

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const runtime = (more = ''): string => `backend: "millrace_runtime" ${more}`;
  const tensor = (side: string, name: string): string =>
    `${side} { name: "${name}" data_type: TYPE_FP32 dims: [ -1, -1 ] }`;
  await folder.put(
    'gain/config.pbtxt',
    runtime(
      `${tensor('input', 'input')} ${tensor('output', 'output')} output { name: "id" data_type: TYPE_STRING dims: [ 1 ] }`,
    ),
  );
  await folder.put('gain/1/model.js', GAIN(2));
  await folder.put(
    'more/config.pbtxt',
    runtime(
      'default_model_filename: "more.py" parameters { key: "export" value { string_value: "More" } } instance_group { count: 2 }',
    ),
  );
  await folder.put('more/1/more.py', MORE);
  await folder.put('pass/1/graph.pbtxt', PASS);
  await folder.copy(join(ROOT, 'test/fixtures/models/add.onnx'), 'add/1/model.onnx');
  await folder.put(
    'mixed/config.pbtxt',
    ensemble(
      'Z ID',
      ['gain', [{ input: 'X' }, { output: 'twice', id: 'ID' }]],
      ['add', [{ A: 'twice', B: 'X' }, { SUM: 'thrice' }]],
      ['pass', [{ input: 'thrice' }, { output: 'passed' }]],
      ['more', [{ x: 'passed' }, { output: 'Z' }]],
    ),
  );
  await folder.put(
    'nested/config.pbtxt',
    ensemble('Z', ['mixed', [{ X: 'X' }, { Z: 'once' }]], ['mixed', [{ X: 'once' }, { Z: 'Z' }]]),
  );
  await folder.put('wrong/config.pbtxt', ensemble('Z', ['gain', [{ Q: 'X' }, { output: 'Z' }]]));
  server = await startServer({
    flags: ['--model-repository', folder.path, '--hosts', '2', '--file_system_poll_wait_seconds', '0.1'],
    env: { MILLRACE_PYTHON: await pythonPath() },
  });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

test('tritonclient: ensembles with runtimes and graphs', async () => {
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = await runPython('test/conformance/tritonclient/ensemble_steps.py', addresses);
  expect(Object.keys(results as object)).not.toEqual([]);
  expect(Object.entries(results as object).filter(([, result]) => result !== 'ok')).toEqual([]);
});

test('a runtime that changes, goes and comes again is seen by the ensembles that have it as a step', async () => {
  const SEEN = { timeout: 20_000 };
  const infer = async (): Promise<unknown> => {
    const response = await fetch(`${server.restUrl}/v2/models/mixed/infer`, {
      method: 'POST',
      body: JSON.stringify({
        inputs: [{ name: 'X', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }],
        outputs: [{ name: 'Z' }],
      }),
    });
    return response.json();
  };
  expect(await infer()).toMatchObject({ outputs: [{ data: [4, 7, 10, 13] }] });
  await folder.put('gain/1/model.js', GAIN(3));
  await expect.poll(infer, SEEN).toMatchObject({ outputs: [{ data: [5, 9, 13, 17] }] });
  await folder.put('gain/1/model.js', 'export default class { load() { throw new Error("broken"); } }');
  await folder.remove('pass');
  await expect.poll(infer, SEEN).toMatchObject({ error: expect.stringContaining('pass') as string });
  await folder.put('gain/1/model.js', GAIN(4));
  await folder.put('pass/1/graph.pbtxt', PASS);
  await expect.poll(infer, SEEN).toMatchObject({ outputs: [{ data: [6, 11, 16, 21] }] });
});
