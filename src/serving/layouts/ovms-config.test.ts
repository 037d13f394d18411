import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ModelSpec } from '../servable-spec.ts';
import { loadOvmsConfig, readServerSection, singleServable, type OvmsConfig } from './ovms-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ovms-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(path: string, content: unknown = path): Promise<string> {
  const full = join(folder, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, typeof content === 'string' ? content : JSON.stringify(content));
  return full;
}

async function load(config: unknown): Promise<OvmsConfig> {
  return loadOvmsConfig(await put('config.json', config));
}

function models(...configs: object[]): object {
  return { model_config_list: configs.map((config) => ({ config })) };
}

const reasons = (loaded: OvmsConfig): string[] => loaded.broken.map(({ reason }) => reason);

test('max_sessions of a model, a graph and a runtime is a whole number from 1', async () => {
  await put('g/graph.pbtxt');
  await put('r.js');
  await put('m.onnx');
  const runtime = { name: 'r', implementation: 'r.js' };
  const { specs } = await load({
    ...models({ name: 'm', base_path: 'm.onnx', max_sessions: 2 }),
    mediapipe_config_list: [{ name: 'g', max_sessions: 3 }],
    runtimes: [{ ...runtime, max_sessions: 4 }],
  });
  expect(specs).toMatchObject([
    { name: 'm', maxSessions: 2 },
    { name: 'g', maxSessions: 3 },
    { name: 'r', maxSessions: 4 },
  ]);
  const { broken } = await load({ mediapipe_config_list: [{ name: 'g', max_sessions: 0 }], runtimes: [runtime] });
  expect(broken).toMatchObject([{ name: 'g', reason: expect.stringMatching(/max_sessions.*0/) as string }]);
});

test('the highest numbered folder is served unless the policy says otherwise', async () => {
  for (const version of ['1', '9', '10', 'draft']) await put(`m/${version}/model.onnx`);
  const versions = async (policy?: object): Promise<string[]> => {
    const entry = { name: 'm', base_path: 'm', ...(policy && { model_version_policy: policy }) };
    return (await load(models(entry))).specs.map(({ version }) => version);
  };
  expect(await versions()).toEqual(['10']);
  expect(await versions({ latest: { num_versions: 2 } })).toEqual(['9', '10']);
  expect(await versions({ specific: { versions: [1, '9'] } })).toEqual(['1', '9']);
  expect(await versions({ all: {} })).toEqual(['1', '9', '10']);
  expect((await load(models({ name: 'm', base_path: 'm' }))).warnings).toEqual([expect.stringContaining('draft')]);
});

test('a version that was asked for and is not there is unavailable; the others are served', async () => {
  await put('m/1/model.onnx');
  const loaded = await load(
    models({ name: 'm', base_path: 'm', model_version_policy: { specific: { versions: [1, 2] } } }),
  );
  expect(loaded.specs.map(({ version }) => version)).toEqual(['1']);
  expect(loaded.broken).toMatchObject([{ name: 'm', version: '2', kind: 'model' }]);
  expect(loaded.files).toContain(join(folder, 'm', '2'));
});

test('a file as base_path is version 1, with the weights beside it', async () => {
  const path = await put('m.onnx');
  const data = await put('m.onnx.data');
  const { specs } = await load(models({ name: 'm', base_path: './m.onnx' }));
  expect(specs).toMatchObject([
    { kind: 'model', version: '1', path, files: [path, data], executionProviders: ['cpu'], runDeadlineMs: 0 },
  ]);
});

test('devices and tuning keys become providers and threads', async () => {
  await put('m.onnx');
  const spec = async (config: object): Promise<ModelSpec> =>
    (await load(models({ name: 'm', base_path: 'm.onnx', ...config }))).specs[0] as ModelSpec;
  expect((await spec({ target_device: 'GPU' })).executionProviders).toEqual(['cuda', 'cpu']);
  expect((await spec({ target_device: 'AUTO:CPU,GPU' })).executionProviders).toEqual(['cpu', 'cuda']);
  expect((await spec({ target_device: 'AUTO' })).executionProviders).toEqual(['cuda', 'cpu']);
  expect(
    await spec({ plugin_config: { NUM_STREAMS: '2', INFERENCE_NUM_THREADS: 8, PERFORMANCE_HINT: 'LATENCY' } }),
  ).toMatchObject({ intraOpThreads: 4 });
  expect(await spec({ run_deadline_ms: 500, nireq: 3 })).toMatchObject({
    runDeadlineMs: 500,
  });
});

test.each([
  [{ shape: '(1,3,224,224)' }, 'shape: "(1,3,224,224)" given, "auto" expected'],
  [{ batch_size: 4 }, 'batch_size: 4 given, "auto" expected'],
  [{ layout: 'NHWC:NCHW' }, 'layout: cannot be changed here'],
  [{ target_device: 'NPU' }, 'target_device: "NPU" given, CPU, GPU'],
  [{ plugin_config: { NUM_STREEMS: 1 } }, 'did you mean "NUM_STREAMS"'],
  [{ custom_loader_options: {} }, 'custom_loader_options'],
  [{ nirek: 4 }, 'unknown key "nirek"; did you mean "nireq"?'],
  [{ nireq: 'four' }, 'nireq: "four" given, number expected'],
  [{ model_version_policy: { newest: 1 } }, '{"latest": {"num_versions": N}}'],
  [{ base_path: 'gs://bucket/m' }, 'download it first'],
  [{ base_path: 'nowhere' }, 'does not exist'],
  [{ base_path: 'ir' }, 'OpenVINO IR: export'],
  [{ base_path: 'lite/m.tflite' }, 'tf2onnx.convert --tflite'],
  [{ automatic_timestamps: 'request' }, '"automatic_timestamps" is for graphs'],
  [{ max_queued_packets: 2 }, '"max_queued_packets" is for graphs'],
])('a model with %j is unavailable, saying why, and the others are served', async (config, reason) => {
  await put('m.onnx');
  await put('ir/1/model.xml');
  await put('ir/1/model.bin');
  await put('lite/m.tflite');
  const loaded = await load(
    models({ name: 'bad', base_path: 'm.onnx', ...config }, { name: 'good', base_path: 'm.onnx' }),
  );
  expect(loaded.specs.map(({ name }) => name)).toEqual(['good']);
  expect(loaded.broken).toMatchObject([{ name: 'bad', kind: 'model' }]);
  expect(reasons(loaded)[0]).toContain('config.json: model_config_list[0].config');
  expect(reasons(loaded)[0]).toContain(reason);
});

test('a graph has OVMS defaults for its paths, and our keys', async () => {
  const graphPath = await put('g/graph.pbtxt');
  const other = await put('elsewhere/other.pbtxt');
  const { specs } = await load({
    mediapipe_config_list: [
      { name: 'g', automatic_timestamps: { step_us: 40 } },
      { name: 'h', base_path: './elsewhere/', graph_path: 'other.pbtxt', automatic_timestamps: 'wall_clock' },
    ],
  });
  expect(specs).toMatchObject([
    {
      kind: 'graph',
      name: 'g',
      version: '1',
      graphPath,
      automaticTimestamps: { stepUs: 40 },
    },
    { kind: 'graph', name: 'h', graphPath: other, automaticTimestamps: 'wall_clock' },
  ]);
});

test("a graph's limits are its own or the server's, and its inputs have policies", async () => {
  await put('g/graph.pbtxt');
  const mediapipe_config_list = [
    { name: 'g', base_path: 'g', input_policy: 'newest', session_idle_timeout_ms: 0, max_in_flight_requests: 4 },
    { name: 'h', base_path: 'g', input_policy: { frame: 'newest' } },
    { name: 'i', base_path: 'g', input_policy: { frame: 'latest' } },
  ];
  const quota = { idleTimeoutMs: 10, maxDurationMs: 20, maxInFlightRequests: 30, maxQueuedPackets: 40 };
  const loaded = await loadOvmsConfig(await put('config.json', JSON.stringify({ mediapipe_config_list })), { quota });
  expect(loaded.specs).toMatchObject([
    { name: 'g', inputPolicy: 'newest', quota: { ...quota, idleTimeoutMs: 0, maxInFlightRequests: 4 } },
    { name: 'h', inputPolicy: { frame: 'newest' }, quota },
  ]);
  expect(reasons(loaded)[0]).toContain(
    'input_policy: {"frame":"latest"} given, "queue", "newest", or one of them by graph input expected',
  );
});

test('an entry of model_config_list whose graph file exists is a graph', async () => {
  await put('g/graph.pbtxt');
  const loaded = await load(
    models({ name: 'g' }, { name: 'h', graph_path: 'x.pbtxt' }, { name: 'g2', base_path: 'g', nireq: 2 }),
  );
  expect(loaded.specs).toMatchObject([{ kind: 'graph', name: 'g' }]);
  expect(loaded.broken).toMatchObject([
    { kind: 'graph', name: 'h', reason: expect.stringContaining('does not exist') as string },
    { kind: 'graph', name: 'g2', reason: expect.stringContaining('"nireq" is for models') as string },
  ]);
});

test("a graph's subconfig brings models, config.json beside the graph where there is no subconfig.json", async () => {
  for (const graph of ['a', 'b']) await put(`${graph}/graph.pbtxt`);
  await put('a/m/1/m.onnx');
  await put('a/subconfig.json', models({ name: 'm', base_path: 'm' }));
  await put('b/n.onnx');
  const fallback = await put('b/config.json', models({ name: 'n', base_path: 'n.onnx' }));
  const loaded = await load({ mediapipe_config_list: [{ name: 'a' }, { name: 'b' }] });
  expect(loaded.specs.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['model m', 'model n', 'graph a', 'graph b']);
  expect(loaded.files).toContain(fallback);
});

test('models that a graph names are told to be of one', async () => {
  const options = '[type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "m" }';
  await put('g/graph.pbtxt', `node { calculator: "OpenVINOModelServerSessionCalculator" node_options { ${options} } }`);
  for (const name of ['m', 'n']) await put(`${name}/1/model.onnx`);
  const { specs } = await load({
    ...models({ name: 'm', base_path: 'm' }, { name: 'n', base_path: 'n' }),
    mediapipe_config_list: [{ name: 'g' }],
  });
  expect(specs).toMatchObject([{ name: 'm', isOfGraph: true }, { name: 'n' }, { kind: 'graph' }]);
  expect(specs[1]).not.toHaveProperty('isOfGraph');
});

test('the configuration is not the subconfig of a graph beside it', async () => {
  await put('graph.pbtxt');
  const loaded = await load({ mediapipe_config_list: [{ name: 'g', base_path: './' }] });
  expect(loaded.specs.map(({ name }) => name)).toEqual(['g']);
  expect(loaded.warnings).toEqual([]);
});

test('a runtime names its module, its export and its parameters', async () => {
  const module = await put('r/words.mjs');
  const helper = await put('r/helper.js');
  const loaded = await load({
    runtimes: [
      { name: 'w', implementation: './r/words.mjs', parameters: { speed: 2 } },
      { name: 'v', implementation: './r/words.mjs#other', isolation: 'shared' },
      { name: 'x', implementation: './r/none.js' },
      { name: 'y', implementation: './r/words.rb' },
      { name: 'z', implementation: './r/words.mjs', isolaton: 'own' },
    ],
  });
  expect(loaded.specs).toMatchObject([
    {
      kind: 'runtime',
      name: 'w',
      module,
      export: 'default',
      parameters: { speed: 2 },
      isolation: 'own',
      files: [module, helper],
    },
    { kind: 'runtime', name: 'v', module, export: 'other', parameters: {}, isolation: 'shared' },
  ]);
  expect(reasons(loaded)).toEqual([
    expect.stringContaining('does not exist'),
    expect.stringContaining('ends in .js'),
    expect.stringContaining('did you mean "isolation"?'),
  ]);
});

test('a Python runtime names its file and its class', async () => {
  const module = await put('r/words.py');
  const helper = await put('r/helper.py');
  await put('r/notes.js');
  const loaded = await load({
    runtimes: [
      { name: 'w', implementation: './r/words.py#Words', parameters: { speed: 2 } },
      { name: 'x', implementation: './r/none.py#Words' },
      { name: 'y', implementation: './r/words.py' },
      { name: 'z', implementation: './r/words.py#Words', isolation: 'shared' },
    ],
  });
  expect(loaded.specs).toMatchObject([
    {
      kind: 'runtime',
      language: 'python',
      name: 'w',
      module,
      export: 'Words',
      parameters: { speed: 2 },
      isolation: 'own',
      files: [module, helper],
      python: { importPaths: [dirname(module)] },
    },
  ]);
  expect(reasons(loaded)).toEqual([
    expect.stringContaining('does not exist'),
    expect.stringContaining('"./r/words.py#ClassName" expected'),
    expect.stringContaining('Python needs a process of its own'),
  ]);
});

test('the first of a name wins, with a warning', async () => {
  await put('m.onnx');
  await put('m/graph.pbtxt');
  const loaded = await load({
    ...models({ name: 'm', base_path: 'm.onnx' }),
    mediapipe_config_list: [{ name: 'm' }],
  });
  expect(loaded.specs).toMatchObject([{ kind: 'model' }]);
  expect(loaded.warnings).toEqual([
    'config.json: mediapipe_config_list[0]: "m" is taken by config.json: model_config_list[0].config; this one is ignored',
  ]);
});

test('a fingerprint changes with the contents and with the entry, and with nothing else', async () => {
  await put('m.onnx', 'one');
  const fingerprint = async (config = {}): Promise<string | undefined> =>
    (await load(models({ name: 'm', base_path: 'm.onnx', ...config }))).specs[0]?.fingerprint;
  const first = await fingerprint();
  await put('m.onnx', 'one');
  expect(await fingerprint()).toBe(first);
  expect(await fingerprint({ run_deadline_ms: 5 })).not.toBe(first);
  await put('m.onnx', 'two');
  expect(await fingerprint()).not.toBe(first);
});

test('a specification is plain JSON', async () => {
  await put('m.onnx');
  await put('g/graph.pbtxt');
  const { specs } = await load({
    ...models({ name: 'm', base_path: 'm.onnx' }),
    mediapipe_config_list: [{ name: 'g' }],
  });
  expect(JSON.parse(JSON.stringify(specs))).toEqual(specs.map((spec) => JSON.parse(JSON.stringify(spec)) as unknown));
});

test('a pipeline that cannot be is listed as unavailable; native libraries and unknown keys stop the file', async () => {
  const loaded = await load({ pipeline_config_list: [{ name: 'p', inputs: [] }], custom_loader_config_list: [] });
  expect(loaded.broken).toMatchObject([{ name: 'p', kind: 'ensemble' }]);
  await expect(load({ custom_node_library_config_list: [{ name: 'l' }] })).rejects.toThrow('write a runtime');
  await expect(load({ model_config_lists: [] })).rejects.toThrow('did you mean "model_config_list"?');
  await expect(load([])).rejects.toMatchObject({ reason: 'CONFIG_INVALID' });
});

test('a file that is not JSON is an error with its place', async () => {
  const path = await put('config.json', '{\n  "model_config_list": [\n    {"config": oops}\n  ]\n}');
  await expect(loadOvmsConfig(path)).rejects.toMatchObject({
    reason: 'CONFIG_INVALID',
    message: `${path}:3:16: not valid JSON: "o" found, a value expected`,
  });
  await expect(loadOvmsConfig(join(folder, 'none.json'))).rejects.toThrow('cannot be read');
});

test('the server section takes in what monitoring says', async () => {
  const path = await put('config.json', { monitoring: { metrics: { enable: false } }, server: { port: 1 } });
  expect(await readServerSection(path)).toEqual({ metrics_enable: false, port: 1 });
});

test('one servable from flags is a model or, where there is a graph, a graph', async () => {
  const model = await put('m.onnx');
  const graphPath = await put('g/graph.pbtxt');
  expect((await singleServable({ modelName: 'm', modelPath: model, targetDevice: 'CPU' })).specs).toMatchObject([
    { kind: 'model', name: 'm', path: model },
  ]);
  for (const modelPath of [dirname(graphPath), graphPath]) {
    expect((await singleServable({ modelName: 'g', modelPath })).specs).toMatchObject([{ kind: 'graph', graphPath }]);
  }
  const broken = await singleServable({ modelName: 'n', modelPath: join(folder, 'none') });
  expect(broken).toMatchObject({ specs: [], broken: [{ name: 'n' }] });
});
