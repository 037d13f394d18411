import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { OpenStream } from '../support/open-stream.ts';
import { ROOT } from '../support/paths.ts';
import { configStatus, listVersions } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const UNAVAILABLE = 14;
const FAILED_PRECONDITION = 9;
const FIXTURES = join(ROOT, 'test/fixtures/models');

/** Lines 1 and 2 of each graph. */
const EDGES = 'input_stream: "input"\noutput_stream: "output"\n';
const node = (calculator: string, input = 'input', output = 'output', more = ''): string =>
  `node { calculator: "${calculator}" input_stream: "${input}" output_stream: "${output}" ${more}}\n`;
const counter = (type: string): string =>
  node('CounterCalculator', 'input', 'output', `node_options { [type.googleapis.com/${type}] { c: 1 } }`);

/** Name of the graph; its file; its reason. */
const GRAPHS: readonly (readonly [string, string, RegExp])[] = [
  ['unclosed', `${EDGES}node {\n  calculator: "CounterCalculator"`, /graph\.pbtxt:4: "}".*line 3.* expected/],
  ['unquoted', `${EDGES}node { calculator: CounterCalculator }`, /graph\.pbtxt:3: .*"calculator".*string expected/],
  ['misspelt_field', `${EDGES}node { calculater: "A" }`, /graph\.pbtxt:3: .*calculater.*did you mean "calculator"/],
  [
    'unknown_calculator',
    EDGES + node('CountrCalculator'),
    /:3: .*"CountrCalculator"; did you mean "CounterCalculator"/,
  ],
  [
    'cycle',
    EDGES +
      node('PreviousLoopbackCalculator', 'MAIN:input" input_stream: "LOOP:back', 'PREV_LOOP:output') +
      node('PassThroughCalculator', 'output', 'back'),
    /graph\.pbtxt:4: .*cycle.*PassThroughCalculator.*back_edge/,
  ],
  ['two_producers', EDGES + node('CounterCalculator') + node('PassThroughCalculator'), /:4: .*"output" defined twice/],
  ['no_producer', EDGES + node('CounterCalculator', 'inptu'), /:3: .*"inptu".*no producer; did you mean "input"/],
  ['output_of_none', EDGES, /graph\.pbtxt:2: .*"output" has no producer/],
  ['empty', '', /graph\.pbtxt: .*no input_stream, at least one expected/],
  ['wrong_options', EDGES + counter('mediapipe.CounterCalculatorOptions'), /:3: .*CounterCalculator.*"c"/],
  [
    'options_of_another_type',
    EDGES + counter('a.B'),
    /:3: no calculator has options of type "a\.B"; "mediapipe\.CounterCalculatorOptions" expected/,
  ],
];

/** Name of the model, what its entry says, its reason. */
const MODELS: readonly (readonly [string, object, RegExp])[] = [
  [
    'missing',
    { base_path: 'nowhere' },
    /config\.json: model_config_list\[1\]\.config: base_path: .*nowhere" does not exist/,
  ],
  ['truncated', { base_path: `${FIXTURES}/truncated.onnx` }, /truncated\.onnx: it is truncated/],
  ['not_onnx', { base_path: `${FIXTURES}/not_onnx.onnx` }, /not_onnx\.onnx: it is .*no ONNX/],
  ['unknown_operator', { base_path: `${FIXTURES}/unknown_operator.onnx` }, /operator Frobnicate \(opset 17\)/],
  ['bf16', { base_path: `${FIXTURES}/identity_bf16.onnx` }, /BF16.* export it with FP32/],
  ['openvino', { base_path: 'ir' }, /not ONNX but .*OpenVINO IR: export/],
  ['openvino_file', { base_path: 'ir/1/model.xml' }, /"model\.xml" is not ONNX but OpenVINO IR: export/],
  ['tflite', { base_path: 'lite.tflite' }, /"lite\.tflite" is not ONNX but TensorFlow Lite: .*tf2onnx/],
  ['no_file', { base_path: 'no_file' }, /no_file.1" holds no ONNX file/],
  ['no_version', { base_path: 'no_file/1' }, /no version of the model in .*sub-folders 1, 2/],
  ['unknown_key', { base_path: `${FIXTURES}/add.onnx`, nirek: 1 }, /unknown key "nirek"; did you mean "nireq"/],
  ['wrong_type', { base_path: `${FIXTURES}/add.onnx`, nireq: 'x' }, /nireq: "x" given, number expected/],
];

/** Entries of graphs and runtimes that are wrong in the configuration itself. */
const GRAPH_ENTRIES: readonly (readonly [string, object, RegExp])[] = [
  ['no_graph_file', {}, /mediapipe_config_list\[\d+\]: graph file .*no_graph_file.graph\.pbtxt" does not exist/],
  ['unknown_graph_key', { graph_pth: 'x' }, /unknown key "graph_pth"; did you mean "graph_path"/],
  ['no_subconfig', { base_path: 'good', subconfig: 'none.json' }, /subconfig: .*none\.json" does not exist/],
];
const RUNTIMES: readonly (readonly [string, object, RegExp])[] = [
  ['no_module', { implementation: 'none.js' }, /runtimes\[0\]: implementation: .*none\.js" does not exist/],
  ['no_default', { implementation: 'no_default.js' }, /no_default\.js: no export "default"; it has other/],
  ['no_syntax', { implementation: 'no_syntax.js' }, /no_syntax\.js.*(Unexpected|expected)/i],
];

const BROKEN = [...GRAPHS, ...MODELS, ...GRAPH_ENTRIES, ...RUNTIMES].map(([name, , reason]): [string, RegExp] => [
  name,
  reason,
]);

describe('a server with many broken servables', () => {
  let folder: ScratchFolder;
  let server: TestServer;

  beforeAll(async () => {
    folder = await ScratchFolder.create();
    for (const [name, text] of GRAPHS) await folder.put(`${name}/graph.pbtxt`, text);
    await folder.put('good/graph.pbtxt', EDGES + node('CounterCalculator'));
    await folder.put(
      'side_packet/graph.pbtxt',
      EDGES + node('OpenVINOInferenceCalculator', 'A:input', 'B:output', 'input_side_packet: "SESSION:session" '),
    );
    await folder.put('ir/1/model.xml', '<net/>');
    await folder.put('ir/1/model.bin', 'weights');
    await folder.put('lite.tflite', 'TFL3');
    await folder.put('no_file/1/readme.txt', 'nothing');
    await folder.put('no_default.js', 'export const other = 1;');
    await folder.put('no_syntax.js', 'export default {\n  predict( };\n');
    const config = await folder.put('config.json', {
      model_config_list: [
        { config: { name: 'add', base_path: `${FIXTURES}/add.onnx` } },
        ...MODELS.map(([name, entry]) => ({ config: { name, ...entry } })),
      ],
      mediapipe_config_list: [
        { name: 'good' },
        { name: 'side_packet' },
        ...GRAPHS.map(([name]) => ({ name })),
        ...GRAPH_ENTRIES.map(([name, entry]) => ({ name, ...entry })),
      ],
      runtimes: RUNTIMES.map(([name, entry]) => ({ name, ...entry })),
    });
    server = await startServer({ config, flags: ['--hosts', '1'] });
  });
  afterAll(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  it('lists each as unavailable with its reason, in the index and in OVMS’s list', async () => {
    const listed = new Map((await listVersions(server)).map((version) => [version.name, version]));
    const status = await configStatus(server);
    for (const [name, reason] of BROKEN) {
      expect(listed.get(name), name).toMatchObject({
        state: 'UNAVAILABLE',
        reason: expect.stringMatching(reason) as string,
      });
      expect(status[name]?.[0], name).toMatchObject({
        version: '1',
        status: { error_message: listed.get(name)?.reason },
      });
      expect(status[name]?.[0]?.state, name).not.toBe('AVAILABLE');
      expect(status[name]?.[0]?.status.error_code, name).not.toBe('OK');
    }
    const good = [...listed.values()].filter(({ state }) => state === 'READY').map(({ name }) => name);
    expect(good.sort()).toEqual(['add', 'good', 'side_packet']);
  });

  it('answers requests to them with UNAVAILABLE and the reason', async () => {
    using grpc = new KserveGrpc(server.grpcAddress);
    for (const [name, reason] of BROKEN) {
      const request = { model_name: name };
      for (const { code, text } of [
        await grpc.unary('ModelInfer', request),
        await grpc.stream('ModelStreamInfer', [request]),
      ]) {
        expect({ code, text }, name).toEqual({ code: UNAVAILABLE, text: expect.stringMatching(reason) as string });
      }
      const response = await fetch(`${server.restUrl}/v2/models/${name}/infer`, {
        method: 'POST',
        body: '{"inputs": []}',
      });
      expect([response.status, await response.json()], name).toEqual([
        503,
        { error: expect.stringMatching(reason) as string, reason: 'SERVABLE_NOT_READY' },
      ]);
    }
  });

  it('says that a side packet is missing when a stream begins, for a request might have brought it', async () => {
    using grpc = new KserveGrpc(server.grpcAddress);
    const request = { model_name: 'side_packet' };
    expect(await grpc.stream('ModelStreamInfer', [request])).toMatchObject({
      code: FAILED_PRECONDITION,
      text: expect.stringMatching(/Failed to start mediapipe graph - .*"?session"?/) as string,
      responses: [],
    });
  });

  it('names the broken ones in the line that says it is ready, and serves the others', async () => {
    const line =
      server
        .logs()
        .split('\n')
        .find((text) => text.startsWith('millrace is ready')) ?? '';
    const [ready = '', unavailable = ''] = line.split('not available');
    expect(ready).toMatch(/\badd\b.*\bgood\b/);
    for (const [name] of BROKEN) {
      expect(unavailable, name).toMatch(new RegExp(`\\b${name}\\b`));
      expect(ready, name).not.toMatch(new RegExp(`\\b${name}\\b`));
    }
    const stream = new OpenStream(server.grpcAddress, 'good');
    expect([await stream.add(1), await stream.add(2), await stream.close()]).toEqual([1, 3, 0]);
  });
});

describe('a configuration that cannot be taken as a whole', () => {
  const CONFIGS: readonly (readonly [string, string | object, RegExp])[] = [
    [
      'is not JSON',
      '{\n  "mediapipe_config_list": [ }',
      /config\.json:2:30: not valid JSON: "}" found, a value expected/,
    ],
    [
      'has an unknown key',
      { mediapipe_config_lst: [] },
      /"mediapipe_config_lst"; did you mean "mediapipe_config_list"/,
    ],
    [
      'has an unknown setting',
      { server: { hots: 1 } },
      /config\.json: server: unknown key "hots"; did you mean "hosts"/,
    ],
    ['has a setting of the wrong type', { server: { hosts: 'x' } }, /hosts: "x" given, .*expected/],
    ['lacks a key', { monitoring: { metrics: {} } }, /monitoring\.metrics\.enable: missing, boolean expected/],
    ['is no object', [], /config\.json: .*object expected/],
  ];
  it.each(CONFIGS)('that %s ends the start with one line that says so', async (_, content, message) => {
    await using folder = await ScratchFolder.create();
    const config = await folder.put('config.json', content);
    const failure = await startServer({ config }).then(
      () => 'started',
      (error: unknown) => String(error),
    );
    expect(failure).toMatch(message);
    expect(failure).toContain('exit code 1');
    expect(failure.match(/^millrace: /gm)).toHaveLength(1);
    expect(failure).not.toMatch(/^ +at /m);
  });

  it.each([
    ['missing', 'none.json'],
    ['a folder', '.'],
  ])('because the file is %s ends the start with one line that names it', async (_, name) => {
    await using folder = await ScratchFolder.create();
    const config = join(folder.path, name);
    await expect(startServer({ config })).rejects.toThrow(/exit code 1[^]*millrace: .*cannot be read: /);
  });
});
