import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/**
 * What each folder of `src/` may import besides itself: folders, or single files of one that is otherwise closed. An order
 * of layers, in which nobody imports upwards. Types count: what a layer does not know it should not name either.
 */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  tensor: ['base'],
  codecs: ['base', 'tensor'],
  graph: ['base'],
  ipc: ['base', 'tensor'],
  'shared-memory': ['base', 'tensor'],
  runtime: ['base', 'tensor', 'ipc'],
  media: ['base', 'tensor'],
  calculators: ['base', 'tensor', 'graph', 'runtime', 'media'],
  // What a pipeline is, in words that front and hosts share.
  'pipelines/common': ['base', 'media'],
  host: ['base', 'tensor', 'graph', 'ipc', 'shared-memory', 'runtime', 'media', 'calculators', 'pipelines/common'],
  'graph-tools': ['base', 'tensor', 'graph', 'runtime', 'media', 'calculators', 'host', 'protocol/wire'],
  serving: ['base', 'tensor', 'graph', 'ipc', 'shared-memory'],
  pipelines: ['base', 'tensor', 'media', 'ipc', 'serving', 'pipelines/common'],
  security: ['base'],
  'protocol/wire': ['base', 'tensor'],
  'protocol/grpc': ['base', 'tensor', 'shared-memory', 'serving', 'pipelines', 'security', 'protocol/wire'],
  'protocol/manager': ['base', 'media', 'pipelines', 'security'],
  'protocol/rest': [
    'base',
    'media',
    'tensor',
    'shared-memory',
    'serving',
    'pipelines',
    'pipelines/common',
    'security',
    'protocol/wire',
  ],
  observability: ['base'],
  config: ['base'],
  app: [
    'base',
    'tensor',
    'shared-memory',
    'graph',
    'ipc',
    'runtime',
    'media',
    'calculators',
    'host',
    'serving',
    'pipelines',
    'pipelines/common',
    'security',
    'protocol/wire',
    'protocol/grpc',
    'protocol/rest',
    'protocol/manager',
    'observability',
    'config',
  ],
  client: ['base', 'tensor', 'protocol/wire'],
  'stream-client': ['base', 'tensor', 'client', 'media'],
  perf: ['base', 'tensor', 'client'],
  cli: [
    'base',
    'tensor',
    'config',
    'security',
    'app',
    'protocol/wire',
    'client',
    'stream-client',
    'perf',
    'graph',
    'calculators',
    'media',
    'graph-tools',
  ],
};

/** Single imports that the table does not allow, each with its reason. */
const ALLOWANCES: readonly { readonly from: string; readonly to: string; readonly why: string }[] = [
  { from: 'cli/', to: 'serving/layouts/', why: 'the command line says which layout is read' },
  { from: 'cli/', to: 'serving/servable-spec.ts', why: 'what a layout yields' },
  { from: 'cli/main.ts', to: 'observability/logger.ts', why: 'the log starts before the server' },
  { from: 'host/main.ts', to: 'observability/logger.ts', why: "a process's entry is a composition root of its own" },
  {
    from: 'cli/client/',
    to: 'runtime/script/user-modules.ts',
    why: 'callbacks of `millrace client` load as users’ code does',
  },
  { from: 'serving/', to: 'pipelines/common/detector-info.ts', why: 'what a layout knows of a detector, a type' },
  { from: 'serving/', to: 'runtime/model-session.ts', why: 'the names of execution providers, a type' },
  { from: 'serving/model-scheduling.ts', to: 'runtime/batching/batching-options.ts', why: 'what a spec asks, a type' },
  { from: 'serving/model-scheduling.ts', to: 'runtime/sequences/sequence-options.ts', why: 'what a spec asks, a type' },
];

const src = resolve(import.meta.dirname, '../../src');

interface Import {
  /** Paths relative to `src/`, with forward slashes. */
  readonly file: string;
  readonly target: string;
}

/** Every relative import of a file: static, of types, re-exports and `import()`. */
function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const specifiers = code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
  return [...specifiers].map(([, specifier = '']) => ({
    file,
    target: relative(src, resolve(src, dirname(file), specifier)),
  }));
}

function layerOf(file: string): string | undefined {
  return Object.keys(LAYERS)
    .filter((layer) => file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Why an import breaks the rules; undefined if it does not. */
function violation({ file, target }: Import): string | undefined {
  const from = layerOf(file);
  const to = layerOf(target);
  if (target.startsWith('..')) return `${file} imports ${target}, which is outside src/`;
  // The public names, which a package's users import, come from any layer.
  if (file === 'index.ts') return undefined;
  if (from === undefined) return `${file} is in no layer; add its folder to the table`;
  if (from === to || (to !== undefined && LAYERS[from]?.includes(to))) return undefined;
  if (ALLOWANCES.some((allowance) => file.startsWith(allowance.from) && target.startsWith(allowance.to)))
    return undefined;
  return `${file} imports ${target}: ${from}/ may import ${LAYERS[from]?.join(', ') || 'nothing'} only`;
}

/** Tests may look wherever they like. */
function sourceFiles(): string[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.includes('/generated/'));
}

const imports = sourceFiles().flatMap((file) => importsOf(file, readFileSync(join(src, file), 'utf8')));

test('every import follows the table of layers', () => {
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.map(violation).filter((text) => text !== undefined)).toEqual([]);
});

test('every allowance is needed', () => {
  const unused = ALLOWANCES.filter(
    ({ from, to }) => !imports.some(({ file, target }) => file.startsWith(from) && target.startsWith(to)),
  );
  expect(unused).toEqual([]);
});

test('imports are found in all their forms, and a wrong one is named with its rule', () => {
  const text = `
    import { a } from '../base/a.ts';
    import type { B } from "../calculators/b.ts";
    export * from './c.ts';
    import '../host/d.ts';
    // import { no } from '../app/no.ts';
    const e = await import('../runtime/e.ts');
    import {
      f,
    } from '../tensor/f.ts';
    import { readFile } from 'node:fs/promises';
  `;
  const found = importsOf('graph/x.ts', text);
  expect(found.map(({ target }) => target)).toEqual([
    'base/a.ts',
    'calculators/b.ts',
    'graph/c.ts',
    'host/d.ts',
    'runtime/e.ts',
    'tensor/f.ts',
  ]);
  expect(found.map(violation).filter((rule) => rule !== undefined)).toEqual([
    'graph/x.ts imports calculators/b.ts: graph/ may import base only',
    'graph/x.ts imports host/d.ts: graph/ may import base only',
    'graph/x.ts imports runtime/e.ts: graph/ may import base only',
    'graph/x.ts imports tensor/f.ts: graph/ may import base only',
  ]);
});
