import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../base/logger.ts';
import { tensorOf, typedData } from '../../tensor/tensor.ts';
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

const ones = (rows: number, columns: number) =>
  tensorOf('INPUT', 'FP32', [rows, columns], new Float32Array(rows * columns).fill(1));

it('the caller’s thread goes on while a model runs, and so do models of other threads', async () => {
  const backend = new OnnxBackend();
  const monitor = { runStarted: () => {}, runEnded: () => {} };
  await using slow = await backend.load(options('slow.onnx'), monitor, silentLogger);
  await using other = await backend.load(options('identity_fp32.onnx'), monitor, silentLogger);
  const ended: string[] = [];
  const slowly = slow.run([ones(512, 1024)]).then(() => ended.push('slow'));
  await other.run([tensorOf('INPUT', 'FP32', [3], new Float32Array(3))]);
  ended.push('other');
  await new Promise((resolve) => setImmediate(resolve));
  ended.push('turn of the event loop');
  await slowly;
  expect(ended).toEqual(['other', 'turn of the event loop', 'slow']);
});

it('a run without a deadline is told of when it has become a long one, and its thread with it', async () => {
  const told: string[] = [];
  const monitor: RunMonitor = {
    runStarted: (deadlineMs, thread) => void told.push(`started ${deadlineMs} on ${thread}`),
    runEnded: (_, thread) => told.push(`ended on ${thread}`),
  };
  const backend = new OnnxBackend();
  await using slow = await backend.load(options('slow.onnx'), monitor, silentLogger);
  await using brief = await backend.load(options('identity_fp32.onnx'), monitor, silentLogger);
  await using limited = await backend.load(options('add.onnx', { runDeadlineMs: 9000 }), monitor, silentLogger);
  told.length = 0;
  await slow.run([ones(512, 1024)]);
  expect(told).toEqual(['started 0 on 1', 'ended on 1']);
  told.length = 0;
  await brief.run([tensorOf('INPUT', 'FP32', [1], new Float32Array(1))]);
  expect(told).toEqual(['ended on 2']);
  told.length = 0;
  const values = new Float32Array(4);
  await limited.run([tensorOf('A', 'FP32', [1, 4], values), tensorOf('B', 'FP32', [1, 4], values)]);
  expect(told).toEqual(['started 9000 on 2', 'ended on 2']);
});

it('the memory of inputs goes to the thread and back, and outputs are the caller’s', async () => {
  const { Tensor } = await importOrt();
  const session = await new InferenceThread().createSession(model('identity_fp32.onnx'), 'cpu', 1);
  onTestFinished(() => session.release());
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

it('a thread ends with its last session, and begins anew with the next', async () => {
  const events: string[] = [];
  const seen = (worker: Worker): void => {
    events.push('begins');
    worker.on('exit', (code) => events.push(`ends with ${code}`));
  };
  process.on('worker', seen);
  onTestFinished(() => void process.off('worker', seen));
  const thread = new InferenceThread();
  for (let i = 0; i < 2; i++) {
    const first = await thread.createSession(model('add.onnx'), 'cpu', 1);
    const second = await thread.createSession(model('identity_fp32.onnx'), 'cpu', 1);
    await expect(thread.createSession(model('truncated.onnx'), 'cpu', 1)).rejects.toThrow(/truncated.onnx/);
    await first.release();
    await expect(first.release()).rejects.toThrow('released');
    expect(events).toHaveLength(2 * i + 1);
    await second.release();
    await expect.poll(() => events).toHaveLength(2 * i + 2);
  }
  expect(events).toEqual(['begins', 'ends with 0', 'begins', 'ends with 0']);
});

it('results of a session outlive it', async () => {
  const backend = new OnnxBackend();
  const session = await backend.load(options('add.onnx'), { runStarted: () => {}, runEnded: () => {} }, silentLogger);
  const inputs = ['A', 'B'].map((name) => tensorOf(name, 'FP32', [1, 4], new Float32Array([1, 2, 3, 4])));
  const [sum] = await session.run(inputs);
  await session[Symbol.asyncDispose]();
  expect(sum && [...typedData(sum)]).toEqual([2, 4, 6, 8]);
});
