import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/base/errors.ts';

describe('docs/errors.md', () => {
  it('lists every reason with its code, and no other', () => {
    const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...text.matchAll(/^\| `([A-Z_]+)`\s*\| ([A-Z_]+)\s*\|/gm)].map(([, reason, code]) => [reason, code]);
    expect(Object.fromEntries(rows)).toEqual(REASONS);
  });
});
