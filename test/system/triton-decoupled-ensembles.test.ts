import { afterAll, beforeAll, expect, test } from 'vitest';
import { pythonPath, runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const INT32 = `
  const values = ({ data }) => new Int32Array(Uint8Array.from(data).buffer);
  const int32 = (name, value) => ({ name, datatype: 'INT32', shape: [1], data: new Uint8Array(Int32Array.of(value).buffer) });
`;

/** So many responses as it is asked for, with their number; below 0: as many, then a failure. */
const REPEAT = `${INT32}
  export default class {
    async *predictStream(requests) {
      for await (const { inputs } of requests) {
        const [count] = values(inputs[0]);
        for (let at = 0; at < Math.abs(count); at++) {
          yield { outputs: [int32('IDX', at), int32('OUT', count)] };
        }
        if (count < 0) throw new Error('no more of it');
      }
    }
  }
`;

/** Ten times its input. */
const TEN = `${INT32}
  export default class {
    async predict({ inputs }) {
      const [value] = values(inputs[0]);
      return { outputs: [int32('OUT', value * 10)] };
    }
  }
`;

const PICKY = TEN.replace('return', "if (value === 5) throw new Error('five is too much'); return");

/** Whether it runs for the first time with nothing beside it: 1, then 0; a failure where two run at once. */
const ALONE = `${INT32}
  let underWay = 0;
  let calls = 0;
  export default class {
    async predict() {
      if (++underWay > 1) throw new Error(underWay + ' at once');
      await new Promise((resolve) => setTimeout(resolve, 2));
      underWay--;
      return { outputs: [int32('OUT', calls++ === 0 ? 1 : 0)] };
    }
  }
`;

const PYTHON_REPEAT = `
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Repeat(MLModel):
    async def predict_stream(self, payloads):
        async for payload in payloads:
            count = int(NumpyCodec.decode_input(payload.inputs[0]).ravel()[0])
            for at in range(count):
                output = NumpyCodec.encode_output("IDX", np.array([at], np.int32))
                yield InferenceResponse(model_name=self.name, outputs=[output])
`;

/** Three answers to each request. */
const GRAPH = `
  input_stream: "in" output_stream: "out"
  node {
    name: "script" calculator: "ScriptCalculator"
    input_stream: "INPUT:0:in" output_stream: "OUTPUT:0:out"
    input_stream: "LOOPBACK:again" output_stream: "LOOPBACK:again"
    input_stream_info { tag_index: "LOOPBACK:0" back_edge: true }
    input_stream_handler {
      input_stream_handler: "SyncSetInputStreamHandler"
      options { [mediapipe.SyncSetInputStreamHandlerOptions.ext] { sync_set { tag_index: "LOOPBACK:0" } } }
    }
    node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "three.js" } }
  }
`;

const THREE = `${INT32}
  export default class {
    async *execute(inputs) {
      const [value] = values(inputs[0]);
      for (let i = 1; i <= 3; i++) yield [int32('out', value + i)];
    }
  }
`;

const tensor = (side: string, name: string): string => `${side} { name: "${name}" data_type: TYPE_INT32 dims: [ 1 ] }`;

type Maps = readonly [Readonly<Record<string, string>>, Readonly<Record<string, string>>];

function ensemble(steps: readonly (readonly [string, Maps])[], outputs: readonly string[] = ['Y'], more = ''): string {
  const maps = (side: string, map: Readonly<Record<string, string>>): string =>
    Object.entries(map)
      .map(([key, value]) => `${side}_map { key: "${key}" value: "${value}" }`)
      .join(' ');
  const texts = steps.map(
    ([model, [inputs, made]]) =>
      `step { model_name: "${model}" model_version: -1 ${maps('input', inputs)} ${maps('output', made)} }`,
  );
  const sides = [tensor('input', 'X'), ...outputs.map((name) => tensor('output', name))];
  return `platform: "ensemble" ${sides.join(' ')} ensemble_scheduling { ${more} ${texts.join(' ')} }`;
}

const REPEATED: Maps = [{ IN: 'X' }, { IDX: 'index' }];
const TIMES_TEN: Maps = [{ IN: 'index' }, { OUT: 'Y' }];

const ENSEMBLES = {
  each: ensemble([
    ['repeat', REPEATED],
    ['ten', TIMES_TEN],
  ]),
  fussy: ensemble([
    ['repeat', REPEATED],
    ['picky', TIMES_TEN],
  ]),
  twice: ensemble([
    ['repeat', [{ IN: 'X' }, { OUT: 'count' }]],
    ['repeat', [{ IN: 'count' }, { IDX: 'Y' }]],
  ]),
  nested: ensemble([
    ['each', [{ X: 'X' }, { Y: 'index' }]],
    ['ten', TIMES_TEN],
  ]),
  graph: ensemble([
    ['three', [{ in: 'X' }, { out: 'index' }]],
    ['ten', TIMES_TEN],
  ]),
  python: ensemble([
    ['python-repeat', [{ x: 'X' }, { IDX: 'index' }]],
    ['ten', TIMES_TEN],
  ]),
  pairs: ensemble(
    [
      ['repeat', [{ IN: 'X' }, { IDX: 'index', OUT: 'N' }]],
      ['ten', TIMES_TEN],
    ],
    ['Y', 'N'],
  ),
  limited: ensemble(
    [
      ['repeat', REPEATED],
      ['alone', TIMES_TEN],
    ],
    ['Y'],
    'max_inflight_requests: 1',
  ),
  plain: ensemble([['ten', [{ IN: 'X' }, { OUT: 'Y' }]]]),
  // Beside what comes once for each request: both refused.
  uneven: ensemble(
    [
      ['repeat', REPEATED],
      ['ten', TIMES_TEN],
      ['ten', [{ IN: 'X' }, { OUT: 'Z' }]],
    ],
    ['Y', 'Z'],
  ),
  mixed: ensemble([
    ['repeat', REPEATED],
    ['sum', [{ A: 'index', B: 'X' }, { OUT: 'Y' }]],
  ]),
};

let folder: ScratchFolder;
let server: TestServer;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const runtime = (name: string, module: string): Promise<unknown> => folder.put(`${name}/1/model.js`, module);
  await runtime('repeat', REPEAT);
  await runtime('ten', TEN);
  await runtime('picky', PICKY);
  await runtime('alone', ALONE);
  await runtime('sum', TEN);
  await folder.put('python-repeat/1/more.py', PYTHON_REPEAT);
  await folder.put(
    'python-repeat/config.pbtxt',
    'backend: "millrace_runtime" default_model_filename: "more.py" parameters { key: "export" value { string_value: "Repeat" } }',
  );
  await folder.put('three/config.pbtxt', 'backend: "millrace" model_transaction_policy { decoupled: true }');
  await folder.put('three/1/graph.pbtxt', GRAPH);
  await folder.put('three/1/three.js', THREE);
  for (const [name, config] of Object.entries(ENSEMBLES)) await folder.put(`${name}/config.pbtxt`, config);
  server = await startServer({
    flags: ['--model-repository', folder.path, '--hosts', '2'],
    env: { MILLRACE_PYTHON: await pythonPath() },
  });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

test('tritonclient: ensembles with steps that answer more than once', async () => {
  const addresses = { grpc: server.grpcAddress, http: new URL(server.restUrl).host };
  const results = await runPython('test/conformance/tritonclient/decoupled_ensembles.py', addresses);
  expect(Object.keys(results as object)).not.toEqual([]);
  expect(Object.entries(results as object).filter(([, result]) => result !== 'ok')).toEqual([]);
});
