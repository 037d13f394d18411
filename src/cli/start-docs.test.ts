import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { mlserverDocs } from './start-docs.ts';

test('docs/mlserver.md is what `npm run docs` writes', async () => {
  expect(await readFile(new URL('../../docs/mlserver.md', import.meta.url), 'utf8')).toBe(mlserverDocs());
});

test('every field has a variable, a default and a meaning', () => {
  const rows = mlserverDocs()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.length).toBeGreaterThan(50);
  for (const row of rows) expect(row).not.toMatch(/\|\s+\|/);
  expect(mlserverDocs()).toContain('| `http_port` | `MLSERVER_HTTP_PORT` | 8080 |');
  expect(mlserverDocs()).toContain('| `uri` | `MLSERVER_MODEL_URI` |');
});
