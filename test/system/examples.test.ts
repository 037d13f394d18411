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
