import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { OPTIONS } from '../config/option.ts';
import { configDocs } from './config-docs.ts';
import { helpText } from './help.ts';

test('docs/config.md is what `npm run docs` writes', async () => {
  expect(await readFile(new URL('../../docs/config.md', import.meta.url), 'utf8')).toBe(configDocs());
});

test('help and documentation name every option with its default', () => {
  for (const { name, defaultText } of OPTIONS.values()) {
    expect(helpText()).toContain(`--${name}`);
    expect(configDocs()).toContain(name);
    if (defaultText !== undefined) expect(configDocs()).toContain(defaultText);
  }
});

test('every option and every key of the file has a description', () => {
  expect(configDocs()).not.toMatch(/\|\s+\|$/m);
});
