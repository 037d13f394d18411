/** What settings of MLServer's do to the processes and answers of real runtimes: workers, pools, environments, the cache. */
import { execFileSync } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** Answers with its process, its environment, and how often it was called. */
const COUNTING = `
import os, sys
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceResponse

try:
    from only_packed import NAME
except ImportError:
    NAME = "none"


class Counting(MLModel):
    async def load(self):
        self.calls = 0
        return True

    async def predict(self, payload):
        self.calls += 1
        told = [str(os.getpid()), sys.prefix, NAME, str(self.calls)]
        return InferenceResponse(model_name=self.name, outputs=[StringCodec.encode_output("told", told)])
`;

interface Told {
  readonly pid: string;
  readonly prefix: string;
  readonly packed: string;
  readonly calls: string;
}

async function ask(server: TestServer, model: string, input = 'x', path = 'infer'): Promise<Told> {
  const body = JSON.stringify({ id: 'same', inputs: [{ name: 'a', datatype: 'BYTES', shape: [1], data: [input] }] });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${server.restUrl}/v2/models/${model}/${path}`, { method: 'POST', headers, body });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  const { outputs } = JSON.parse(text.replace(/^data: /, '')) as { outputs: { data: string[] }[] };
  const [pid = '', prefix = '', packed = '', calls = ''] = outputs[0]?.data ?? [];
  return { pid, prefix, packed, calls };
}

async function folderWith(settings: object, models: Record<string, object>): Promise<ScratchFolder> {
  const folder = await ScratchFolder.create();
  await folder.put('settings.json', settings);
  await folder.put('counting.py', COUNTING);
  for (const [name, model] of Object.entries(models)) {
    await folder.put(`${name}/model-settings.json`, { implementation: 'counting.Counting', ...model });
  }
  return folder;
}

describe('a folder of models with one worker each', () => {
  let folder: ScratchFolder;
  let server: TestServer;
  beforeAll(async () => {
    folder = await folderWith(
      { parallel_workers: 1, cache_enabled: true, cache_size: 2 },
      {
        remembered: { cache_enabled: true, warm_workers: true },
        called: {},
        first: { parameters: { inference_pool_gid: 'pool' } },
        second: { parameters: { inference_pool_gid: 'pool' } },
        alone: { parameters: { autogenerate_inference_pool_gid: true } },
        many: { parallel_workers: 3 },
        packed: { parameters: { environment_tarball: '../packed.tar.gz' } },
        twin: { parameters: { environment_tarball: '../packed.tar.gz' } },
      },
    );
    // As conda-pack has them: a Python with packages of its own, which runs where it is unpacked.
    const python = await pythonPath();
    const packed = join(folder.path, 'to-pack');
    execFileSync(python, ['-m', 'venv', '--without-pip', '--symlinks', packed]);
    const site = execFileSync(join(packed, 'bin/python'), ['-c', 'import site; print(site.getsitepackages()[0])']);
    await cp(await folder.put('only_packed.txt', 'NAME = "packed"'), join(String(site).trim(), 'only_packed.py'));
    execFileSync('tar', ['-czf', join(folder.path, 'packed.tar.gz'), '-C', packed, '.']);
    await folder.remove('to-pack');
    const env = { MLSERVER_ENVIRONMENTS_DIR: join(folder.path, '.envs'), MILLRACE_PYTHON: python };
    server = await startServer({ folder: folder.path, env });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await folder[Symbol.asyncDispose]();
  });

  it('remembers equal requests of a model that says so, the oldest giving way, and never those of streams', async () => {
    const calls = async (input: string, path?: string): Promise<string> =>
      (await ask(server, 'remembered', input, path)).calls;
    expect(await calls('a')).toBe('1');
    expect(await calls('a')).toBe('1');
    expect(await calls('b')).toBe('2');
    expect(await calls('c')).toBe('3');
    expect(await calls('b')).toBe('2');
    expect(await calls('a')).toBe('4');
    expect(await calls('a', 'generate_stream')).toBe('5');
    expect(await calls('a')).toBe('4');
    expect([(await ask(server, 'called')).calls, (await ask(server, 'called')).calls]).toEqual(['1', '2']);
  });

  it('puts models of one pool into one process, and others into their own', async () => {
    const pids = new Map<string, string>();
    for (const model of ['first', 'second', 'alone', 'called']) pids.set(model, (await ask(server, model)).pid);
    expect(pids.get('second')).toBe(pids.get('first'));
    expect(new Set(pids.values()).size).toBe(3);
  });

  it('has as many instances of a model as it says itself', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(server, 'many')));
    expect(new Set(answers.map(({ pid }) => pid)).size).toBe(3);
  });

  it('runs models in an environment that was packed, unpacked once', async () => {
    const [packed, twin] = [await ask(server, 'packed'), await ask(server, 'twin')];
    expect([packed.packed, twin.packed]).toEqual(['packed', 'packed']);
    expect(packed.prefix).toMatch(/\/\.envs\/[0-9a-f]{64}$/);
    expect(twin.prefix).toBe(packed.prefix);
    expect((await ask(server, 'called')).packed).toBe('none');
  });
});
