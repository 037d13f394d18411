import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Cancellation } from '../../src/base/cancellation.ts';
import { MillraceError } from '../../src/base/errors.ts';
import type { HostClient } from '../../src/ipc/host-client.ts';
import { encodeBytes } from '../../src/tensor/bytes.ts';
import { tensorOf } from '../../src/tensor/tensor.ts';
import { scriptGraph } from '../support/script-graphs.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { Kept, launchers, request, start, type Started } from './host-harness.ts';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const model = {
  kind: 'model',
  name: 'sensor_gru',
  version: '1',
  path: path('models/sensor_gru/1/model.onnx'),
  executionProviders: ['cpu'],
  runDeadlineMs: 0,
};
const gone = new MillraceError('CANCELLED', 'gone');

const diary = {
  kind: 'runtime',
  name: 'diary',
  version: '1',
  module: path('test/fixtures/runtimes/diary.js'),
  export: 'default',
};
const text = (value: string) =>
  request('diary', [{ name: 'text', datatype: 'BYTES', shape: [1], data: encodeBytes([value]) }]);

const number = () => request('g', [tensorOf('in', 'FP32', [1], Float32Array.of(1))]);
const graphLoad = async (graph: string, name = 'g'): Promise<object> => ({
  kind: 'graph',
  name,
  version: '1',
  graphPath: await scratch.put(`${name}.pbtxt`, graph),
});
const PASS = `input_stream: "in" output_stream: "out"
  node { calculator: "PassThroughCalculator" input_stream: "in" output_stream: "out" }`;
const SEEN = { timeout: 20_000 };

let scratch: ScratchFolder;
beforeEach(async () => {
  scratch = await ScratchFolder.create();
});
afterEach(() => scratch[Symbol.asyncDispose]());

/** A runtime that writes down what happens to it; what it wrote so far. */
async function keepDiary(client: HostClient): Promise<() => Promise<string[]>> {
  const file = await scratch.put('diary', '');
  await client.loadServable(1, { ...diary, parameters: { file } });
  return async () => (await readFile(file, 'utf8')).split('\n').slice(0, -1);
}

describe.each(Object.entries(launchers))('a host %s', (_where, launch) => {
  let started: Started;
  afterEach(() => started.supervisor.close(5000));

  it('does not run the model for calls and sessions that ended before their turn', async () => {
    const { client, runs } = (started = await start(launch));
    const description = await client.loadServable(1, model);
    const { inputs } = description as { inputs: { name: string; shape: number[] }[] };
    const values = inputs.map(({ name, shape }) => {
      const dims = shape.map((dim) => (dim === -1 ? 1 : dim));
      return tensorOf(name, 'FP32', dims, new Float32Array(dims.reduce((count, dim) => count * dim, 1)));
    });
    const first = client.infer(1, request('sensor_gru', values), new Cancellation());
    const cancellation = new Cancellation();
    const second = client.infer(1, request('sensor_gru', values), cancellation);
    const kept = new Kept();
    const session = client.openSession(1, request('sensor_gru', values), kept);
    session.push(request('sensor_gru', values));
    cancellation.cancel(gone);
    session.abort(gone);
    await expect(second).rejects.toBe(gone);
    await first;
    await client.infer(1, request('sensor_gru', values), new Cancellation());
    expect(runs.count).toBe(2);
  });

  it.each(['unloaded before', 'still loaded'])('waits for the unload of a runtime when it stops: %s', async (which) => {
    const { client, supervisor } = (started = await start(launch));
    const read = await keepDiary(client);
    if (which === 'unloaded before') client.unload(1);
    await supervisor.close(5000);
    await expect.poll(read, SEEN).toEqual(['unloaded']);
  });

  it('gives an aborted stream no more requests, and unloads its runtime after its end', async () => {
    const { client } = (started = await start(launch));
    const read = await keepDiary(client);
    const session = client.openSession(1, text(''), new Kept());
    session.push(text('one'));
    session.push(text('two'));
    await expect.poll(read, SEEN).toEqual(['took one']);
    session.abort(gone);
    client.unload(1);
    await expect.poll(async () => (await read()).at(-1), SEEN).toBe('unloaded');
    expect(await read()).toEqual(['took one', 'stream ended', 'unloaded']);
  });

  it('loads other graphs while the code of one does not finish loading, and closes that one if it comes too late', async () => {
    const { client } = (started = await start(launch));
    const gate = await scratch.put('gate', '');
    await scratch.copy(path('test/fixtures/scripts/diary.js'), 'diary.js');
    await scratch.put(
      'late.js',
      `import { readFileSync } from 'node:fs';
       import script from './diary.js';
       while (readFileSync(${JSON.stringify(gate)}, 'utf8') === '') await new Promise((resolve) => setTimeout(resolve, 10));
       export default script;`,
    );
    const late = client.loadServable(1, await graphLoad(scriptGraph({ script: 'late.js', shared: true })));
    await client.loadServable(2, await graphLoad(PASS, 'other'));
    client.unload(1);
    await scratch.put('gate', 'open');
    await expect(late).rejects.toMatchObject({ reason: 'SHUTTING_DOWN' });
    expect(await readFile(`${scratch.path}/diary`, 'utf8')).toBe('finalized\n');
  });

  it.each(['unloaded', 'stopped'])(
    "finalizes a graph's shared script and writes its trace when the call of an aborted session has ended: %s",
    async (how) => {
      const { client, supervisor } = (started = await start(launch));
      await scratch.copy(path('test/fixtures/scripts/diary.js'), 'diary.js');
      const traced = `profiler_config { trace_enabled: true trace_log_path: "${scratch.path}/traces/" }`;
      const graph = `${scriptGraph({ script: 'diary.js', shared: true })} ${traced}`;
      await client.loadServable(1, await graphLoad(graph));
      const read = () => readFile(`${scratch.path}/diary`, 'utf8').catch(() => '');
      const session = client.openSession(1, number(), new Kept());
      session.push(number());
      await expect.poll(read, SEEN).toBe('execute\n');
      session.abort(gone);
      if (how === 'unloaded') client.unload(1);
      else await supervisor.close(5000);
      await expect.poll(read, SEEN).toMatch(/finalized/);
      expect(await read()).toBe('execute\nexecuted\nfinalized\n');
      expect(await readdir(`${scratch.path}/traces`)).toHaveLength(1);
    },
  );
});
