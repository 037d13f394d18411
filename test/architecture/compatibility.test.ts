import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';

/** All that names a conformance test: the test files, and the tables of stream cases. */
function testTexts(): string {
  const folder = join(ROOT, 'test/conformance');
  const files = readdirSync(folder).filter((file) => file.endsWith('.test.ts'));
  return [...files, 'ovms/stream-cases.json', 'ovms/script-cases.json'].map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
}

describe('docs/compatibility.md', () => {
  const text = readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8');
  const rows = text
    .split('\n')
    .filter((line) => /\| (same|better|n\/a)\s*\|/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()));

  it('has a row for each of OVMS’s forty stream tests', () => {
    const numbers = rows.flatMap(([, number]) => (/^\d+$/.test(number ?? '') ? [Number(number)] : []));
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
  });

  it('names a test for each row that says "same" or "better", and a reason for all others', () => {
    const texts = testTexts();
    const missing = rows.flatMap((cells) => {
      const [verdict, how = '', test = ''] = cells.slice(-4);
      const name = /^`(.+)`$/.exec(test)?.[1];
      if (verdict === 'n/a') return how === '' ? [cells.join('|')] : [];
      return name !== undefined && texts.includes(name) ? [] : [cells.join('|')];
    });
    expect(missing).toEqual([]);
  });
});
