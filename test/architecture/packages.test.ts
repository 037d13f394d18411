import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
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
