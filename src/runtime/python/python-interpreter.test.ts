import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger, type Logger } from '../../base/logger.ts';
import { findInterpreter } from './python-interpreter.ts';
import { launchPython } from './python-launcher.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'python-interpreter-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function program(name: string, text = '#!/bin/sh\nexit 0\n'): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

test("the model's own comes first, then MILLRACE_PYTHON, a path or a name, then python3 and python on the path", async () => {
  const own = await program('env/bin/python');
  const set = await program('set/python3.12');
  const python = await program('a/python');
  const python3 = await program('b/python3');
  const PATH = `${join(folder, 'a')}:${join(folder, 'b')}:${join(folder, 'set')}`;
  expect(findInterpreter(own, { PATH, MILLRACE_PYTHON: set })).toBe(own);
  expect(findInterpreter(undefined, { PATH, MILLRACE_PYTHON: set })).toBe(set);
  expect(findInterpreter(undefined, { PATH, MILLRACE_PYTHON: 'python3.12' })).toBe(set);
  expect(findInterpreter(undefined, { PATH, MILLRACE_PYTHON: '' })).toBe(python3);
  expect(findInterpreter(undefined, { PATH: join(folder, 'a') })).toBe(python);
});

test('what cannot be run is told with where it was said', async () => {
  await writeFile(join(folder, 'python3'), 'no program');
  const PATH = folder;
  expect(() => findInterpreter(undefined, { PATH })).toThrow(
    'no Python: neither python3 nor python is on the path; install Python 3.9 or newer, or set MILLRACE_PYTHON',
  );
  expect(() => findInterpreter(undefined, { PATH, MILLRACE_PYTHON: 'python9' })).toThrow(
    'MILLRACE_PYTHON is "python9"',
  );
  expect(() => findInterpreter(folder, { PATH })).toThrow(`the model's environment has "${folder}"`);
});

test('how a host ended is told with the last thing that it said', async () => {
  const old = await program('old', '#!/bin/sh\necho first >&2\necho "  its reason" >&2\nexit 3\n');
  expect(await launchPython(old, {}, silentLogger).ended).toBe('exit code 3: its reason');
  const none = launchPython(undefined, { PATH: folder }, silentLogger);
  expect(none.pid).toBeUndefined();
  expect(await none.ended).toMatch(/^no Python/);
  const broken = await program('broken', '#!/nowhere/at/all\n');
  expect(await launchPython(broken, {}, silentLogger).ended).toMatch(/did not start: .*ENOENT/);
});

test('what a host started ends with it', async () => {
  const parent = await program('parent', '#!/bin/sh\nsleep 600 &\necho $! >&2\nwait\n');
  const said: string[] = [];
  const logger: Logger = { ...silentLogger, child: () => logger, warn: (_, message) => void said.push(message) };
  const host = launchPython(parent, { PATH: process.env['PATH'] }, logger);
  await expect.poll(() => said).toHaveLength(1);
  const stat = `/proc/${said[0]}/stat`;
  const state = async (): Promise<string> => (await readFile(stat, 'utf8').catch(() => ') gone')).split(') ')[1] ?? '';
  expect(await state()).toMatch(/^[RSD]/);
  host.kill();
  expect(await host.ended).toBe('signal SIGKILL');
  await expect.poll(state).toMatch(/^(gone|Z)/);
});
