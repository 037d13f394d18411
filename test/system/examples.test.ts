import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { startServer } from '../support/start-server.ts';

it('examples/script-calculator: the client prints what the README says', async () => {
  const folder = join(ROOT, 'examples/script-calculator');
  await using server = await startServer({ config: join(folder, 'config.json'), flags: ['--hosts', '1'] });
  const { stdout } = await promisify(execFile)(await pythonPath(), [join(folder, 'client.py'), server.grpcAddress]);
  expect(stdout).toMatch(/^means: .*\ncountdown: .*\n$/);
  expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain(stdout);
});

it.each(['stream-unary', 'stream-stream'])('examples/%s: the client prints what the README says', async (example) => {
  const folder = join(ROOT, 'examples', example);
  await using server = await startServer({ folder });
  const { stdout } = await promisify(execFile)(await pythonPath(), [join(folder, 'client.py'), server.grpcAddress]);
  expect(stdout).toMatch(/\w/);
  expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain(stdout);
});

it.each(['text-model', 'text-model-python'])('examples/%s: the request of the README is streamed', async (example) => {
  const folder = join(ROOT, 'examples', example);
  const env = { MILLRACE_PYTHON: await pythonPath() };
  await using server = await startServer({ folder, env });
  const answer = await fetch(`${server.restUrl}/v2/models/text-model/generate_stream`, {
    method: 'POST',
    // As curl -d sends it.
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: await readFile(join(folder, 'generate-request.json')),
  });
  const words = (await answer.text()).split('\n\n').filter((event) => event !== '');
  expect(words.map((event) => /"data":\["([^"]*)"\]/.exec(event)?.[1])).toEqual(
    'What, is, the, capital, of, France?'.split(','),
  );
});
