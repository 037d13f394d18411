import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { configStatus, listVersions, reasonOf } from '../support/repository-states.ts';
import { copyScripts, scriptGraph } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Graph definitions, their reload and retirement: the OVMS sheet, §3.3 and §3.5. */
const NOT_FOUND = 5;
const UNAVAILABLE = 14;

const node = (calculator: string, input: string, output = 'output'): string =>
  `node { calculator: "${calculator}" input_stream: "${input}" output_stream: "${output}" }`;
const graph = (calculator = 'CounterCalculator', input = 'input'): string =>
  `input_stream: "${input}"\noutput_stream: "output"\n${node(calculator, input)}\n`;
const ADD_MODEL = join(ROOT, 'test/fixtures/models/add.onnx');

let folder: ScratchFolder;
let server: TestServer;
let client: KserveGrpc;

const reload = async (): Promise<number> =>
  (await fetch(`${server.restUrl}/v1/config/reload`, { method: 'POST' })).status;
const stateOf = async (name: string): Promise<string | undefined> => (await configStatus(server))[name]?.[0]?.state;

/** LOADING_PRECONDITION_FAILED is shown as LOADING with this error code (sheet §4.4). */
const errorOf = async (name: string): Promise<string | undefined> =>
  (await configStatus(server))[name]?.[0]?.status.error_code;

/** The status of a new session with one request. */
async function tryStream(name: string, input = 'input') {
  const bytes = Buffer.from(Float32Array.of(1).buffer);
  const inputs = [{ name: input, datatype: 'FP32', shape: [1] }];
  const { code, text, responses } = await client.stream('ModelStreamInfer', [
    { model_name: name, inputs, raw_input_contents: [bytes] },
  ]);
  return { code, text, errors: responses.map((response) => (response as { error_message: string }).error_message) };
}

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const config = await folder.put('config.json', { mediapipe_config_list: [] });
  server = await startServer({ config, flags: ['--hosts', '1', '--file_system_poll_wait_seconds', '0'] });
  client = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  client.close();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const serve = async (...names: readonly string[]): Promise<void> => {
  await folder.put('config.json', { mediapipe_config_list: names.map((name) => ({ name })) });
  await reload();
};

describe('sessions and definitions that change', () => {
  beforeEach(async () => {
    await folder.put('g/graph.pbtxt', graph());
    await serve('g');
  });

  it('Infer: three requests, three responses', async () => {
    const stream = new OpenStream(server.grpcAddress, 'g');
    expect([await stream.add(1), await stream.add(2), await stream.add(3)]).toEqual([1, 3, 6]);
    expect(await stream.close()).toBe(0);
  });

  it('InferOnUnloadedGraph: an open session works to its end, a new one is not found', async () => {
    const open = new OpenStream(server.grpcAddress, 'g');
    expect(await open.add(1)).toBe(1);
    await serve();
    expect(await open.add(2)).toBe(3);
    expect((await tryStream('g')).code).toBe(NOT_FOUND);
    expect(await open.add(3)).toBe(6);
    expect(await open.close()).toBe(0);
  });

  it('InferOnReloadedGraph: an open session keeps its graph, a new one must use the new names', async () => {
    const open = new OpenStream(server.grpcAddress, 'g');
    expect(await open.add(1)).toBe(1);
    await folder.put('g/graph.pbtxt', graph('CounterCalculator', 'renamed'));
    expect(await reload()).toBe(201);
    expect(await open.add(2)).toBe(3);
    expect(await tryStream('g')).toMatchObject({
      code: 0,
      errors: ['Unexpected input - input is unexpected; partial deserialization of first request'],
    });
    expect(await tryStream('g', 'renamed')).toMatchObject({ code: 0, errors: [''] });
    expect(await open.close()).toBe(0);
  });

  it('NegativeShouldNotReachInferDueToRetiredGraph', async () => {
    await serve();
    expect((await tryStream('g')).code).toBe(NOT_FOUND);
  });

  it('InferStreamDisconnectionBeforeFirstRequest: nothing is made, nothing written', async () => {
    const { code, responses } = await client.stream('ModelStreamInfer', []);
    expect({ code, responses }).toEqual({ code: 0, responses: [] });
    const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
    expect(metrics).toMatch(/^ovms_current_graphs\{name="g"\} 0$/m);
  });

  it('AddRemoveAdd: AVAILABLE, gone, AVAILABLE', async () => {
    expect(await stateOf('g')).toBe('AVAILABLE');
    await serve();
    expect(await stateOf('g')).toBeUndefined();
    await serve('g');
    expect(await stateOf('g')).toBe('AVAILABLE');
  });

  it('BrokenFixedBroken: a graph that never loaded is not available; mended it is; broken again, the last good one serves', async () => {
    await folder.put('fresh/graph.pbtxt', 'garbage');
    await serve('fresh');
    await expect.poll(() => errorOf('fresh')).toBe('FAILED_PRECONDITION');
    expect(await tryStream('fresh')).toMatchObject({
      code: UNAVAILABLE,
      text: expect.stringContaining('not at ready state') as string,
    });
    await folder.put('fresh/graph.pbtxt', graph());
    expect(await reload()).toBe(201);
    expect(await tryStream('fresh')).toMatchObject({ code: 0 });
    await folder.put('fresh/graph.pbtxt', 'garbage');
    await reload();
    await expect.poll(() => reasonOf(server, 'fresh')).toMatch(/graph\.pbtxt/);
    expect(await tryStream('fresh')).toMatchObject({ code: 0 });
  });
});

const SESSION = `node { calculator: "OpenVINOModelServerSessionCalculator" output_side_packet: "SESSION:s"
  node_options: { [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions]: { servable_name: "add" } } }`;
const INFERENCE = `input_stream: "A:a" input_stream: "B:b" output_stream: "SUM:sum" ${SESSION}
node { calculator: "OpenVINOInferenceCalculator" input_side_packet: "SESSION:s" input_stream: "A:a" input_stream: "B:b" output_stream: "SUM:sum" }`;

describe('graphs and their models', () => {
  const model = { config: { name: 'add', base_path: ADD_MODEL } };
  const sum = async (): Promise<{ code: number; text: string }> => {
    const inputs = ['a', 'b'].map((name) => ({ name, datatype: 'FP32', shape: [1, 4] }));
    return client.unary('ModelInfer', {
      model_name: 'sum',
      inputs,
      raw_input_contents: inputs.map(() => Buffer.alloc(16)),
    });
  };

  it('RetiringAUsedModel: the graph stays AVAILABLE, and its runs say what is missing', async () => {
    await folder.put('sum/graph.pbtxt', INFERENCE);
    await folder.put('config.json', { mediapipe_config_list: [{ name: 'sum' }], model_config_list: [model] });
    await reload();
    expect(await sum()).toMatchObject({ code: 0 });
    await folder.put('config.json', { mediapipe_config_list: [{ name: 'sum' }] });
    await reload();
    expect(await stateOf('sum')).toBe('AVAILABLE');
    expect(await sum()).toMatchObject({ code: 9, text: expect.stringContaining('add') as string });
  });

  it.each([
    ['DefaultSubconfig', undefined, 'sum/subconfig.json'],
    ['EmptySubconfig', '', 'sum/subconfig.json'],
    ['NamedSubconfig', 'more.json', 'sum/more.json'],
  ])('%s: its models are served with the graph', async (_, subconfig, path) => {
    await folder.put('sum/graph.pbtxt', INFERENCE);
    await folder.put(path, { model_config_list: [model] });
    await folder.put('config.json', {
      mediapipe_config_list: [{ name: 'sum', ...(subconfig !== undefined && { subconfig }) }],
    });
    await reload();
    expect(await sum()).toMatchObject({ code: 0 });
    await folder.remove(path);
  });

  it.each([
    ['NameOnly', () => ({})],
    ['RelativeBasePath', () => ({ base_path: 'elsewhere' })],
    ['RelativeGraphPath', () => ({ base_path: 'elsewhere', graph_path: 'sub/other.pbtxt' })],
    ['GraphPathWithoutBasePath', () => ({ graph_path: '../elsewhere/sub/other.pbtxt' })],
    ['AbsoluteBasePath', () => ({ base_path: join(folder.path, 'elsewhere') })],
    ['AbsoluteGraphPath', () => ({ graph_path: join(folder.path, 'elsewhere/sub/other.pbtxt') })],
    [
      'AbsoluteBoth',
      () => ({
        base_path: join(folder.path, 'elsewhere'),
        graph_path: join(folder.path, 'elsewhere/sub/other.pbtxt'),
      }),
    ],
  ])('Paths: %s', async (_, entry) => {
    for (const path of ['here/graph.pbtxt', 'elsewhere/graph.pbtxt', 'elsewhere/sub/other.pbtxt']) {
      await folder.put(path, graph());
    }
    await folder.put('config.json', { mediapipe_config_list: [{ name: 'here', ...entry() }] });
    await reload();
    expect(await tryStream('here')).toMatchObject({ code: 0, errors: [''] });
  });

  it('GraphNameTakenByModel: the graph is refused, the model serves', async () => {
    await folder.put('add/graph.pbtxt', graph());
    await folder.put('config.json', { mediapipe_config_list: [{ name: 'add' }], model_config_list: [model] });
    await reload();
    expect(server.logs()).toContain('is taken by config.json: model_config_list[0].config');
  });
});

const PASS_REQUEST = 'node { calculator: "IdentityCalculator" input_stream: "REQUEST:a" output_stream: "RESPONSE:b" }';

describe('definitions that are refused', () => {
  it.each([
    [
      'DuplicateGraphInput',
      `input_stream: "a" input_stream: "a" output_stream: "b" ${node('PassThroughCalculator', 'a', 'b')}`,
    ],
    [
      'DuplicateGraphOutput',
      `input_stream: "a" output_stream: "b" output_stream: "b" ${node('PassThroughCalculator', 'a', 'b')}`,
    ],
    [
      'RequestWithoutResponse',
      `input_stream: "REQUEST:a" output_stream: "b" ${node('PassThroughCalculator', 'a', 'b')}`,
    ],
    [
      'ResponseWithoutRequest',
      `input_stream: "a" output_stream: "RESPONSE:b" ${node('PassThroughCalculator', 'a', 'b')}`,
    ],
    [
      'TwoInputsBesideRequest',
      `input_stream: "REQUEST:a" input_stream: "c" output_stream: "RESPONSE:b" ${PASS_REQUEST}`,
    ],
    [
      'TwoOutputsBesideResponse',
      `input_stream: "REQUEST:a" output_stream: "RESPONSE:b" output_stream: "c" ${PASS_REQUEST} ${node('PassThroughCalculator', 'a', 'c')}`,
    ],
    ['BadTagSyntax', `input_stream: "a:b:c:d" output_stream: "b" ${node('PassThroughCalculator', 'a', 'b')}`],
    ['EmptyFile', ''],
    ['NoInputs', 'output_stream: "b" node { calculator: "CountingSourceCalculator" output_stream: "b" }'],
    ['NoOutputs', 'input_stream: "a"'],
    [
      'TfliteTensor',
      `input_stream: "TFLITE_TENSOR:a" output_stream: "TFLITE_TENSOR:b" ${node('PassThroughCalculator', 'a', 'b')}`,
    ],
    [
      'UnknownInputStreamHandler',
      `input_stream: "a" output_stream: "b" node { calculator: "PassThroughCalculator" input_stream: "a" output_stream: "b" input_stream_handler { input_stream_handler: "NoSuch" } }`,
    ],
    ['NoSuchOutputStream', `input_stream: "a" output_stream: "wrong" ${node('PassThroughCalculator', 'a', 'b')}`],
  ])('%s', async (name, content) => {
    await folder.put(`${name}/graph.pbtxt`, content);
    await serve(name);
    await expect.poll(() => errorOf(name)).toBe('FAILED_PRECONDITION');
    expect(await reasonOf(server, name)).toMatch(/graph\.pbtxt/);
    expect((await tryStream(name)).code).toBe(UNAVAILABLE);
  });
});

describe('script nodes', () => {
  const serveScript = async (name: string, content: string): Promise<string> => {
    await copyScripts(folder, ['stream/add-one.ts', 'stream/bad-returns.js', 'faults/faults.ts']);
    await folder.put(`${name}.pbtxt`, content);
    await folder.put('config.json', {
      mediapipe_config_list: [{ name, base_path: '.', graph_path: `${name}.pbtxt`, isolation: 'shared' }],
    });
    await reload();
    await expect.poll(() => errorOf(name)).toBe('FAILED_PRECONDITION');
    return reasonOf(server, name);
  };

  it.each([
    ['missing file', { script: 'stream/nowhere.ts' }, /nowhere\.ts/],
    ['missing export', { script: 'stream/add-one.ts#Nobody' }, /Nobody/],
    ['missing execute', { script: 'stream/add-one.ts#noScript' }, /export "noScript" has no method execute/],
    ['a wrong path', { script: '/stream/../nowhere/add-one.ts' }, /there is no such file/],
    ['failing initialize', { script: 'faults/faults.ts#initialize', shared: true }, /thrown in initialize/],
  ])('Python handler faults: %s', async (_, script, reason) => {
    expect(await serveScript('handler', scriptGraph(script))).toMatch(reason);
  });

  it('of two scripts of a graph the second of which fails, the first is finalized again', async () => {
    const script = (name: string, exported: string): string =>
      scriptGraph({ script: `faults/faults.ts#${exported}`, shared: true, outputs: [name] })
        .replace('name: "script"', `name: "${name}"`)
        .replace('input_stream: "in" ', '');
    const reason = await serveScript(
      'two',
      `input_stream: "in" ${script('first', 'finalize')} ${script('second', 'initialize')}`,
    );
    expect(reason).toMatch(/node "second".*thrown in initialize/);
    await expect.poll(() => server.logs()).toMatch(/thrown in finalize/);
  });

  it('node names given twice are numbered', async () => {
    await copyScripts(folder, ['stream/add-one.ts']);
    const script = (input: string, output: string): string =>
      scriptGraph({ script: 'stream/add-one.ts', inputs: [input], outputs: [output] })
        .replace(`output_stream: "between"`, '')
        .replace(`input_stream: "between"`, '');
    await folder.put('config.json', {
      mediapipe_config_list: [{ name: 'twice', base_path: '.', graph_path: 'twice.pbtxt', isolation: 'shared' }],
    });
    await folder.put('twice.pbtxt', `${script('input', 'between')} ${script('between', 'output')}`);
    await reload();
    const stream = new OpenStream(server.grpcAddress, 'twice');
    expect(await stream.add(1)).toBe(3);
    expect(await stream.close()).toBe(0);
    const { nodes } = (await (await fetch(`${server.restUrl}/v2/models/twice/graph`)).json()) as { nodes: object[] };
    expect(nodes).toMatchObject([{ name: 'script_1' }, { name: 'script_2' }]);
  });

  const HANDLER = /input_stream_handler \{[^]*?\} \} \}\s*\}/;
  const looped = scriptGraph({ script: 'stream/add-one.ts#Three', loopback: true });
  it.each([
    [
      'on the output only',
      looped
        .replace(/input_stream: "LOOPBACK:[^"]*"/, '')
        .replace(/input_stream_info \{[^}]*\}/, '')
        .replace(HANDLER, ''),
      /LOOPBACK is on the output side only/,
    ],
    ['on the input only', looped.replace(/output_stream: "LOOPBACK:[^"]*"/, ''), /LOOPBACK is on the input side only/],
    ['back_edge false', looped.replace(/back_edge: true/, 'back_edge: false'), /cycle detected/],
    [
      'wrong tag_index',
      looped.replace(/tag_index: "LOOPBACK:0" back_edge/, 'tag_index: "LOOP:0" back_edge'),
      /input_stream_info names no input: tag_index "LOOP:0"/,
    ],
    ['no input_stream_info', looped.replace(/input_stream_info \{[^}]*\}/, ''), /cycle detected/],
    [
      'sync set of a wrong tag',
      looped.replace(/sync_set \{ tag_index: "LOOPBACK:0"/, 'sync_set { tag_index: "LOOP:0"'),
      /names no input: tag_index "LOOP:0"/,
    ],
    ['no sync set', looped.replace(HANDLER, ''), /LOOPBACK waits for the other inputs/],
    [
      'a sync set with another input',
      looped.replace(/sync_set \{ /, 'sync_set { tag_index: "INPUT:0" '),
      /LOOPBACK waits for the other inputs/,
    ],
  ])('LOOPBACK faults: %s', async (_, content, fault) => {
    expect(content).not.toBe(looped);
    const reason = await serveScript('loop', content);
    expect(reason).toMatch(/loop\.pbtxt/);
    expect(reason).toMatch(fault);
  });
});

it('answers while another servable still loads', async () => {
  await using slow = await ScratchFolder.create();
  await slow.put('ready/graph.pbtxt', graph());
  const implementation = await slow.put(
    'slow.js',
    'export default { inputs: [], outputs: [], load: () => new Promise(() => {}), predict: () => ({ outputs: [] }) };',
  );
  await folder.put('ready/graph.pbtxt', graph());
  await folder.put('config.json', {
    mediapipe_config_list: [{ name: 'ready' }],
    runtimes: [{ name: 'slow', implementation }],
  });
  reload().catch(() => {}); // still under way when the server ends
  await expect.poll(async () => (await tryStream('ready')).code).toBe(0);
  expect((await listVersions(server)).find(({ name }) => name === 'slow')?.state).toBe('LOADING');
});
