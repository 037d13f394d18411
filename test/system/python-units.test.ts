import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';

const run = promisify(execFile);

/** Fails with what the command wrote. */
async function python(environment: 'clients' | 'mlserver', ...args: readonly string[]): Promise<void> {
  const interpreter = await pythonPath(environment);
  await run(interpreter, args, { cwd: ROOT }).catch((error: unknown) => expect.fail(String(error)));
}

it.each([
  ['the host, and the codecs where MLServer is not installed', 'clients', []],
  ["the same codecs of the user's own MLServer: both agree", 'mlserver', ['test_codecs']],
  ['ours beside pandas', 'mlserver', ['--ours', 'test_codecs']],
] as const)('Python: %s', (_title, environment, args) => python(environment, 'test/python/run.py', ...args));

it('every Python file compiles, and warns of nothing', () =>
  python(
    'clients',
    '-W',
    'error',
    '-m',
    'compileall',
    '-q',
    '-f',
    'python',
    'test/python/models',
    'test/fixtures/python-nodes',
  ));
