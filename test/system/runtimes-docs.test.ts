import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { pythonPath } from '../support/python.ts';
import { ScratchFolder } from '../support/scratch-folder.ts';
import { startServer } from '../support/start-server.ts';
import { blocksOf } from './readme/blocks.ts';

const run = promisify(execFile);
const blocks = blocksOf(await readFile(join(ROOT, 'docs/runtimes.md'), 'utf8'));
const modules = blocks.filter(({ language }) => language === 'ts');
const textOf = (language: string): string => blocks.find((block) => block.language === language)?.text ?? '';
const calls = blocks.filter(({ output }) => output !== undefined);

describe('docs/runtimes.md', () => {
  it.each([
    ['TypeScript', 'greeter.ts', modules[0]?.text ?? '', './greeter.ts'],
    ['Python', 'greeter.py', textOf('python'), 'greeter.Greeter'],
  ])('the greeter in %s answers as is written there', async (_language, file, text, implementation) => {
    await using folder = await ScratchFolder.create();
    await folder.put(file, text);
    const settings = JSON.parse(textOf('json')) as object;
    await folder.put('model-settings.json', { ...settings, implementation });
    await using server = await startServer({ folder: folder.path, env: { MILLRACE_PYTHON: await pythonPath() } });
    expect(calls).toHaveLength(2);
    for (const { text: command, output } of calls) {
      const { stdout } = await run('bash', ['-c', command.replaceAll('localhost:8080', new URL(server.restUrl).host)]);
      expect(`${stdout.trim()}\n`).toBe(`${output?.trim()}\n`);
    }
  });

  it('its modules fit the types', async () => {
    await using folder = await ScratchFolder.create();
    for (const [at, { text }] of modules.entries()) await folder.put(`module-${at}.ts`, text);
    await folder.put('package.json', { type: 'module' });
    await folder.put('tsconfig.json', {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        typeRoots: [join(ROOT, 'node_modules/@types')],
        paths: { millrace: [join(ROOT, 'src/index.ts')] },
      },
      include: ['*.ts'],
    });
    const compiled = run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder.path]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
    expect(await compiled).toBe('');
  });
});
