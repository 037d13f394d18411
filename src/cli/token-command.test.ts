import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFolder } from '../../test/support/scratch-folder.ts';
import { hasHash, parseToken } from '../security/token.ts';
import { readTokenFile } from '../security/token-file.ts';
import { main } from './main.ts';

let folder: ScratchFolder;
let file: string;
beforeEach(async () => {
  folder = await ScratchFolder.create();
  file = join(folder.path, 'tokens.json');
});
afterEach(() => folder[Symbol.asyncDispose]());

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `millrace token …` with the file. */
async function token(...args: readonly string[]): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  const code = await main(['token', ...args], {
    variables: { MILLRACE_TOKEN_FILE: file },
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    onSignal: () => () => {},
    loadServer: () => Promise.reject(new Error('no server here')),
  });
  return { code, stdout, stderr };
}

test('a token is printed once, its hash kept in a file that only its owner can read', async () => {
  const created = await token('create', '--name', 'cam-1', '--scope', 'infer,metrics', '--expires', '30d');
  expect(created.code).toBe(0);
  const parts = parseToken(created.stdout.trim());
  const [record] = await readTokenFile(file);
  expect(record).toMatchObject({ name: 'cam-1', id: parts?.id, scopes: ['infer', 'metrics'] });
  expect(hasHash(parts?.secret ?? '', record?.hash ?? '')).toBe(true);
  expect(Date.parse(record?.expires ?? '') - Date.parse(record?.created ?? '')).toBe(30 * 86_400_000);
  expect(await readFile(file, 'utf8')).not.toContain(parts?.secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('limits, list and revoke', async () => {
  const flags = ['--max-requests-in-flight', '4', '--max_sessions=2', '--servables', 'a, b*'];
  await token('create', '--name', 'one', '--scope', 'infer', ...flags);
  await token('create', '--name', 'two', '--scope', 'admin');
  const [one] = await readTokenFile(file);
  expect(one).toMatchObject({ max_requests_in_flight: 4, max_sessions: 2, servables: ['a', 'b*'] });
  const { stdout } = await token('list');
  expect(stdout.split('\n')[1]?.split(/ {2,}/)).toEqual([
    'one',
    one?.id,
    'infer',
    one?.created.slice(0, 10),
    'never',
    '4',
    '2',
    'a,b*',
  ]);
  expect((await token('revoke', 'one')).stderr).toContain(`token "one" (id ${one?.id}) is no longer in`);
  expect((await readTokenFile(file)).map(({ name }) => name)).toEqual(['two']);
});

test('two at the same time do not lose a token', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const codes = await Promise.all(
    names.map(async (name) => (await token('create', '--name', name, '--scope', 'infer')).code),
  );
  const kept = (await readTokenFile(file)).map(({ name }) => name);
  expect(kept).toEqual(names.filter((_, i) => codes[i] === 0));
});

test.each([
  [['create', '--scope', 'infer'], /--name: nothing given/],
  [['create', '--name', 'x'], /--scope: nothing given, infer, manage, metrics, admin expected/],
  [['create', '--name', 'x', '--scope', 'infer,manag'], /--scope: manag given/],
  [['create', '--name', 'x y', '--scope', 'infer'], /--name: x y given, letters/],
  [['create', '--name', 'x', '--scope', 'infer', '--expires', 'soon'], /--expires: soon given/],
  [['create', '--name', 'x', '--scope', 'infer', '--expires', '2001-01-01'], /is over already/],
  [['create', '--name', 'x', '--scope', 'infer', '--max_sessions', '0'], /--max_sessions: 0 given/],
  [['creat'], /unknown command "creat"; did you mean "create"/],
  [['revoke', 'nobody'], /has no token "nobody"/],
  [['create', '--name', 'x', '--scpe', 'infer'], /unknown flag --scpe of token create; did you mean "--scope"/],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await token(...args);
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});

test('help', async () => {
  expect((await token()).stdout).toContain('create|list|revoke');
  for (const action of ['create', 'list', 'revoke']) {
    expect((await token(action, '--help')).stdout).toContain(`millrace token ${action}`);
  }
});
