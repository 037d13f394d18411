import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import type { RunTiming } from '../../ipc/run-timing.ts';
import type { ModelOptions, RunMonitor } from '../model-session.ts';
import { OnnxBackend } from './backend.ts';
import { InferenceThread } from './inference-thread.ts';
import { importOrt } from './ort.ts';

const model = (file: string): string =>
  fileURLToPath(new URL(`../../../test/fixtures/models/${file}`, import.meta.url));

const options = (file: string, more: Partial<ModelOptions> = {}): ModelOptions => ({
  name: file,
  version: '1',
  path: model(file),
  executionProviders: ['cpu'],
  intraOpThreads: 1,
  inferenceThreads: 2,
  runDeadlineMs: 0,
  ...more,
});

const noMonitor: RunMonitor = { runStarted: () => {}, runEnded: () => {} };

const ones = (rows: number, columns: number) =>
  tensorOf('INPUT', 'FP32', [rows, columns], new Float32Array(rows * columns).fill(1));

it('the caller’s thread goes on while a model runs, and so do models of other threads', async () => {
  const backend = new OnnxBackend();
  await using slow = await backend.load(options('slow.onnx'), noMonitor, silentLogger);
  await using other = await backend.load(options('identity_fp32.onnx'), noMonitor, silentLogger);
  const ended: string[] = [];
  const slowly = slow.run([ones(512, 1024)]).then(() => ended.push('slow'));
  await other.run([tensorOf('INPUT', 'FP32', [3], new Float32Array(3))]);
  ended.push('other');
  await new Promise((resolve) => setImmediate(resolve));
  ended.push('turn of the event loop');
  await slowly;
  expect(ended).toEqual(['other', 'turn of the event loop', 'slow']);
});

it('a run is told of when it has passed its deadline or, without one, has become a long one', async () => {
  const told: string[] = [];
  const monitor: RunMonitor = {
    runStarted: (deadlineMs, thread) => void told.push(`started ${deadlineMs} on ${thread}`),
    runEnded: (_, thread) => told.push(`ended on ${thread}`),
  };
  const backend = new OnnxBackend();
  await using slow = await backend.load(options('slow.onnx'), monitor, silentLogger);
  await using brief = await backend.load(options('identity_fp32.onnx', { runDeadlineMs: 9000 }), monitor, silentLogger);
  await using late = await backend.load(options('slow.onnx', { runDeadlineMs: 20 }), monitor, silentLogger);
  const run = async (session: typeof slow, input: Tensor): Promise<readonly string[]> => {
    told.length = 0;
    await session.run([input]);
    return [...told];
  };
  expect(await run(slow, ones(512, 1024))).toEqual(['started 0 on 1', 'ended on 1']);
  expect(await run(brief, tensorOf('INPUT', 'FP32', [1], new Float32Array(1)))).toEqual(['ended on 2']);
  expect(await run(late, ones(512, 1024))).toEqual(['started 20 on 2', 'ended on 2']);
});

it('a run that ends while the caller’s thread is busy has not passed its deadline, nor taken that long', async () => {
  const told: string[] = [];
  const timings: RunTiming[] = [];
  const monitor: RunMonitor = {
    runStarted: (deadlineMs) => void told.push(`started ${deadlineMs}`),
    runEnded: (timing) => void timings.push(timing),
  };
  await using quick = await new OnnxBackend().load(
    options('identity_fp32.onnx', { runDeadlineMs: 50 }),
    monitor,
    silentLogger,
  );
  told.length = timings.length = 0;
  const running = quick.run([tensorOf('INPUT', 'FP32', [1], new Float32Array(1))]);
  await new Promise((resolve) => setImmediate(resolve)); // it has been sent
  const until = performance.now() + 300;
  while (performance.now() < until);
  await running;
  expect(told).toEqual([]);
  expect(timings).toHaveLength(1);
  expect(timings[0]?.inferNs).toBeLessThan(timings[0]?.queueNs ?? 0);
});

it('the memory of inputs goes to the thread and back, and outputs are the caller’s', async () => {
  const { Tensor } = await importOrt();
  const thread = new InferenceThread();
  const session = await thread.createSession(model('identity_fp32.onnx'), 'cpu', 1);
  onTestFinished(async () => {
    await session.release();
    thread.end();
  });
  const run = async (values: number[]): Promise<Float32Array> => {
    const input = new Tensor('float32', new Float32Array(values), [values.length]);
    const { OUTPUT } = await session.run({ INPUT: input });
    expect(input.data, 'the caller keeps its own').toEqual(new Float32Array(values));
    return OUTPUT?.data as Float32Array;
  };
  const buffers = vi.spyOn(globalThis, 'ArrayBuffer');
  onTestFinished(() => buffers.mockRestore());
  const outputs = [await run([1, 2, 3]), await run([4, 5, 6]), await run([7, 8])];
  expect(outputs.map((output) => [...output])).toEqual([[1, 2, 3], [4, 5, 6], [7, 8]]); // prettier-ignore
  expect(buffers, 'one memory for all three').toHaveBeenCalledTimes(1);
  expect([...(await run([1, 2, 3, 4]))]).toEqual([1, 2, 3, 4]);
  expect(buffers).toHaveBeenCalledTimes(2);
});

it('a thread ends with its last model, and begins anew with the next', async () => {
  const events: string[] = [];
  const seen = (worker: Worker): void => {
    events.push('begins');
    worker.on('exit', (code) => events.push(`ends with ${code}`));
  };
  process.on('worker', seen);
  onTestFinished(() => void process.off('worker', seen));
  const backend = new OnnxBackend();
  const load = (file: string) => backend.load(options(file, { inferenceThreads: 1 }), noMonitor, silentLogger);
  for (let i = 0; i < 2; i++) {
    const first = await load('add.onnx');
    const second = await load('identity_fp32.onnx');
    await expect(load('truncated.onnx')).rejects.toThrow(/truncated.onnx/);
    await first[Symbol.asyncDispose]();
    expect(events).toHaveLength(2 * i + 1);
    await second[Symbol.asyncDispose]();
    await expect.poll(() => events).toHaveLength(2 * i + 2);
  }
  expect(events).toEqual(['begins', 'ends with 0', 'begins', 'ends with 0']);
});

it('results of a session outlive it', async () => {
  const backend = new OnnxBackend();
  const session = await backend.load(options('add.onnx'), noMonitor, silentLogger);
  const inputs = ['A', 'B'].map((name) => tensorOf(name, 'FP32', [1, 4], new Float32Array([1, 2, 3, 4])));
  const [sum] = await session.run(inputs);
  await session[Symbol.asyncDispose]();
  expect(sum && [...typedData(sum)]).toEqual([2, 4, 6, 8]);
});
