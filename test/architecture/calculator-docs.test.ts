import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { calculatorDocs } from '../../scripts/calculator-docs.ts';
import { builtinCalculators } from '../../src/calculators/index.ts';

it('docs/calculators.md is what `npm run docs` writes, and names every calculator', () => {
  const text = readFileSync(new URL('../../docs/calculators.md', import.meta.url), 'utf8');
  expect(text).toBe(calculatorDocs());
  expect(builtinCalculators.length).toBeGreaterThan(0);
});
