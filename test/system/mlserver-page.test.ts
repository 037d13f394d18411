/** MLServer's streaming page, followed line by line: its files, its request and its clients' own code. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const run = promisify(execFile);
const CELLS = join(ROOT, 'test/fixtures/mlserver-page');
const PYTHON_MODEL = join(ROOT, 'examples/text-model-python');
const ANSWER = ['What', ' is', ' the', ' capital', ' of', ' France?'].map((word) => `['${word}']\n`).join('');

/** Runs a cell of the page in the real package's environment, in the folder of the request. @returns what it prints */
async function runCell(cell: string, folder: string, server: TestServer): Promise<string> {
  const args = [join(CELLS, 'run.py'), join(CELLS, cell), new URL(server.restUrl).host, server.mlserverAddress];
  return (await run(await pythonPath('mlserver'), args, { cwd: folder })).stdout;
}

async function runScript(script: string, address: string): Promise<string> {
  return (await run(await pythonPath('mlserver'), ['-W', 'ignore', script, address])).stdout;
}

it("the Python model is the page's, byte for byte", async () => {
  const text = await readFile(join(PYTHON_MODEL, 'text_model.py'));
  expect(createHash('sha256').update(text).digest('hex')).toBe(
    '2a3e441e6ee83842b6ba6db84cf9330164a2e4cbff4840e833da42b4f7ef20f1',
  );
});

describe.each([
  ['in TypeScript', 'examples/text-model', undefined],
  ['in Python, without MLServer', 'examples/text-model-python', 'clients'],
  ["in Python, with the user's own MLServer", 'examples/text-model-python', 'mlserver'],
] as const)('the text model %s', (_title, path, environment) => {
  const folder = join(ROOT, path);
  let server: TestServer;

  beforeAll(async () => {
    const env = environment === undefined ? undefined : { MILLRACE_PYTHON: await pythonPath(environment) };
    server = await startServer({ folder, env });
  });
  afterAll(() => server.stop());

  it("answers the page's clients as MLServer does, over REST and gRPC", async () => {
    const printed = await Promise.all([
      runCell('rest-client.txt', folder, server),
      runCell('grpc-client.txt', folder, server),
    ]);
    expect(printed).toEqual([ANSWER, ANSWER]);
  });

  it('tells what model-settings.json says of it', async () => {
    const answer = await fetch(`${server.restUrl}/v2/models/text-model`);
    expect(await answer.json()).toMatchObject({
      name: 'text-model',
      inputs: [{ name: 'prompt', datatype: 'BYTES', shape: [1] }],
      outputs: [{ name: 'output', datatype: 'BYTES', shape: [1] }],
    });
  });
});

it("the clients that README.md names are the page's", async () => {
  await using server = await startServer({ folder: join(ROOT, 'examples/text-model') });
  const printed = await Promise.all([
    runScript(join(PYTHON_MODEL, 'rest_client.py'), server.restUrl),
    runScript(join(PYTHON_MODEL, 'grpc_client.py'), server.mlserverAddress),
  ]);
  expect(printed).toEqual([ANSWER, ANSWER]);
  expect(await readFile(join(PYTHON_MODEL, 'README.md'), 'utf8')).toContain(ANSWER);
});
