/** Python runtimes behind the whole server: what clients, logs and metrics see of them, and of their ends. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { encodeBytes, textData } from '../../src/tensor/bytes.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { RawStream } from '../support/raw-stream.ts';
import { reasonOf, versionStates } from '../support/repository-states.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const UNAVAILABLE = 14;
const SEEN = { timeout: 30_000, interval: 50 };

const runtime = (name: string, implementation: string): object => ({ name, implementation });
const FOLDER = join(ROOT, 'test/python');
const text = (value: string): Tensor => ({
  name: 'prompt',
  datatype: 'BYTES',
  shape: [1],
  data: encodeBytes([value]),
});

async function infer(server: TestServer, servable: string, value: string): Promise<Response> {
  const inputs = [{ name: 'prompt', datatype: 'BYTES', shape: [1], data: [value] }];
  return fetch(`${server.restUrl}/v2/models/${servable}/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
}

describe('a server with Python runtimes', () => {
  let folder: ScratchFolder;
  let server: TestServer;
  beforeAll(async () => {
    folder = await ScratchFolder.create();
    server = await startServer({
      config: {
        runtimes: [
          runtime('text-model', join(ROOT, 'examples/text-model-python/text_model.py#TextModel')),
          runtime('commanded', join(FOLDER, 'models/commanded.py#Commanded')),
          runtime('missing-import', join(FOLDER, 'broken/missing_import.py#Model')),
          runtime('syntax', join(FOLDER, 'broken/syntax.py#Model')),
          runtime('ends', join(FOLDER, 'broken/ends.py#Model')),
        ],
      },
      env: { MILLRACE_PYTHON: await pythonPath(), DIARY: join(folder.path, 'diary') },
    });
  });
  afterAll(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  it("streams the page's words over gRPC", async () => {
    const stream = new RawStream(server.grpcAddress, 'text-model');
    stream.send([text('What is the capital of France?')], { id: 'one' });
    expect(await stream.end()).toBe(0);
    expect(stream.responses.map(({ outputs }) => textData(outputs[0] as Tensor).join())).toEqual([
      'What',
      ' is',
      ' the',
      ' capital',
      ' of',
      ' France?',
    ]);
    expect(new Set(stream.responses.map(({ id }) => id))).toEqual(new Set(['one']));
  });

  it('tells of one that does not load in its state, shortly, and in the log with the traceback', async () => {
    expect(await versionStates(server, 'missing-import')).toEqual(['1 UNAVAILABLE']);
    expect(await reasonOf(server, 'missing-import')).toBe(
      "runtime 'missing-import' failed to load: ModuleNotFoundError: No module named 'surely_not_installed' (missing_import.py, line 1)",
    );
    expect(await reasonOf(server, 'syntax')).toMatch(/SyntaxError: .+ \(syntax\.py, line 2\)$/);
    const answer = await infer(server, 'missing-import', 'x');
    expect(answer.ok).toBe(false);
    expect(await answer.text()).not.toContain('Traceback');
    const logged = server
      .logs()
      .split('\n')
      .find((line) => line.includes('Traceback') && line.includes('"missing-import"'));
    expect((JSON.parse(logged ?? '{}') as { stack: string }).stack).toContain('import surely_not_installed');
  });

  it('does not load again and again what ends its process', async () => {
    await vi.waitFor(
      async () => expect(await reasonOf(server, 'ends')).toMatch(/exit code 9.*2 times in a row|2 times in a row/),
      SEEN,
    );
  });

  it('writes what is printed, logged and said on standard error as lines of its log', async () => {
    expect((await infer(server, 'commanded', 'say')).status).toBe(200);
    await vi.waitFor(() => expect(server.logs()).toContain('on stderr'), SEEN);
    const lines = server.logs().trim().split('\n');
    const parsed = lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { msg: string; level: string });
    for (const [msg, level] of [
      ['printed', 'info'],
      ['half', 'info'],
      ['logged 1', 'warn'],
      ['on stderr', 'warn'],
    ]) {
      expect(parsed.find((line) => line.msg === msg)).toMatchObject({ level });
    }
    // What the command itself says is for people.
    expect(lines.filter((line) => !line.startsWith('{') && !line.startsWith('millrace'))).toEqual([]);
  });

  it('has its custom metrics among its own', async () => {
    expect((await infer(server, 'commanded', 'measure')).status).toBe(200);
    await vi.waitFor(async () => {
      const metrics = await (await fetch(`${server.restUrl}/metrics`)).text();
      expect(metrics).toMatch(/^my_metric_count\{[^}]*commanded[^}]*\} 2$/m);
      expect(metrics).toMatch(/^my_metric_sum\{[^}]*\} 0\.75$/m);
    }, SEEN);
  });

  it('tells the streams of a process that is killed why they end, and replaces it', async () => {
    const stream = new RawStream(server.grpcAddress, 'commanded');
    stream.send([text('slowly')]);
    await stream.received(2);
    const answer = (await (await infer(server, 'commanded', 'pid')).json()) as { outputs: { data: string[] }[] };
    process.kill(Number(answer.outputs[0]?.data[0]), 'SIGKILL');
    const { code, text: why } = await stream.ended;
    expect([code, why]).toEqual([UNAVAILABLE, expect.stringContaining('its host process ended unexpectedly')]);
    await vi.waitFor(async () => expect((await infer(server, 'commanded', 'kinds')).status).toBe(200), SEEN);
    expect(await versionStates(server, 'commanded')).toEqual(['1 READY']);
  });
});

it('without a Python it says what to install or set, and serves the rest', async () => {
  await using server = await startServer({
    config: {
      runtimes: [
        runtime('text-model', join(ROOT, 'examples/text-model-python/text_model.py#TextModel')),
        runtime('echo', join(ROOT, 'test/fixtures/runtimes/echo.js')),
      ],
    },
    env: { MILLRACE_PYTHON: '/nowhere/python3' },
  });
  expect(await reasonOf(server, 'text-model')).toContain(
    'MILLRACE_PYTHON is "/nowhere/python3", which is no program that can be run',
  );
  expect(await versionStates(server, 'echo')).toEqual(['1 READY']);
});
