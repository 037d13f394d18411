import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KserveGrpc, type RpcOutcome } from '../support/kserve-grpc.ts';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { until } from '../support/until.ts';

const CLIENTS = join(ROOT, 'test/system/sequences/clients.py');
const onnx = (name: string): string => join(ROOT, `test/fixtures/models/${name}.onnx`);

/** The state is the sum of a sequence's inputs; CONTROLS are START, READY, END, CORRID and the rows of the run. */
const sum = (strategy: string, more = ''): string => `
  max_batch_size: 4
  ${more}
  sequence_batching {
    ${strategy}
    control_input [
      { name: "START" control [{ kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] }] },
      { name: "READY" control [{ kind: CONTROL_SEQUENCE_READY int32_false_true: [0, 1] }] },
      { name: "END" control [{ kind: CONTROL_SEQUENCE_END int32_false_true: [0, 1] }] },
      { name: "CORRID" control [{ kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT64 }] }
    ]
    state [{
      input_name: "STATE_IN" output_name: "STATE_OUT" data_type: TYPE_FP32 dims: [1]
      initial_state { name: "first" data_type: TYPE_FP32 dims: [1] ${more === '' ? 'zero_data: true' : 'data_file: "first"'} }
    }]
  }
`;

const TEXTS = `
  max_batch_size: 4
  sequence_batching {
    direct {}
    control_input [
      { name: "START" control [{ kind: CONTROL_SEQUENCE_START bool_false_true: [false, true] }] },
      { name: "CORRID" control [{ kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING }] }
    ]
  }
`;

interface Exchange {
  readonly model: string;
  readonly what: string;
  readonly id: number | string;
  readonly start: boolean;
  readonly end: boolean;
  readonly values: readonly number[];
  readonly answer:
    | { readonly sum: number; readonly start: number; readonly end: number; readonly ready: number }
    | { readonly grpc: string; readonly http: number; readonly text: string };
}

let folder: ScratchFolder;
let server: TestServer;
let exchanges: readonly Exchange[];

beforeAll(async () => {
  const recorded = await readFile(join(ROOT, 'test/system/sequences/exchanges.json'), 'utf8');
  ({ exchanges } = JSON.parse(recorded) as { exchanges: readonly Exchange[] });
  folder = await ScratchFolder.create();
  const LONG = 'max_sequence_idle_microseconds: 60000000';
  const models = {
    direct: sum(`direct {} ${LONG}`),
    oldest: sum(`oldest { max_candidate_sequences: 2 } ${LONG}`),
    many: sum(`oldest { max_candidate_sequences: 64 } ${LONG}`, 'instance_group [{ count: 2 kind: KIND_CPU }]'),
    brief: sum('direct {} max_sequence_idle_microseconds: 50000'),
  };
  for (const [name, config] of Object.entries(models)) {
    await folder.put(`${name}/config.pbtxt`, config);
    await folder.copy(onnx('sequence_sum'), `${name}/1/model.onnx`);
  }
  await mkdir(join(folder.path, 'many/initial_state'));
  await writeFile(join(folder.path, 'many/initial_state/first'), Float32Array.of(0.5));
  await folder.put('texts/config.pbtxt', TEXTS);
  await folder.copy(onnx('sequence_text'), 'texts/1/model.onnx');
  // Some sequences are left open: they would hold it up.
  const grace = ['--shutdown_grace_s', '1'];
  server = await startServer({ flags: ['--model_repository', folder.path, '--hosts', '2', ...grace] });
});
afterAll(async () => {
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const ask = async (via: string, task: object): Promise<unknown> =>
  await runPython(CLIENTS, { via, grpc: server.grpcAddress, http: server.restUrl.replace('http://', ''), ...task });

const step = (model: string, id: number | string, value: number, flags = '') => ({
  model,
  id,
  values: [value],
  start: flags.includes('S'),
  end: flags.includes('E'),
});

/** Sends a request without tritonclient. */
async function infer(grpc: KserveGrpc, model: string, id: number, value: number, flags = ''): Promise<RpcOutcome> {
  return await grpc.unary('ModelInfer', {
    model_name: model,
    parameters: {
      sequence_id: { int64_param: id },
      sequence_start: { bool_param: flags.includes('S') },
      sequence_end: { bool_param: flags.includes('E') },
    },
    inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
    raw_input_contents: [Buffer.from(Float32Array.of(value).buffer)],
  });
}

const activeIn = async (model: string): Promise<number> => {
  const text = await (await fetch(`${server.restUrl}/metrics`)).text();
  return Number(new RegExp(`millrace_active_sequences\\{name="${model}",version="1"\\} (\\d+)`).exec(text)?.[1]);
};

describe.each(['grpc', 'http', 'stream'] as const)('tritonclient, %s', (via) => {
  it('is answered as a live Triton has answered it', async () => {
    const answers = await ask(via, { steps: exchanges });
    const expected = exchanges.map(({ answer, id }) => {
      if ('sum' in answer) {
        const { sum: total, start, ready, end } = answer;
        return { SUM: [total], CONTROLS: [start, ready, end, id, expect.any(Number) as number] };
      }
      const status = { grpc: `StatusCode.${answer.grpc}`, http: String(answer.http), stream: null }[via];
      return { status, text: answer.text };
    });
    expect(answers).toEqual(expected);
  });

  it('texts are ids of models that want texts', async () => {
    const steps = [
      step('texts', 'é 1', 1, 'S'),
      step('texts', 'é 1', 2),
      step('texts', 7, 3, 'S'),
      step('direct', 'x', 1, 'S'),
    ];
    expect(await ask(via, { steps })).toMatchObject([
      { ID: ['é 1'], STARTED: [true] },
      { ID: ['é 1'], STARTED: [false] },
      {
        text: "parameter 'sequence_id': the integer 7 given, a string expected for control input 'CORRID' of model 'texts'",
      },
      { text: expect.stringContaining('the string "x" given, an integer of at most') as string },
    ]);
  });
});

it('sequences of many clients, in two hosts and beyond the slots, add up right', async () => {
  for (const [model, first] of [
    ['many', 0.5],
    ['direct', 0],
    ['oldest', 0],
  ] as const) {
    const sums = (await ask('parallel', { model, clients: 8, length: 12 })) as Record<string, number[]>;
    for (let client = 1; client <= 8; client++) {
      const expected = Array.from({ length: 12 }, (_, at) => first + (at + 1) * client * 100 + (at * (at + 1)) / 2);
      expect(sums[client]).toEqual(expected);
    }
  }
});

it('a sequence that is silent has ended', async () => {
  const grpc = new KserveGrpc(server.grpcAddress);
  try {
    expect((await infer(grpc, 'brief', 1, 1, 'S')).code).toBe(0);
    await until(async () => (await activeIn('brief')) === 0);
    const late = await infer(grpc, 'brief', 1, 1);
    expect(late.text).toContain("inference request for sequence 1 to model 'brief' must specify the START flag");
  } finally {
    grpc.close();
  }
});

it('what clients are told of the model leaves out what the server adds', async () => {
  const told = (await (await fetch(`${server.restUrl}/v2/models/direct`)).json()) as Record<string, { name: string }[]>;
  expect(told['inputs']?.map(({ name }) => name)).toEqual(['INPUT']);
  expect(told['outputs']?.map(({ name }) => name)).toEqual(['SUM', 'CONTROLS']);
});

it('a host that dies takes its sequences along; the next request is told so', async () => {
  const grpc = new KserveGrpc(server.grpcAddress);
  try {
    const ids = Array.from({ length: 8 }, (_, at) => 100 + at);
    for (const id of ids) expect((await infer(grpc, 'many', id, 1, 'S')).code).toBe(0);
    await until(async () => (await activeIn('many')) === 8);
    const [host] = server.children();
    process.kill(host?.pid as number, 'SIGKILL');
    await until(async () => (await activeIn('many')) === 4);
    const outcomes = await Promise.all(ids.map((id) => infer(grpc, 'many', id, 1)));
    const texts = outcomes.map(({ text }) => text);
    expect(texts.filter((text) => text.includes('must specify the START flag')).length).toBe(4);
    expect(texts.find((text) => text !== '')).toContain('its host was lost, and its state with it');
    await until(async () => (await infer(grpc, 'many', 100, 1, 'S')).code === 0);
  } finally {
    grpc.close();
  }
});

it('requests of a runtime in several processes go to where their sequence lives, in streams too', async () => {
  await using scratch = await ScratchFolder.create();
  const tell =
    "{ outputs: [{ name: 'pid', datatype: 'INT64', shape: [1], data: Buffer.from(BigInt64Array.of(BigInt(process.pid)).buffer) }] }";
  const implementation = await scratch.put(
    'where.js',
    `export default {
      predict: () => (${tell}),
      async *predictStream(requests) { for await (const _ of requests) yield ${tell}; },
    };`,
  );
  await using running = await startServer({ config: { runtimes: [{ name: 'where', implementation, instances: 2 }] } });
  const grpc = new KserveGrpc(running.grpcAddress);
  try {
    const request = (id: string) => ({ model_name: 'where', parameters: { sequence_id: { string_param: id } } });
    const pidOf = ({ text, responses }: RpcOutcome): bigint => {
      expect(text).toBe('');
      const [last] = responses as { infer_response?: object; raw_output_contents?: Buffer[] }[];
      const response = (last?.infer_response ?? last) as { raw_output_contents: Buffer[] };
      return response.raw_output_contents[0]?.readBigInt64LE() ?? 0n;
    };
    const ask = async (id: string): Promise<bigint> => pidOf(await grpc.unary('ModelInfer', request(id)));
    const homes = new Map<string, bigint>();
    for (const id of ['a', 'b', 'c', 'd']) homes.set(id, await ask(id));
    expect(new Set(homes.values()).size).toBe(2);
    for (const [id, home] of homes) {
      expect(await ask(id)).toBe(home);
      expect(pidOf(await grpc.stream('ModelStreamInfer', [request(id)]))).toBe(home);
    }
  } finally {
    grpc.close();
  }
});

describe('at SIGTERM', () => {
  const stopping = async (graceS: string) => {
    const running = await startServer({
      flags: ['--model_repository', folder.path, '--hosts', '2', '--shutdown_grace_s', graceS],
    });
    return { running, grpc: new KserveGrpc(running.grpcAddress) };
  };
  const sumOf = ({ text, responses }: RpcOutcome): number => {
    expect(text).toBe('');
    const [{ raw_output_contents: [sum] = [] } = {}] = responses as { raw_output_contents?: Buffer[] }[];
    return sum?.readFloatLE() ?? NaN;
  };
  const notReady = async (grpc: KserveGrpc): Promise<boolean> => {
    const [answer] = (await grpc.unary('ServerReady', {})).responses as { ready?: boolean }[];
    return answer?.ready === false;
  };

  it('sequences that are open go on to their ends over every door, and nothing new begins', async () => {
    const { running, grpc } = await stopping('60');
    const http = async (id: number, value: number, flags = ''): Promise<{ status: number; sum?: number }> => {
      const body = {
        parameters: { sequence_id: id, sequence_start: flags.includes('S'), sequence_end: flags.includes('E') },
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: [value] }],
      };
      const call = { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`${running.restUrl}/v2/models/direct/infer`, call);
      const { outputs } = (await answer.json()) as { outputs?: { data: number[] }[] };
      return { status: answer.status, ...(outputs === undefined ? {} : { sum: outputs[0]?.data[0] ?? NaN }) };
    };
    try {
      expect(sumOf(await infer(grpc, 'direct', 1, 1, 'S'))).toBe(1);
      expect(await http(2, 10, 'S')).toEqual({ status: 200, sum: 10 });
      const stopped = running.stop();
      await until(() => notReady(grpc));
      expect((await fetch(`${running.restUrl}/v2/health/ready`)).status).toBe(503);
      for (const refused of [
        await infer(grpc, 'direct', 3, 1, 'S'), // a new one
        await infer(grpc, 'direct', 1, 1, 'S'), // one that would begin anew
        await infer(grpc, 'direct', 4, 1), // one that never began
        await infer(grpc, 'oldest', 5, 1, 'S'), // of a model that has none
      ]) {
        expect(refused).toMatchObject({ code: 14, text: expect.stringContaining('is shutting down') as string });
      }
      expect(await http(6, 1, 'S')).toEqual({ status: 503 });
      expect(sumOf(await infer(grpc, 'direct', 1, 2))).toBe(3);
      expect(await http(2, 20)).toEqual({ status: 200, sum: 30 });
      const parameters = { sequence_id: { int64_param: 1 }, sequence_end: { bool_param: true } };
      const last = {
        model_name: 'direct',
        parameters,
        inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1] }],
        raw_input_contents: [Buffer.from(Float32Array.of(4).buffer)],
      };
      const { code, responses } = await grpc.stream('ModelStreamInfer', [last]);
      const [answer] = responses as { infer_response: { raw_output_contents: Buffer[] } }[];
      expect([code, answer?.infer_response.raw_output_contents[0]?.readFloatLE()]).toEqual([0, 7]);
      expect(await http(2, 3, 'E')).toEqual({ status: 200, sum: 33 });
      await stopped; // long before the grace time is over
    } finally {
      grpc.close();
      await running.stop();
    }
  });

  it('one that does not end holds the server up for the grace time only', async () => {
    const { running, grpc } = await stopping('1');
    try {
      expect(sumOf(await infer(grpc, 'direct', 1, 1, 'S'))).toBe(1);
      await running.stop();
      expect((await infer(grpc, 'direct', 1, 1)).code).toBe(14);
    } finally {
      grpc.close();
    }
  });

  it('one that has gone silent holds nothing up', async () => {
    const { running, grpc } = await stopping('600');
    try {
      expect(sumOf(await infer(grpc, 'brief', 1, 1, 'S'))).toBe(1);
      await running.stop();
    } finally {
      grpc.close();
    }
  });
});

describe('a stateful model of config.json', () => {
  let stateful: TestServer;
  let grpc: KserveGrpc;
  beforeAll(async () => {
    const states = [{ input: 'state_in', output: 'state_out' }];
    const entry = { name: 'sensor', base_path: join(ROOT, 'models/sensor_gru'), stateful: true, states };
    stateful = await startServer({ config: { model_config_list: [{ config: { ...entry, max_sequence_number: 2 } }] } });
    grpc = new KserveGrpc(stateful.grpcAddress);
  });
  afterAll(async () => {
    grpc.close();
    await stateful.stop();
  });

  const send = (id: number, signal: readonly number[], flags = ''): Promise<RpcOutcome> =>
    grpc.unary('ModelInfer', {
      model_name: 'sensor',
      parameters: {
        sequence_id: { int64_param: id },
        sequence_start: { bool_param: flags.includes('S') },
        sequence_end: { bool_param: flags.includes('E') },
      },
      inputs: [{ name: 'signal', datatype: 'FP32', shape: [1, signal.length] }],
      raw_input_contents: [Buffer.from(Float32Array.from(signal).buffer)],
    });

  it('scores a signal in chunks as Python does that hands its state on by hand', async () => {
    const { chunks, signal, scores } = JSON.parse(
      await readFile(join(ROOT, 'test/fixtures/anomaly.json'), 'utf8'),
    ) as Record<'chunks' | 'signal' | 'scores', number[]>;
    const found: number[] = [];
    let at = 0;
    for (const [i, length] of chunks.entries()) {
      const outcome = await send(1, signal.slice(at, at + length), i === 0 ? 'S' : i === chunks.length - 1 ? 'E' : '');
      expect(outcome.text).toBe('');
      const [response] = outcome.responses as { outputs: { name: string }[]; raw_output_contents: Buffer[] }[];
      expect(response?.outputs.map(({ name }) => name)).toEqual(['scores']);
      found.push(...new Float32Array(new Uint8Array(response?.raw_output_contents[0] ?? []).buffer));
      at += length;
    }
    expect(found.length).toBe(scores.length);
    for (const [i, score] of scores.entries()) expect(found[i]).toBeCloseTo(score, 4);
  });

  it('refuses sequences beyond max_sequence_number, and takes them when another one has ended', async () => {
    for (const id of [11, 12]) expect((await send(id, [0], 'S')).code).toBe(0);
    const third = await send(13, [0], 'S');
    expect(third).toMatchObject({
      code: 14,
      text: expect.stringContaining("model 'sensor' has 2 sequences under way") as string,
    });
    await send(11, [0], 'E');
    expect((await send(13, [0], 'SE')).code).toBe(0);
    await send(12, [0], 'E');
  });

  it('millrace perf goes through sequences, and leaves none behind', async () => {
    const flags = ['--shape', 'signal:1,4', '--sequence-length', '5', '--concurrency-range', '2', '--json', '-'];
    const quick = ['--measurement-interval', '200', '--max-trials', '1'];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['bin/millrace.js', 'perf', 'sensor', '-u', stateful.grpcAddress, ...flags, ...quick],
      { cwd: ROOT },
    );
    const { levels } = JSON.parse(stdout) as { levels: { requests: number; failures: number }[] };
    expect(levels).toMatchObject([{ failures: 0 }]);
    expect(levels[0]?.requests).toBeGreaterThan(0);
    const metrics = await (await fetch(`${stateful.restUrl}/metrics`)).text();
    expect(metrics).toContain('millrace_active_sequences{name="sensor",version="1"} 0');
  });
});
