import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { KserveGrpc, type RpcOutcome } from '../support/kserve-grpc.ts';
import { ROOT } from '../support/paths.ts';
import { runPython } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const UNAVAILABLE = 14;
const RESOURCE_EXHAUSTED = 8;

let server: TestServer | undefined;
let grpc: KserveGrpc;
afterEach(async () => {
  grpc.close();
  await server?.stop();
  server = undefined;
});

/** `steady.onnx` gives its rows back after some 30 ms, however many they are. */
const steady = (more: object): object => ({
  config: { name: 'steady', base_path: join(ROOT, 'test/fixtures/models/steady.onnx'), ...more },
});

async function serve(model: object, more: { hosts?: number; graphs?: readonly object[] } = {}): Promise<TestServer> {
  const { hosts = 2, graphs = [] } = more;
  const config = { model_config_list: [steady(model)], mediapipe_config_list: graphs, server: { hosts } };
  server = await startServer({ config });
  grpc = new KserveGrpc(server.grpcAddress);
  return server;
}

const graph = (name: string, more: object = {}): object => ({
  name,
  base_path: join(ROOT, 'test/system/batching'),
  graph_path: 'steady.pbtxt',
  ...more,
});

const request = (values: readonly number[], more: object = {}): object => ({
  model_name: 'steady',
  inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [values.length, 1] }],
  raw_input_contents: [Buffer.from(new Float32Array(values).buffer)],
  ...more,
});
const infer = (values: readonly number[], more: object = {}, timeoutMs?: number): Promise<RpcOutcome> =>
  grpc.unary('ModelInfer', request(values, more), timeoutMs);
const valuesOf = ({ responses }: RpcOutcome): number[] => {
  const { raw_output_contents: [bytes] = [] } = responses[0] as { raw_output_contents?: Buffer[] };
  return bytes === undefined ? [] : [...new Float32Array(new Uint8Array(bytes).buffer)];
};

interface BatchStats {
  readonly batch_size: string;
  readonly compute_infer: { readonly count: string };
}
interface ModelStats {
  readonly inference_count: string;
  readonly execution_count: string;
  readonly batch_stats: readonly BatchStats[];
}
async function statistics(): Promise<ModelStats> {
  const { responses } = await grpc.unary('ModelStatistics', { name: 'steady' });
  return (responses[0] as { model_stats: ModelStats[] }).model_stats[0] as ModelStats;
}
async function largestBatch(): Promise<number> {
  return Math.max(...(await statistics()).batch_stats.map(({ batch_size }) => Number(batch_size)));
}
const metrics = async (): Promise<string> => (await fetch(`${server?.restUrl}/metrics`)).text();

it('requests of gRPC, REST and streams share batches, and each gets its own rows in its own order', async () => {
  const { grpcAddress, restUrl } = await serve({ batching: { max_batch_size: 16 } });
  const seen = (await runPython('test/system/batching/clients.py', {
    grpc: grpcAddress,
    http: new URL(restUrl).host,
  })) as Record<'requests' | 'rows' | 'inferences' | 'executions' | 'queued', number> & {
    readonly wrong: unknown[];
    readonly batches: readonly (readonly [number, number])[];
    readonly http_batches: unknown;
  };
  expect(seen.wrong).toEqual([]);
  expect(seen.inferences).toBe(seen.rows);
  expect(seen.queued).toBe(seen.requests);
  expect(seen.executions).toBeLessThan(seen.requests);
  expect(seen.batches.reduce((sum, [, count]) => sum + count, 0)).toBe(seen.executions);
  expect(seen.batches.reduce((sum, [size, count]) => sum + size * count, 0)).toBe(seen.rows);
  expect(Math.max(...seen.batches.map(([size]) => size))).toBeGreaterThan(3);
  expect(Math.max(...seen.batches.map(([size]) => size))).toBeLessThanOrEqual(16);
  expect(seen.http_batches).toEqual(seen.batches);
  expect(await metrics()).toContain(`millrace_batch_size_count{name="steady",version="1"} ${seen.executions}`);
});

it('graphs of every host share batches with one another and with unary clients', async () => {
  await serve(
    { batching: { max_batch_size: 32 } },
    { hosts: 2, graphs: [graph('shared'), graph('own', { isolation: 'own' })] },
  );
  const graphRequest = (name: string, values: readonly number[]): object => ({
    ...request(values),
    model_name: name,
    inputs: [{ name: 'in', datatype: 'FP32', shape: [values.length, 1] }],
  });
  const streams = Array.from({ length: 8 }, (_, client) => {
    const name = client % 2 === 0 ? 'shared' : 'own';
    const turns = [0, 1, 2, 3].map((turn) => graphRequest(name, [client, turn]));
    return grpc.stream('ModelStreamInfer', turns, 60_000);
  });
  const unary = Array.from({ length: 8 }, (_, client) => infer([100 + client], {}, 60_000));
  for (const [client, { code, text, responses }] of (await Promise.all(streams)).entries()) {
    expect([code, text]).toEqual([0, '']);
    const answers = responses.map((each) => (each as { infer_response: object }).infer_response);
    const values = answers.map((answer) => valuesOf({ code, text, responses: [answer] }));
    expect(values).toEqual([0, 1, 2, 3].map((turn) => [client, turn]));
  }
  expect((await Promise.all(unary)).map(valuesOf)).toEqual(unary.map((_, client) => [100 + client]));
  const { execution_count: executions, inference_count: inferences } = await statistics();
  expect(Number(inferences)).toBe(8 * 4 * 2 + 8);
  expect(Number(executions)).toBeLessThan(8 * 4 + 8);
  expect(await largestBatch()).toBeGreaterThan(2);
  const { responses } = await grpc.unary('ModelMetadata', { name: 'shared' });
  expect(responses[0]).toMatchObject({ inputs: [{ name: 'in', datatype: 'FP32', shape: ['-1', '-1'] }] });
});

it('priorities are served first, requests whose time is over are refused, and a full queue refuses more', async () => {
  await serve({
    batching: { max_batch_size: 1, priority_levels: 2, max_queue_size: 5, allow_timeout_override: true },
  });
  const done: number[] = [];
  const ask = async (value: number, parameters: object = {}): Promise<RpcOutcome> => {
    const outcome = await infer([value], { id: `r${value}`, parameters }, 60_000);
    if (outcome.code === 0) done.push(value);
    return outcome;
  };
  const first = ask(0); // keeps the model busy
  const late = ask(4, { timeout: { int64_param: '1000' } });
  const low = [1, 2, 3].map((value) => ask(value));
  const urgent = ask(5, { priority: { uint64_param: '1' } });
  const refused = await Promise.all([6, 7, 8, 9].map((value) => ask(value)));
  expect(await late).toMatchObject({ code: UNAVAILABLE, text: 'Request timeout expired' });
  expect(refused.at(-1)).toMatchObject({ code: UNAVAILABLE, text: '[request id: r9] Exceeds maximum queue size' });
  await Promise.all([first, ...low, urgent]);
  expect(done.indexOf(5)).toBeLessThan(done.indexOf(3));
  const { code, text } = await ask(10, { priority: { string_param: 'high' } });
  expect([code, text]).toEqual([
    3,
    `invalid value type for 'priority' parameter, expected int64_param or uint64_param. "high" was given`,
  ]);
});

it('requests of clients that left never run', async () => {
  await serve({ batching: { max_batch_size: 1 } });
  await infer([0]);
  const before = Number((await statistics()).execution_count);
  const stays = infer([1], {}, 60_000);
  const left = Array.from({ length: 30 }, () => infer([2], {}, 40)); // 30 × 30 ms would not be through by then
  for (const { code } of await Promise.all(left)) expect([0, 4]).toContain(code);
  expect(valuesOf(await stays)).toEqual([1]);
  expect(valuesOf(await infer([3], {}, 60_000))).toEqual([3]);
  expect(Number((await statistics()).execution_count) - before).toBeLessThan(15);
});

it('a model whose host dies fails the graphs that use it with UNAVAILABLE, and works again with the next host', async () => {
  const running = await serve({ instances: 1 }, { hosts: 3, graphs: [graph('g')] });
  const open = (): Promise<RpcOutcome> => {
    const turns = Array.from({ length: 60 }, (_, turn) => ({
      ...request([turn]),
      model_name: 'g',
      inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 1] }],
    }));
    return grpc.stream('ModelStreamInfer', turns, 60_000);
  };
  // Only the model's host gets busy; the sessions live in all three.
  const streams = [open(), open(), open()];
  await expect.poll(async () => Number((await statistics()).execution_count), { timeout: 20_000 }).toBeGreaterThan(3);
  const busiest = await busy(running.children().map(({ pid }) => pid));
  process.kill(busiest, 'SIGKILL');
  const outcomes = await Promise.all(streams);
  const codes = outcomes.map(({ code }) => code);
  expect(codes).toEqual([UNAVAILABLE, UNAVAILABLE, UNAVAILABLE]);
  expect(outcomes.some(({ text }) => text.includes('its host process ended unexpectedly'))).toBe(true);
  expect(outcomes.some(({ text }) => text.startsWith('Mediapipe execution failed. MP status - UNAVAILABLE'))).toBe(
    true,
  );
  await expect.poll(async () => (await infer([1])).code, { timeout: 20_000 }).toBe(0);
  await expect
    .poll(async () => (await grpc.stream('ModelStreamInfer', [graphOnce()], 20_000)).responses.length, {
      timeout: 20_000,
    })
    .toBe(1);
});

it('a rate limit refuses what is beyond, with what to do; graphs are not limited', async () => {
  const { restUrl } = await serve(
    { rate_limit: { max_requests_per_second: 0.01, max_concurrent_requests: 5 } },
    { graphs: [graph('g')] },
  );
  expect((await infer([1])).code).toBe(0);
  expect(await infer([1])).toMatchObject({
    code: RESOURCE_EXHAUSTED,
    text: expect.stringMatching(/^model 'steady': 0.01 requests per second are the limit \(rate_limit\./) as string,
  });
  const body = { inputs: [{ name: 'INPUT', datatype: 'FP32', shape: [1, 1], data: [1] }] };
  const rest = await fetch(`${restUrl}/v2/models/steady/infer`, { method: 'POST', body: JSON.stringify(body) });
  expect([rest.status, await rest.json()]).toMatchObject([429, { reason: 'LIMIT_REACHED' }]);
  expect((await grpc.stream('ModelStreamInfer', [graphOnce(), graphOnce()])).responses).toHaveLength(2);
});

it("a Triton repository's dynamic_batching does the same, behind max_batch_size", async () => {
  const folder = await scratchFolder();
  try {
    await mkdir(join(folder, 'steady/1'), { recursive: true });
    await copyFile(join(ROOT, 'test/fixtures/models/steady.onnx'), join(folder, 'steady/1/model.onnx'));
    const config = `
      backend: "onnxruntime" max_batch_size: 8
      input [ { name: "INPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]
      output [ { name: "OUTPUT" data_type: TYPE_FP32 dims: [ -1 ] } ]
      dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }`;
    await writeFile(join(folder, 'steady/config.pbtxt'), config);
    server = await startServer({ flags: ['--model_repository', folder, '--hosts', '2'] });
    grpc = new KserveGrpc(server.grpcAddress);
    const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => infer([n], {}, 60_000)));
    expect(answers.map(valuesOf)).toEqual(answers.map((_, n) => [n]));
    const sizes = (await statistics()).batch_stats.map(({ batch_size }) => Number(batch_size));
    expect(sizes).toContain(8);
    expect(Math.max(...sizes)).toBe(8);
    const { code, text } = await infer(Array.from({ length: 9 }, () => 1));
    expect([code, text]).toEqual([
      3,
      "[request id: <id_unknown>] inference request batch-size must be <= 8 for 'steady'",
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('a model that cannot be batched is unavailable, with the reason', async () => {
  await serve({
    base_path: join(ROOT, 'test/fixtures/models/identity_fixed_fp32.onnx'),
    batching: { max_batch_size: 4 },
  });
  const { code, text } = await infer([1]);
  expect(code).toBe(UNAVAILABLE);
  expect(text).toMatch(
    /batching: input "INPUT" of the model has shape \[1,4\], a first dimension of any size expected/,
  );
});

const scratchFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'millrace-batching-'));

const graphOnce = (): object => ({
  ...request([7]),
  model_name: 'g',
  inputs: [{ name: 'in', datatype: 'FP32', shape: [1, 1] }],
});

/** The process that uses the processor most for a moment. */
async function busy(pids: readonly number[]): Promise<number> {
  const ticks = async (pid: number): Promise<number> => {
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = await Promise.all(pids.map(ticks));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const used = (await Promise.all(pids.map(ticks))).map((after, at) => after - (before[at] ?? 0));
  return pids[used.indexOf(Math.max(...used))] as number;
}
