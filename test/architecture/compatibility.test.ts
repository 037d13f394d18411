import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';

/** The files under a folder whose names end so. */
function filesUnder(folder: string, ...endings: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => endings.some((ending) => file.endsWith(ending)))
    .map((file) => join(ROOT, folder, file));
}

/** All that names a test: test files, the tables of stream cases, exchanges with Triton, and checks in Python, which are shown with spaces. */
function testTexts(): string {
  const inTypeScript = [...filesUnder('test', '.test.ts', '-cases.json'), ...filesUnder('src', '.test.ts')];
  const exchanges = ['requests.ts', 'control-requests.ts'].map((file) => join(ROOT, 'test/conformance/triton', file));
  const inPython = filesUnder('test/conformance', '.py').map((file) => readFileSync(file, 'utf8').replaceAll('_', ' '));
  return [...[...inTypeScript, ...exchanges].map((file) => readFileSync(file, 'utf8')), ...inPython]
    .join('\n')
    .replaceAll("\\'", "'");
}

/** Numbers of the rows that begin with `prefix`. */
function numbersOf(rows: readonly (readonly string[])[], prefix: string): number[] {
  return rows.flatMap(([, number = '']) =>
    /^[TR]?\d+$/.test(number) && number.replace(/\d/g, '') === prefix ? [Number(number.slice(prefix.length))] : [],
  );
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe('docs/compatibility.md', () => {
  const text = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => /\| (same|better|n\/a)\s*\|/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));

  it('has a row for each of OVMS’s forty stream tests', () => {
    expect(numbersOf(rows, '')).toEqual(upTo(40));
  });

  it('has a row for each of the eighty behaviours of Triton’s suites', () => {
    expect(numbersOf(rows, 'T')).toEqual(upTo(80));
  });

  it('has a row for each of the twenty-two lines of Roboflow’s own tests', () => {
    expect([...new Set(numbersOf(rows, 'R'))]).toEqual(upTo(22));
  });

  it('names a test, or several, for each row that says "same" or "better", and a reason for all others', () => {
    const texts = testTexts();
    const missing = rows.flatMap((cells) => {
      const [verdict, how = '', test = ''] = cells.slice(-4);
      const names = /^`(.+)`$/.exec(test)?.[1]?.split('`, `') ?? [];
      if (verdict === 'n/a') return how === '' ? [cells.join('|')] : [];
      return names.length > 0 && names.every((name) => texts.includes(name)) ? [] : [cells.join('|')];
    });
    expect(missing).toEqual([]);
  });
});
