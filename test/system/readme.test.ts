import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { listVersions } from '../support/repository-states.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { blocksOf, type Block } from './readme/blocks.ts';

/** Blocks that are not run: they install, run all tests, or need a container engine. By their first line. */
const EXEMPT = [
  'npm run setup && npx millrace serve',
  'npm test',
  'docker build -t millrace .',
  'npx millrace start examples/text-model',
];

const blocks = blocksOf(await readFile(join(ROOT, 'README.md'), 'utf8'));
const isExempt = ({ text }: Block): boolean => EXEMPT.includes(text.split('\n')[0] ?? '');
const shell = blocks.filter((block) => block.language === 'sh' && !isExempt(block));
const python = blocks.filter(({ language }) => language === 'python');
const json = blocks.filter(({ language }) => language === 'json');

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** As on the machine of a reader, but for the ports, and for npx, which may have something to say itself. */
const onOurPorts = (text: string): string =>
  text
    .replaceAll('npx millrace', 'node bin/millrace.js')
    .replaceAll('localhost:8080', `127.0.0.1:${server.restPort}`)
    .replaceAll('localhost:9000', `127.0.0.1:${server.grpcPort}`);

/** Without blanks at the end; numbers with many digits, which come from models, to three: processors compute differently. */
const rounded = (text: string): string =>
  text.trimEnd().replace(/-?\d+\.\d{6,}/g, (number) => Number(number).toPrecision(3));

async function run(command: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  let out = '';
  let problems = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (problems += text));
  child.stdin.end(input);
  const code = await new Promise((ended, reject) => child.on('error', reject).on('close', ended));
  expect({ code, problems }).toEqual({ code: 0, problems: '' });
  return out;
}

describe('README.md', () => {
  it('has every kind of block, and each that is not run is exempt by name', () => {
    expect(blocks.filter(isExempt).map(({ text }) => text.split('\n')[0])).toEqual(EXEMPT);
    const languages = new Set(blocks.map(({ language }) => language));
    expect([...languages].toSorted()).toEqual(['json', 'python', 'sh']);
    expect(shell.length).toBeGreaterThan(0);
    for (const { text } of shell) expect(text).toMatch(/curl|npx millrace/);
  });

  it.each(shell)('line $line: the shell prints what is written there', async ({ text, output }) => {
    const printed = await run('bash', ['-euo', 'pipefail', '-s'], onOurPorts(text));
    expect(printed).not.toBe('');
    if (output !== undefined) expect(rounded(printed)).toBe(rounded(output));
  });

  it('a mistake says what to mend', async () => {
    const mistake = shell.find(({ text }) => text.includes('identty')) as Block;
    const printed = await run('bash', ['-s'], onOurPorts(mistake.text));
    expect(JSON.parse(printed)).toEqual({
      error: expect.stringContaining("'identty' is not found") as string,
      reason: 'SERVABLE_NOT_FOUND',
    });
  });

  it.each(python)('line $line: the client prints what is written there', async ({ text, output }) => {
    expect(output).toBeDefined();
    expect(await run(await pythonPath(), ['-'], onOurPorts(text))).toBe(output);
  });

  it.each(json)('line $line: the configuration is served', async ({ text }) => {
    const config = withAbsolutePaths(JSON.parse(text) as ExampleConfig);
    await using configured = await startServer({ config });
    const listed = await listVersions(configured);
    const names = [
      ...config.model_config_list.map((entry) => entry.config.name),
      ...config.mediapipe_config_list.map((entry) => entry.name),
      ...config.runtimes.map((entry) => entry.name),
    ];
    expect(listed.map(({ name, state }) => `${name} ${state}`).toSorted()).toEqual(
      names.map((name) => `${name} READY`).toSorted(),
    );
  });

  it('lists what is served without a configuration', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
    const names = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name as string),
    );
    const listed = await listVersions(server);
    expect(listed.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    expect(listed.filter(({ state }) => state !== 'READY')).toEqual([]);
  });
});

interface ExampleConfig {
  readonly model_config_list: readonly { readonly config: { readonly name: string; readonly base_path: string } }[];
  readonly mediapipe_config_list: readonly { readonly name: string; readonly base_path: string }[];
  readonly runtimes: readonly { readonly name: string; readonly implementation: string }[];
}

/** The file stands in the repository's root; a test writes nothing there. */
function withAbsolutePaths(config: ExampleConfig): ExampleConfig {
  const path = (relative: string): string => join(ROOT, relative);
  return {
    ...config,
    model_config_list: config.model_config_list.map((entry) => ({
      config: { ...entry.config, base_path: path(entry.config.base_path) },
    })),
    mediapipe_config_list: config.mediapipe_config_list.map((entry) => ({
      ...entry,
      base_path: path(entry.base_path),
    })),
    runtimes: config.runtimes.map((entry) => ({ ...entry, implementation: path(entry.implementation) })),
  };
}
