import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { describeBackend } from '../../../test/contracts/backend.ts';
import { Closer } from '../../base/closer.ts';
import { MillraceError } from '../../base/errors.ts';
import { silentLogger, type Logger } from '../../base/logger.ts';
import { encodeBytes, textData } from '../../tensor/bytes.ts';
import { DATATYPE_BYTES, type Datatype } from '../../tensor/datatype.ts';
import { tensorOf, typedData, type Tensor } from '../../tensor/tensor.ts';
import { backendFor, backends } from '../index.ts';
import type { ModelOptions, ModelSession, RunMonitor } from '../model-session.ts';
import { OnnxBackend, onnxBackend } from './backend.ts';
import type { Ort, OrtSession } from './ort.ts';

const FIXTURES = fileURLToPath(new URL('../../../test/fixtures/models/', import.meta.url));
const noMonitor: RunMonitor = { runStarted: () => {}, runEnded: () => {} };

let opened = new Closer();
afterEach(async () => {
  const closing = opened;
  opened = new Closer();
  await closing[Symbol.asyncDispose]();
});

function options(file: string, more: Partial<ModelOptions> = {}): ModelOptions {
  return {
    name: 'm',
    version: '1',
    path: FIXTURES + file,
    executionProviders: ['cpu'],
    intraOpThreads: 1,
    runDeadlineMs: 0,
    ...more,
  };
}

async function load(file: string, more: Partial<ModelOptions> = {}, monitor = noMonitor): Promise<ModelSession> {
  return opened.use(await onnxBackend.load(options(file, more), monitor, silentLogger));
}

async function failure(work: Promise<unknown>): Promise<MillraceError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof MillraceError)) throw new Error('a MillraceError was expected', { cause: error });
  return error;
}

async function passes(datatype: Datatype, inferenceThreads: number): Promise<void> {
  const session = await load(`identity_${datatype.toLowerCase()}.onnx`, { inferenceThreads });
  expect(session.inputs[0]?.datatype).toBe(datatype);
  const bytes = 3 * DATATYPE_BYTES[datatype];
  const memory = new Uint8Array(bytes + 1).map((_, at) => (datatype === 'BOOL' ? at % 2 : (at * 37) % 256));
  const input: Tensor = { name: 'INPUT', datatype, shape: [3], data: memory.subarray(1) };
  const [output] = await session.run([input]);
  expect(output).toMatchObject({ name: 'OUTPUT', datatype, shape: [3] });
  expect(Buffer.from(output?.data ?? [])).toEqual(Buffer.from(input.data));
}

const fp32 = (name: string, shape: number[], values: number[]) =>
  tensorOf(name, 'FP32', shape, new Float32Array(values));

for (const inferenceThreads of [0, 2]) {
  describeBackend({
    backend: onnxBackend,
    add: `${FIXTURES}add.onnx`,
    truncated: `${FIXTURES}truncated.onnx`,
    missing: `${FIXTURES}missing.onnx`,
    inferenceThreads,
  });
}

describe('onnxBackend', () => {
  it('takes ONNX files by name and tells how to convert others', () => {
    expect(backends).toContain(onnxBackend);
    expect(backendFor('/m/1/model.onnx')).toBe(onnxBackend);
    expect(backendFor('/m/1/model.ort')).toBe(onnxBackend);
    expect(() => backendFor('/m/1/model.xml')).toThrow(/"model\.xml" is not ONNX but OpenVINO IR: export/);
    expect(() => backendFor('/m/1/model.tflite')).toThrow(/tf2onnx/);
    expect(() => backendFor('/m/1/notes.txt')).toThrow(/no backend takes files of this kind/);
  });

  it('does not load the native addon before a model is loaded', () => {
    const script = `
      await import('./src/runtime/index.ts');
      const loaded = process.report.getReport().sharedObjects.some((path) => path.includes('onnxruntime'));
      process.stdout.write(String(loaded));`;
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const out = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: root });
    expect(out.toString()).toBe('false');
  });

  it('reports the inputs and outputs, dynamic dimensions as −1', async () => {
    const session = await load('dynamic.onnx');
    expect(session).toMatchObject({ name: 'm', version: '1', provider: 'cpu' });
    expect(session.inputs).toEqual([{ name: 'image', datatype: 'FP32', shape: [-1, 3, -1, -1] }]);
    expect(session.outputs).toEqual([{ name: 'mean', datatype: 'FP32', shape: [-1, 3] }]);
  });

  it.each(Object.keys(DATATYPE_BYTES).filter((name) => name !== 'BF16' && name !== 'BYTES') as Datatype[])(
    'passes %s through unchanged, from any byte offset',
    async (datatype) => {
      for (const inferenceThreads of [0, 1]) await passes(datatype, inferenceThreads);
    },
  );

  it.each([0, 1])('passes text, and an empty tensor, with %d inference threads', async (inferenceThreads) => {
    const session = await load('identity_bytes.onnx', { inferenceThreads });
    const texts = ['', 'Grüße', '日本'];
    const [output] = await session.run([{ name: 'INPUT', datatype: 'BYTES', shape: [3], data: encodeBytes(texts) }]);
    expect(output && textData(output)).toEqual(texts);
    const numbers = await load('identity_fp32.onnx', { inferenceThreads });
    const [empty] = await numbers.run([fp32('INPUT', [0], [])]);
    expect(empty).toMatchObject({ shape: [0], data: new Uint8Array(0) });
  });

  it.each([
    ['a NUL byte', Buffer.from('a\0b'), /element 1 holds a NUL byte/],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe]), /element 1 is not valid UTF-8/],
  ])('refuses text with %s, which the runtime would change', async (_, bytes, message) => {
    const session = await load('identity_bytes.onnx');
    const data = encodeBytes(['fine', bytes]);
    const error = await failure(session.run([{ name: 'INPUT', datatype: 'BYTES', shape: [2], data }]));
    expect(error.reason).toBe('MALFORMED_BYTES');
    expect(error.message).toMatch(message);
  });

  it('takes inputs in any order and from memory shared between threads', async () => {
    const session = await load('add.onnx');
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([10, 20, 30, 40]);
    const [sum] = await session.run([tensorOf('B', 'FP32', [1, 4], shared), fp32('A', [1, 4], [1, 2, 3, 4])]);
    expect(sum && [...typedData(sum)]).toEqual([11, 22, 33, 44]);
  });

  it("reports a failed run with the runtime's own words, and goes on", async () => {
    const session = await load('add.onnx');
    const error = await failure(session.run([fp32('A', [1, 4], [1, 2, 3, 4])]));
    expect(error).toMatchObject({ reason: 'MODEL_FAILED', code: 'INTERNAL' });
    expect(error.message).toMatch(/^model 'm' version 1 failed: .*B/);
    const outputs = await session.run([fp32('A', [1, 4], [1, 2, 3, 4]), fp32('B', [1, 4], [1, 1, 1, 1])]);
    expect(outputs).toHaveLength(1);
  });

  it.each([
    ['missing.onnx', /there is no such file$/],
    ['truncated.onnx', /it is truncated or no ONNX model$/],
    ['not_onnx.onnx', /it is truncated or no ONNX model$/],
    ['unknown_operator.onnx', /does not know its operator Frobnicate \(opset 17\)$/],
    ['identity_bf16.onnx', /BF16/],
    ['model.tflite', /not ONNX but TensorFlow Lite: .*tf2onnx/],
  ])('refuses %s naming the file', async (file, message) => {
    const error = await failure(onnxBackend.load(options(file), noMonitor, silentLogger));
    expect(error.reason).toBe('MODEL_INVALID');
    expect(error.message).toContain(FIXTURES + file);
    expect(error.message).toMatch(message);
  });

  it('falls back to the next provider and says in one line why', async () => {
    const lines: string[] = [];
    const log = (_: object, message: string) => lines.push(message);
    const logger: Logger = { ...silentLogger, info: log, warn: log };
    const providers = { executionProviders: ['coreml', 'cpu'] } as const;
    const session = opened.use(await onnxBackend.load(options('add.onnx', providers), noMonitor, logger));
    expect(session.provider).toBe('cpu');
    expect(lines).toEqual([expect.stringMatching(/^model 'm' version 1 runs on cpu; refused by coreml \(.*not found/)]);
  });

  it('fails where no provider takes the model', async () => {
    const work = onnxBackend.load(options('add.onnx', { executionProviders: ['coreml'] }), noMonitor, silentLogger);
    expect((await failure(work)).message).toMatch(/no provider took it: coreml: /);
  });
});

describe('OnnxBackend with a faked runtime', () => {
  it('announces each run right before it starts, one at a time over all models', async () => {
    const events: string[] = [];
    let finish: (() => void)[] = [];
    const fake = (model: string): OrtSession => ({
      inputMetadata: [],
      outputMetadata: [],
      run: async () => {
        events.push(`${model} runs`);
        await new Promise<void>((resolve) => finish.push(resolve));
        return {};
      },
      release: async () => void events.push(`${model} released`),
    });
    const createSession: Ort['createSession'] = (path) =>
      Promise.resolve(fake(path.includes('add') ? 'add' : 'dynamic'));
    const backend = new OnnxBackend(async () => ({ createSession }) as unknown as Ort);
    const monitor: RunMonitor = {
      runStarted: (deadlineMs) => void events.push(`started ${deadlineMs}`),
      runEnded: () => events.push('ended'),
    };
    const add = await backend.load(options('add.onnx', { runDeadlineMs: 5 }), monitor, silentLogger);
    const dynamic = await backend.load(options('dynamic.onnx', { runDeadlineMs: 7 }), monitor, silentLogger);
    events.length = 0;

    const runs = [add.run([]), dynamic.run([])];
    await expect.poll(() => finish.length).toBe(1);
    expect(events).toEqual(['started 5', 'add runs']);
    finish[0]?.();
    await expect.poll(() => finish.length).toBe(2);
    expect(events).toEqual(['started 5', 'add runs', 'ended', 'started 7', 'dynamic runs']);
    finish[1]?.();
    await Promise.all(runs);
    await add[Symbol.asyncDispose]();
    expect(events.slice(-2)).toEqual(['ended', 'add released']);
    finish = [];
  });

  it('announces regular runs only until one was short, unless there is a deadline', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const events: string[] = [];
    const fake: OrtSession = {
      inputMetadata: [],
      outputMetadata: [],
      run: () => Promise.resolve({}),
      release: async () => {},
    };
    const backend = new OnnxBackend(async () => ({ createSession: () => Promise.resolve(fake) }) as unknown as Ort);
    const monitor: RunMonitor = {
      runStarted: (deadlineMs) => void events.push(`started ${deadlineMs}`),
      runEnded: () => events.push('ended'),
    };
    await using free = await backend.load(options('add.onnx', { runDeadlineMs: 0 }), monitor, silentLogger);
    await using limited = await backend.load(options('add.onnx', { runDeadlineMs: 9 }), monitor, silentLogger);
    events.length = 0;
    for (const session of [free, limited]) {
      for (let i = 0; i < 2; i++) await session.run([], undefined, { isRegular: true });
    }
    expect(events).toEqual(['started 0', 'ended', 'started 9', 'ended', 'started 9', 'ended']);
    events.length = 0;
    await vi.advanceTimersByTimeAsync(1000);
    expect(events, 'the end of the second brief one is told of later').toEqual(['ended']);
    events.length = 0;
    await free.run([]);
    expect(events).toEqual(['started 0', 'ended']);
    await free.run([], undefined, { isRegular: true });
    await free.run([], undefined, { isRegular: true });
    await free[Symbol.asyncDispose]();
    expect(events, 'what was not told of yet is told of at the end').toEqual(['started 0', 'ended', 'ended', 'ended']);
  });

  it('gives the memory back when a loaded model turns out not to be servable', async () => {
    let released = 0;
    const session: OrtSession = {
      inputMetadata: [{ name: 'probabilities', isTensor: false }],
      outputMetadata: [],
      run: () => Promise.resolve({}),
      release: async () => void released++,
    };
    const createSession: Ort['createSession'] = () => Promise.resolve(session);
    const backend = new OnnxBackend(async () => ({ createSession }) as unknown as Ort);
    const error = await failure(backend.load(options('add.onnx'), noMonitor, silentLogger));
    expect(error.message).toMatch(/"probabilities" is a sequence or map/);
    expect(released).toBe(1);
  });
});
