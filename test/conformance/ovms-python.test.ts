import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { reasonOf, versionStates } from '../support/repository-states.ts';
import { scriptGraph, type ScriptNode } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { request, streamScripts, type ScriptResponse, type ScriptStream } from './ovms/script-stream.ts';

/** OVMS's streaming tests of its Python node (sheet §3.2, 12–22), with OVMS's own handlers. */

const three = ['in1', 'in2', 'in3'];
const threeOut = ['out1', 'out2', 'out3'];
const two = { inputs: ['in1', 'in2'], outputs: ['out1', 'out2'] };
const GRAPHS: Readonly<Record<string, ScriptNode>> = {
  one: { script: 'add_one.py' },
  three: { script: 'add_one.py', inputs: three, outputs: threeOut },
  incomplete: { script: 'add_one.py', inputs: three, outputs: threeOut, immediate: true },
  generator: { script: 'three.py', loopback: true },
  generators: { script: 'three.py', ...two, loopback: true },
  endless: { script: 'endless.py', loopback: true },
  no_loopback: { script: 'three.py' },
  bad_returns: { script: 'bad_returns.py' },
  diary: { script: 'diary.py', inputs: ['in'], outputs: ['out', 'echo'] },
  initialize_raises: { script: 'initialize_raises.py' },
  no_execute: { script: 'no_execute.py' },
  no_class: { script: 'no_class.py' },
  no_file: { script: 'nowhere.py' },
};

const INVALID_ARGUMENT = 3;
const SEEN = { timeout: 30_000, interval: 50 };

/** As OVMS's own graphs are written. */
function pythonGraph(node: ScriptNode): string {
  return scriptGraph(node)
    .replace('calculator: "ScriptCalculator"', 'calculator: "PythonExecutorCalculator"')
    .replace('name: "script"', 'name: "script" input_side_packet: "PYTHON_NODE_RESOURCES:py"')
    .replace('millrace.ScriptCalculatorOptions', 'mediapipe.PythonExecutorCalculatorOptions')
    .replace(/export: "\w+" shared: \w+/, '');
}

/** The node of `one`, or of `three`, between converters. */
function withConverters(inputs: readonly string[], outputs: readonly string[]): string {
  const converter = (from: string, to: string): string =>
    `node { calculator: "PyTensorOvTensorConverterCalculator" input_stream: "${from}" output_stream: "${to}" }`;
  const streams = (side: string, names: readonly string[]): string =>
    names.map((name) => `${side}_stream: "${name}"`).join(' ');
  const inner = pythonGraph({
    script: 'add_one.py',
    inputs: inputs.map((name) => `py_${name}`),
    outputs: outputs.map((name) => `py_${name}`),
  });
  return [
    streams('input', inputs),
    streams('output', outputs),
    ...inputs.map((name) => converter(`OVTENSOR:${name}`, `OVMS_PY_TENSOR:py_${name}`)),
    inner.slice(inner.indexOf('node {')),
    ...outputs.map((name) => converter(`OVMS_PY_TENSOR:py_${name}`, `OVTENSOR:${name}`)),
  ].join('\n');
}

let folder: ScratchFolder;
let server: TestServer;
let grpc: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  const handlers = new Set(Object.values(GRAPHS).map(({ script }) => script));
  for (const handler of handlers) {
    const path = join(ROOT, 'test/fixtures/python-nodes', handler);
    if (existsSync(path)) await folder.copy(path, handler);
  }
  for (const [name, node] of Object.entries(GRAPHS)) await folder.put(`${name}.pbtxt`, pythonGraph(node));
  await folder.put('one_converted.pbtxt', withConverters(['in'], ['out']));
  await folder.put('three_converted.pbtxt', withConverters(three, threeOut));
  const config = await folder.put('config.json', {
    mediapipe_config_list: [...Object.keys(GRAPHS), 'one_converted', 'three_converted'].map((name) => ({
      name,
      base_path: '.',
      graph_path: `${name}.pbtxt`,
      isolation: 'shared',
      call_deadline_ms: 3000,
    })),
  });
  const env = { MILLRACE_PYTHON: await pythonPath(), NODES: folder.path };
  server = await startServer({ config, flags: ['--hosts', '1'], env });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const stream = (requests: readonly object[]): Promise<ScriptStream> => streamScripts(grpc, requests);

test.each([
  ['12', 'one'],
  ['13: with converters,', 'one_converted'],
])('%s: one request, one response', async (_, graph) => {
  expect(await stream([request(graph, { in: 3.5 })])).toEqual({ seen: ['out=4.5@0'], code: 0, text: '' });
});

test.each([
  ['14', 'three'],
  ['15: with converters,', 'three_converted'],
])('%s: three values in one request, three values back', async (_, graph) => {
  const { seen, code } = await stream([request(graph, { in1: 3.5, in2: 7.2, in3: 102.4 }, 9)]);
  expect([seen.toSorted(), code]).toEqual([['out1=4.5@9', 'out2=8.2@9', 'out3=103.4@9'], 0]);
});

test('16: incomplete inputs, where the input policy lets them through', async () => {
  const requests = [request('incomplete', { in1: 3.5 }), request('incomplete', { in2: 7.2 })];
  expect(await stream(requests)).toMatchObject({ seen: ['out1=4.5@0', 'out2=8.2@1'], code: 0 });
});

test('17: a generator sends three responses to one request, at consecutive timestamps', async () => {
  expect(await stream([request('generator', { in: 3.5 })])).toMatchObject({
    seen: ['out=4.5@0', 'out=5.5@1', 'out=6.5@2'],
    code: 0,
  });
});

test('18: a generator of two outputs', async () => {
  const { seen, code } = await stream([request('generators', { in1: 3.5, in2: 13.5 })]);
  expect(code).toBe(0);
  expect(seen).toEqual(['out1=4.5@0', 'out2=14.5@0', 'out1=5.5@1', 'out2=15.5@1', 'out1=6.5@2', 'out2=16.5@2']);
});

test('19: inputs of one timestamp from two requests', async () => {
  const requests = [request('generators', { in1: 3.5 }, 64), request('generators', { in2: 7.2 }, 64)];
  const { seen, code } = await stream(requests);
  expect(code).toBe(0);
  expect(seen).toEqual(['out1=4.5@64', 'out2=8.2@64', 'out1=5.5@65', 'out2=9.2@65', 'out1=6.5@66', 'out2=10.2@66']);
});

test.each([
  ['20: a generator without LOOPBACK', 'no_loopback', 0, /execute yields, which needs LOOPBACK/],
  ['21: something else than a list or a generator', 'bad_returns', 0, /execute: NoneType given, a list of pyovms/],
  ['22: a list of something else than tensors', 'bad_returns', 1, /output \[0\]: int given, a pyovms\.Tensor expected/],
  ['an output that the node does not have', 'bad_returns', 2, /the node has no output "nowhere"; it has "out"/],
  ['data that does not fit its shape', 'bad_returns', 3, /3 bytes given, 4 expected for FP32 \[1\]/],
  ['a datatype that nobody knows', 'bad_returns', 4, /datatype 'COMPLEX' given/],
  ['what it raises', 'bad_returns', 5, /ValueError: as asked/],
  ['data without a buffer', 'bad_returns', 6, /TypeError: .*buffer|bytes-like/],
])('%s ends the session', async (_, graph, value, reason) => {
  const { seen, code, text } = await stream([request(graph, { in: value })]);
  expect([seen, code]).toEqual([[], INVALID_ARGUMENT]);
  expect(text).toMatch(/^Mediapipe execution failed\. MP status - .*Error occurred during graph execution/s);
  expect(text).toMatch(reason);
  expect(text).not.toContain('Traceback');
});

test('bytes go out as they are', async () => {
  expect(await stream([request('bad_returns', { in: 9 })])).toMatchObject({ seen: ['out=ok@0'], code: 0 });
});

test('inputs while a generator is at work end the session, and close the generator', async () => {
  const { code, text } = await stream([request('endless', { in: 1 }, 0), request('endless', { in: 1 }, 1)]);
  expect(code).toBe(INVALID_ARGUMENT);
  expect(text).toContain('Node is already processing data. Create new stream for another request.');
  await vi.waitFor(() => expect(existsSync(join(folder.path, 'endless.closed'))).toBe(true), SEEN);
});

test('a unary request gets the list, and of a generator what it yields first', async () => {
  for (const graph of ['one', 'generator']) {
    const { code, responses } = await grpc.unary('ModelInfer', request(graph, { in: 3.5 }));
    expect(code).toBe(0);
    expect((responses[0] as ScriptResponse['infer_response']).raw_output_contents[0]?.readFloatLE(0)).toBe(4.5);
  }
});

test('one object serves all sessions, and is told of its node', async () => {
  for (const count of [1, 2]) {
    const { seen } = await stream([request('diary', { in: 1 })]);
    expect(seen.toSorted()).toEqual(['echo=1@0', `out=${count}@0`]);
  }
  expect((await readFile(join(folder.path, 'diary'), 'utf8')).trim().split('\n')).toEqual([
    "initialize ['base_path', 'input_names', 'node_name', 'output_names'] script ['in'] ['out', 'echo']",
    folder.path,
    'execute in FP32 [1] 4 0000803f [1.0]',
    'execute in FP32 [1] 4 0000803f [1.0]',
  ]);
});

test.each([
  ['initialize_raises', /node "script": RuntimeError: no weights \(initialize_raises\.py, line 3\)/],
  ['no_execute', /node "script": class OvmsPythonModel has no method execute/],
  ['no_class', /node "script": class 'OvmsPythonModel' is not there in no_class\.py; it has Other/],
  ['no_file', /node "script": .*nowhere/],
])('%s: the graph is not served, and says why', async (graph, reason) => {
  expect(await versionStates(server, graph)).toEqual(['1 UNAVAILABLE']);
  expect(await reasonOf(server, graph)).toMatch(reason);
});

test('a call that never returns ends its session and its process, which is replaced', async () => {
  const { code } = await stream([request('bad_returns', { in: 7 })]);
  expect(code).not.toBe(0);
  expect(await stream([request('one', { in: 1 })])).toMatchObject({ seen: ['out=2@0'] });
  await vi.waitFor(
    async () => expect(await stream([request('bad_returns', { in: 9 })])).toMatchObject({ seen: ['out=ok@0'] }),
    SEEN,
  );
});

test('every object is finalized when its graph goes', async () => {
  await server.stop();
  expect((await readFile(join(folder.path, 'diary'), 'utf8')).trim().split('\n').at(-1)).toBe('finalize');
});
