import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../support/paths.ts';

interface Locked {
  readonly engines?: { readonly node?: string };
}

const read = (file: string): Promise<string> => readFile(join(ROOT, file), 'utf8');
const { packages } = JSON.parse(await read('package-lock.json')) as { readonly packages: Record<string, Locked> };

/** Whether one of the ranges takes `major.minor`: `>=20.19`, `^20.1.0`, `18.*`, `20`; of a bare major, any minor. */
function takes(ranges: string, major: number, minor: number): boolean {
  return ranges.split('||').some((range) => {
    const [, operator, wantedMajor, wantedMinor = '0'] = /^\s*(>=|\^|>|)\s*v?(\d+)(?:\.(\d+))?/.exec(range) ?? [];
    if (wantedMajor === undefined) return range.trim() === '*';
    const isReached = major === Number(wantedMajor) && minor >= Number(wantedMinor);
    return isReached || (operator?.startsWith('>') === true && major > Number(wantedMajor));
  });
}

test('no package asks for a newer Node than this one does', () => {
  expect(packages['']?.engines).toEqual({ node: '>=20.19' });
  const newer = Object.entries(packages).filter(([, { engines }]) => !takes(engines?.node ?? '*', 20, 19));
  expect(newer.map(([path, { engines }]) => `${path} ${engines?.node}`)).toEqual([]);
});

test('no install script of a package runs, so nothing comes from elsewhere than the registry', async () => {
  expect((await read('.npmrc')).split('\n')).toContain('ignore-scripts=true');
});

test('no example in the published package needs what is only in the repository', async () => {
  const pack = ['pack', '--dry-run', '--json', '--offline', '--loglevel=error'];
  // Of the examples alone: to pack all of the repository takes long.
  const folder = await mkdtemp(join(tmpdir(), 'millrace-pack-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await cp(join(ROOT, 'examples'), join(folder, 'examples'), { recursive: true });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  const { stdout } = await promisify(execFile)('npm', pack, { cwd: folder });
  const [{ files }] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }];
  const examples = files.map(({ path }) => path).filter((path) => path.startsWith('examples/'));
  expect(examples).toContain('examples/script-calculator/config.json');
  const texts = await Promise.all(examples.map(read));
  expect(examples.filter((_, at) => /\b(test|src|bench|scripts)\//.test(texts[at] ?? ''))).toEqual([]);
}, 60_000);
