import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KserveGrpc } from '../support/kserve-grpc.ts';
import { ROOT } from '../support/paths.ts';
import { reasonOf, versionStates } from '../support/repository-states.ts';
import { copyScripts, scriptGraph } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const INVALID_ARGUMENT = 3;
const UNAVAILABLE = 14;
const DEADLINE_MS = 3_000;
const LOAD_TIMEOUT_MS = 1_000;
const SEEN = { timeout: 30_000 };

const scaleGraph = (options: string): string => `
  input_stream: "in" output_stream: "out"
  node {
    name: "scale" calculator: "ScaleCalculator" input_stream: "in" output_stream: "out"
    node_options { [type.googleapis.com/user.ScaleOptions] { ${options} } }
  }`;

/** A script after a model: the graph's own host must have the model too. */
const withModel = `
  input_stream: "in" output_stream: "out"
  node {
    calculator: "OpenVINOModelServerSessionCalculator" output_side_packet: "SESSION:session"
    node_options { [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "echo" } }
  }
  node {
    calculator: "OpenVINOInferenceCalculator" input_side_packet: "SESSION:session"
    input_stream: "INPUT:in" output_stream: "OUTPUT:echoed"
  }
  node {
    calculator: "ScriptCalculator" input_stream: "echoed" output_stream: "out"
    node_options { [type.googleapis.com/millrace.ScriptCalculatorOptions] { handler_path: "stream/add-one.ts" } }
  }`;

const GRAPHS: Readonly<Record<string, string>> = {
  faulty: scriptGraph({ script: 'faults/faults.ts#faulty' }),
  bystander: scriptGraph({ script: 'stream/add-one.ts' }),
  initialize: scriptGraph({ script: 'faults/faults.ts#initialize' }),
  finalize: scriptGraph({ script: 'faults/faults.ts#finalize' }),
  initialize_shared: scriptGraph({ script: 'faults/faults.ts#initialize', shared: true }),
  count: scriptGraph({ script: 'faults/faults.ts#Counter' }),
  count_shared: scriptGraph({ script: 'faults/faults.ts#Counter', shared: true }),
  endless: scriptGraph({ script: 'faults/faults.ts#endless', shared: true }),
  hangs: scriptGraph({ script: 'faults/hangs.ts' }),
  no_file: scriptGraph({ script: 'nowhere.ts' }),
  no_export: scriptGraph({ script: 'faults/faults.ts#nowhere' }),
  no_execute: scriptGraph({ script: 'own.ts#scaled' }),
  with_model: withModel,
  scale: scaleGraph('factor: 10'),
  scale_open: scaleGraph('fails: "open"'),
  scale_close: scaleGraph('fails: "close"'),
  scale_never: scaleGraph('fails: "never"'),
  handled: `input_stream: "in" output_stream: "out"
    node { calculator: "CounterCalculator" input_stream: "in" output_stream: "out" }
    status_handler { status_handler: "StoppingHandler" input_side_packet: "STOP:stop" }`,
  plain: `input_stream: "in" output_stream: "out"
    node { calculator: "CounterCalculator" input_stream: "in" output_stream: "out" }`,
};

let folder: ScratchFolder;
let server: TestServer;
let grpc: KserveGrpc;

beforeAll(async () => {
  folder = await ScratchFolder.create();
  await copyScripts(folder, [
    'stream/add-one.ts',
    'faults/faults.ts',
    'faults/hangs.ts',
    'faults/never.ts',
    'own.ts',
    'own-scale.ts',
  ]);
  for (const [name, text] of Object.entries(GRAPHS)) await folder.put(`${name}.pbtxt`, text);
  const own = ['faulty', 'with_model', 'scale'];
  const config = await folder.put('config.json', {
    model_config_list: [{ config: { name: 'echo', base_path: join(ROOT, 'test/fixtures/models/identity_fp32.onnx') } }],
    mediapipe_config_list: Object.keys(GRAPHS).map((name) => ({
      name,
      base_path: '.',
      graph_path: `${name}.pbtxt`,
      call_deadline_ms: DEADLINE_MS,
      ...(['endless', 'hangs'].includes(name) ? { load_timeout_ms: LOAD_TIMEOUT_MS } : {}),
      ...(own.includes(name) || ['plain', 'handled'].includes(name) ? {} : { isolation: 'shared' }),
    })),
    calculators: ['./own.ts'],
  });
  server = await startServer({ config, flags: ['--hosts', '1', '--file_system_poll_wait_seconds', '0.2'] });
  grpc = new KserveGrpc(server.grpcAddress);
});
afterAll(async () => {
  grpc.close();
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

function request(graph: string, value: number): object {
  return {
    model_name: graph,
    inputs: [{ name: 'in', datatype: 'FP32', shape: [1] }],
    raw_input_contents: [Buffer.from(Float32Array.of(value).buffer)],
  };
}

const valueOf = (response: object): unknown => {
  const { error_message: error, infer_response: answer } = response as {
    error_message: string;
    infer_response: { raw_output_contents: Buffer[] };
  };
  return error === '' ? answer.raw_output_contents[0]?.readFloatLE(0) : error;
};

/** Sends all, half-closes, and what came: values, then the status. */
async function send(graph: string, ...values: number[]): Promise<{ values: unknown[]; code: number; text: string }> {
  const requests = values.map((value) => request(graph, value));
  const { code, text, responses } = await grpc.stream('ModelStreamInfer', requests, 60_000);
  return { values: responses.map(valueOf), code, text };
}

/** A stream that is kept open and answers one value at a time. */
class Session {
  readonly #graph: string;
  readonly #call = grpc.open('ModelStreamInfer', 60_000);
  readonly ended: Promise<{ code: number; details: string }>;

  constructor(graph: string) {
    this.#graph = graph;
    this.#call.on('error', () => {}); // `status` follows
    this.ended = new Promise((resolve) => this.#call.on('status', resolve));
  }

  /** The answer, or how the stream ended instead. */
  send(value: number): Promise<unknown> {
    const answer = new Promise<unknown>((resolve) =>
      this.#call.once('data', (response: object) => resolve(valueOf(response))),
    );
    this.#call.write(request(this.#graph, value));
    return Promise.race([answer, this.ended.then(({ code, details }) => `${code} ${details}`)]);
  }

  async close(): Promise<number> {
    this.#call.end();
    return (await this.ended).code;
  }
}

describe('what a script throws', () => {
  it('in execute ends its session with the message; another session of the graph goes on', async () => {
    const other = new Session('faulty');
    expect(await other.send(1)).toBe(1);
    expect(await send('faulty', 5, -1)).toEqual({
      values: [5],
      code: INVALID_ARGUMENT,
      text: expect.stringMatching(
        /node "script" failed: Error occurred during graph execution - thrown in execute$/,
      ) as string,
    });
    expect(await other.send(2)).toBe(2);
    expect(await other.close()).toBe(0);
  });

  it('in initialize ends the session; of a shared script it keeps the graph from being served', async () => {
    expect(await send('initialize', 1)).toMatchObject({
      code: INVALID_ARGUMENT,
      text: expect.stringMatching(/Calculator::Open\(\).*thrown in initialize/) as string,
    });
    expect(await versionStates(server, 'initialize_shared')).toEqual(['1 UNAVAILABLE']);
    expect(await reasonOf(server, 'initialize_shared')).toMatch(/node "script".*thrown in initialize/);
  });

  it('in finalize is only logged', async () => {
    expect(await send('finalize', 1)).toEqual({ values: [1], code: 0, text: '' });
    await expect.poll(() => server.logs(), SEEN).toMatch(/thrown in finalize/);
  });
});

it.each([
  ['no_file', /node "script": script .*nowhere\.ts: there is no such file/],
  ['no_export', /faults\.ts: no export "nowhere"; it has .*faulty/],
  ['endless', /node "script": script .*faults\.ts: initialize did not end within 1000 ms \(load_timeout_ms\)/],
  ['hangs', /script .*hangs\.ts: the module did not load within 1000 ms \(load_timeout_ms\): a top-level await/],
  ['no_execute', /own\.ts: export "scaled" has no method execute; a class or an object with one expected/],
])('%s keeps a graph from being served, with the reason', async (graph, reason) => {
  expect(await versionStates(server, graph)).toEqual(['1 UNAVAILABLE']);
  expect(await reasonOf(server, graph)).toMatch(reason);
});

it('a class is an object for each session, or one for all where the node says so', async () => {
  expect([await send('count', 0, 0), await send('count', 0)].map(({ values }) => values)).toEqual([[1, 2], [1]]);
  expect([await send('count_shared', 0, 0), await send('count_shared', 0)].map(({ values }) => values)).toEqual([
    [1, 2],
    [3],
  ]);
});

it('a script in a host of its own has the models that its graph names', async () => {
  expect(await send('with_model', 41)).toEqual({ values: [42], code: 0, text: '' });
});

it('a status handler of a module hears of each session and may fail it', async () => {
  expect(await send('handled', 41)).toMatchObject({ code: 0 });
  const stopped = { ...request('handled', 1), parameters: { stop: { string_param: 'no more' } } };
  expect(await grpc.stream('ModelStreamInfer', [stopped], 60_000)).toMatchObject({
    code: INVALID_ARGUMENT,
    text: expect.stringMatching(/status handler "StoppingHandler" failed: stopped: no more$/) as string,
  });
});

describe('an execute that does not end', () => {
  it('and does not settle ends its session at the deadline, UNAVAILABLE with the reason; others go on', async () => {
    const [same, elsewhere] = [new Session('faulty'), new Session('bystander')];
    expect([await same.send(1), await elsewhere.send(1)]).toEqual([1, 2]);
    expect(await send('faulty', 5, -2)).toEqual({
      values: [5],
      code: UNAVAILABLE,
      text: expect.stringContaining(`process did not end within ${DEADLINE_MS} ms (call_deadline_ms)`) as string,
    });
    expect(await grpc.unary('ModelInfer', request('faulty', -2), 60_000)).toMatchObject({ code: UNAVAILABLE });
    expect([await same.send(2), await elsewhere.send(2)]).toEqual([2, 3]);
    expect([await same.close(), await elsewhere.close()]).toEqual([0, 0]);
  });

  it('and does not return costs the graph its host: its sessions hear why, others go on, then it serves again', async () => {
    const [same, elsewhere, plain] = [new Session('faulty'), new Session('bystander'), new Session('plain')];
    expect([await same.send(1), await elsewhere.send(1), await plain.send(1)]).toEqual([1, 2, 1]);
    const looping = send('faulty', -3);
    const reason = new RegExp(`a call of its code did not return within ${DEADLINE_MS} ms .*host was killed`);
    expect(await looping).toMatchObject({ code: UNAVAILABLE, text: expect.stringMatching(reason) as string });
    expect(await same.ended).toMatchObject({ code: UNAVAILABLE, details: expect.stringMatching(reason) as string });
    expect([await elsewhere.send(2), await plain.send(2)]).toEqual([3, 3]);
    expect([await elsewhere.close(), await plain.close()]).toEqual([0, 0]);
    await expect.poll(async () => (await send('faulty', 6)).values, SEEN).toEqual([6]);
  });

  it('but ends the process: the same', async () => {
    const elsewhere = new Session('bystander');
    expect(await elsewhere.send(1)).toBe(2);
    expect(await send('faulty', -4)).toMatchObject({
      code: UNAVAILABLE,
      text: expect.stringMatching(/its host process ended unexpectedly/) as string,
    });
    expect([await elsewhere.send(2), await elsewhere.close()]).toEqual([3, 0]);
    await expect.poll(async () => (await send('faulty', 6)).values, SEEN).toEqual([6]);
  });
});

describe('calculators of the configuration', () => {
  it('are named in its graphs, with their options and defaults', async () => {
    expect(await send('scale', 1, 2)).toEqual({ values: [10, 20], code: 0, text: '' });
  });

  it.each([
    ['scale_open', INVALID_ARGUMENT, /Calculator::Open\(\) for node "scale" failed: thrown in open/],
    ['scale_close', INVALID_ARGUMENT, /Calculator::Close\(\) for node "scale" failed: thrown in close/],
    ['scale_never', UNAVAILABLE, /node "scale" failed: process did not end within/],
  ])('%s ends the session with the reason', async (graph, code, text) => {
    expect(await send(graph, 1)).toMatchObject({ code, text: expect.stringMatching(text) as string });
  });

  it('are read anew, with what they import, when one of their files changes; an open session keeps what it has', async () => {
    const open = new Session('scale');
    expect(await open.send(1)).toBe(10);
    await folder.put('own-scale.ts', 'export const scale = (value: number, factor: number): number => value + factor;');
    await expect.poll(async () => (await send('scale', 1)).values, SEEN).toEqual([11]);
    expect([await open.send(2), await open.close()]).toEqual([20, 0]);
  });

  it('graphs without users’ code share hosts', async () => {
    // The shared one, and those of faulty, with_model, scale and handled; the one of the old scale ends after its session.
    await expect.poll(() => server.children().length, SEEN).toBe(5);
  });
});
