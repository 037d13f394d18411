import { afterAll, beforeAll, expect, test } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { runPython } from '../support/python.ts';
import { copyScripts, scriptGraph, type ScriptNode } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { expectCase } from './ovms/expect-case.ts';
import { request, streamScripts, type ScriptResponse, type ScriptStream } from './ovms/script-stream.ts';
import { allOk, SCRIPT_CASES } from './ovms/stream-case.ts';

/** OVMS's streaming tests of its Python node (sheet §3.2, 12–22), with ScriptCalculator in its place: the cases of script-cases.json, and more. */

const three = ['in1', 'in2', 'in3'];
const threeOut = ['out1', 'out2', 'out3'];
const GRAPHS: Readonly<Record<string, ScriptNode>> = {
  one: { script: 'stream/add-one.ts' },
  three: { script: 'stream/add-one.ts', inputs: three, outputs: threeOut },
  incomplete: { script: 'stream/add-one.ts', inputs: three, outputs: threeOut, immediate: true },
  generator: { script: 'stream/add-one.ts#Three', loopback: true },
  generators: { script: 'stream/add-one.ts#Three', inputs: ['in1', 'in2'], outputs: ['out1', 'out2'], loopback: true },
  endless: { script: 'stream/add-one.ts#Endless', loopback: true },
  no_loopback: { script: 'stream/add-one.ts#Three' },
  nothing: { script: 'stream/bad-returns.js#nothing' },
  numbers: { script: 'stream/bad-returns.js#numbers' },
  told: { script: 'stream/told.ts' },
};

const INVALID_ARGUMENT = 3;

let folder: ScratchFolder;
let server: TestServer;
let grpc: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await copyScripts(folder, ['stream/add-one.ts', 'stream/bad-returns.js', 'stream/told.ts']);
  for (const [name, node] of Object.entries(GRAPHS)) await folder.put(`${name}.pbtxt`, scriptGraph(node));
  const config = await folder.put('config.json', {
    // Together in two hosts: a host of its own for each is what other tests look at.
    mediapipe_config_list: Object.keys(GRAPHS).map((name) => ({
      name,
      base_path: '.',
      graph_path: `${name}.pbtxt`,
      isolation: 'shared',
    })),
  });
  server = await startServer({ config, flags: ['--hosts', '2'] });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const stream = (requests: readonly object[]): Promise<ScriptStream> => streamScripts(grpc, requests);

test.each(SCRIPT_CASES)('$test $name, grpc-js', (streamCase) => expectCase(streamCase, grpc));

test('OVMS stream cases of its Python node, tritonclient', async () => {
  const input = { grpc: server.grpcAddress, cases: 'script-cases.json' };
  expect(await runPython('test/conformance/ovms/run_cases.py', input)).toEqual(allOk(SCRIPT_CASES));
});

test('inputs while a generator is at work end the session', async () => {
  const { code, text } = await stream([request('endless', { in: 1 }, 0), request('endless', { in: 1 }, 1)]);
  expect(code).toBe(INVALID_ARGUMENT);
  expect(text).toContain('Node is already processing data. Create new stream for another request.');
});

test('a unary request gets the list, and of a generator what it yields first', async () => {
  for (const graph of ['one', 'generator']) {
    const { code, responses } = await grpc.unary('ModelInfer', request(graph, { in: 3.5 }));
    expect(code).toBe(0);
    expect((responses[0] as ScriptResponse['infer_response']).raw_output_contents[0]?.readFloatLE(0)).toBe(4.5);
  }
});

test('a script sees the session’s first parameters, each request’s own, and its timestamp; its state is the session’s', async () => {
  const word = (text: string): object => ({ word: { string_param: text } });
  const greeting = { greeting: { string_param: 'hello' } };
  const requests = [
    request('told', { in: 0 }, 5, { ...word('a'), ...greeting }),
    request('told', { in: 0 }, 7, { ...word('b'), ...greeting }),
    request('told', { in: 0 }, undefined),
  ];
  for (let session = 0; session < 2; session++) {
    expect((await stream(requests)).seen).toEqual([
      'out=script in out hello | 5 a 1@5',
      'out=script in out hello | 7 b 2@7',
      'out=script in out hello | 8 undefined 3@8',
    ]);
  }
});
