import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportOf } from './user-modules.ts';

// Outside the project, without a package.json: as a user's folder may be.
let folder: string;
const put = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

/** Runs `body` in a Node of its own, since the hooks are Node's: it has `load(name)`, `put(name, text)`, `newModules`. */
async function inNode(body: string): Promise<unknown> {
  const script = `
    import { writeFile } from 'node:fs/promises';
    import { join } from 'node:path';
    const { newModules } = await import(${JSON.stringify(new URL('user-modules.ts', import.meta.url).href)});
    const at = (name) => join(${JSON.stringify(folder)}, name);
    const put = (name, text) => writeFile(at(name), text);
    const load = async (name) => (await newModules()(at(name))).default;
    const result = await (async () => { ${body} })();
    process.stdout.write(JSON.stringify(result ?? null));
  `;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
  return JSON.parse(stdout) as unknown;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-modules-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a bare import of millrace works from any folder, in every kind of module', async () => {
  const names = ['module.ts', 'module.mts', 'module.js', 'module.mjs'];
  const text = `import { tensorOf } from 'millrace';\nexport default tensorOf('a', 'UINT8', [1], Uint8Array.of(7));`;
  for (const name of names) await put(name, text);
  const loaded = await inNode(`
    const names = [];
    for (const name of ${JSON.stringify(names)}) names.push([name, (await load(name)).data[0]]);
    return names;
  `);
  expect(loaded).toEqual(names.map((name) => [name, 7]));
});

test('TypeScript is taken as it is, types and all', async () => {
  await put('types.ts', 'export interface Box { readonly n: number }\nexport const three: number = 3;');
  await put(
    'module.ts',
    `import type { Tensor } from 'millrace';
     import { three, type Box } from './types.ts';
     class Boxed<T extends number> implements Box { constructor(readonly n: T) {} tensor?: Tensor }
     export default new Boxed(three).n as number;`,
  );
  expect(await inNode(`return load('module.ts');`)).toBe(3);
});

test.each([
  ['ts', './sibling.ts'],
  ['ts', './sibling'],
  ['js', './sibling.js'],
])('the next load of a .%s module sees what its siblings have become (%s)', async (extension, specifier) => {
  await put(`module.${extension}`, `import { n } from '${specifier}';\nexport default n;`);
  await put(`sibling.${extension}`, `export { n } from './far.${extension}';`);
  await put(`far.${extension}`, 'export const n = 1;');
  const seen = await inNode(`
    const first = await load('module.${extension}');
    await put('far.${extension}', 'export const n = 2;');
    return [first, await load('module.${extension}')];
  `);
  expect(seen).toEqual([1, 2]);
});

test('within one load a module is imported once; another load has its own', async () => {
  await put('shared.ts', 'export const list: number[] = [];');
  await put('a.ts', `import { list } from './shared.ts';\nexport default list;`);
  await put('b.ts', `export { list as default } from './shared.ts';`);
  const same = await inNode(`
    const modules = newModules();
    const [a, b] = [(await modules(at('a.ts'))).default, (await modules(at('b.ts'))).default];
    return [a === b, a === (await load('a.ts'))];
  `);
  expect(same).toEqual([true, false]);
});

test('CommonJS stays what it is, and is read anew as well', async () => {
  await put('module.cjs', `const { n } = require('./sibling.js');\nmodule.exports = { n, path: __filename };`);
  await put('sibling.js', `exports.n = require('node:path').basename('/a/1');`);
  const seen = await inNode(`
    const first = await load('module.cjs');
    await put('sibling.js', 'exports.n = 2;');
    return [first, await load('module.cjs')];
  `);
  const path = join(folder, 'module.cjs');
  expect(seen).toEqual([
    { n: '1', path },
    { n: 2, path },
  ]);
});

test('a fault in a module is told with its place', async () => {
  await put('module.ts', 'export default {\n  a: 1,\n  b: }\n');
  expect(await inNode(`return load('module.ts').catch((error) => error.message);`)).toMatch(/module\.ts.*:3:\d+/);
});

test('a module whose top-level await never settles is given up in time, and others load', async () => {
  await put('module.js', `export * from './never.js';`);
  await put('never.js', 'await new Promise(() => {});\nexport default 1;');
  await put('other.js', 'export default 2;');
  const seen = await inNode(`
    const modules = newModules(500);
    return [await modules(at('module.js')).catch((error) => error.message), (await modules(at('other.js'))).default];
  `);
  const text = expect.stringContaining('the module did not load within 500 ms (load_timeout_ms)') as string;
  expect(seen).toEqual([text, 2]);
});

test('an export that is not there is told with those that are', () => {
  expect(() => exportOf({ a: 1, b: 2 }, 'default')).toThrow('no export "default"; it has a, b');
});

test.each([
  ['module.js', 'export default {\n  predict() {\n};', /^line 3: /],
  ['module.cjs', 'module.exports = {\n};\nlet let = 1;', /^line 3: /],
  [
    'sibling.js',
    "import { none } from './other.js';\nexport default none;",
    /^The requested module .* export named 'none'/,
  ],
])('a fault of syntax in %s is told with its line, where it is in that file', async (name, text, expected) => {
  await put('other.js', 'export const some = 1;');
  await put(name, text);
  expect(await inNode(`return load(${JSON.stringify(name)}).catch((error) => error.message);`)).toMatch(expected);
});
