import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';

/** What may only be loaded in a host: it blocks its process, or can bring it down. */
const HOST_ONLY = ['onnxruntime-node', 'sharp', 'esbuild'];
const IMPORT = /^(?:import|export)(?! type)[^'"]*?from '([^']+)'|^import '([^']+)'/gm;

const TEXT_READER = ['src/graph/text-format.ts', 'src/graph/graph-error.ts'];

/** Files and packages that are loaded with `file`, by its static imports. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, from, bare] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    const target = from ?? bare ?? '';
    if (target.startsWith('.')) loadedWith(join(dirname(file), target), seen);
    else seen.add(target);
  }
  return seen;
}

it('the front loads no host, no backend and no native media library', () => {
  const loaded = [...loadedWith(join(ROOT, 'src/cli/main.ts')), ...loadedWith(join(ROOT, 'src/app/server.ts'))];
  const files = loaded.map((file) => relative(ROOT, file));
  expect(files).toContain('src/serving/front-data-plane.ts');
  expect(loaded.filter((name) => HOST_ONLY.includes(name))).toEqual([]);
  const hostOnly = files.filter((file) => /^src\/(host|calculators|graph|runtime\/onnx)\//.test(file));
  // Of the engine only its reader of protobuf text, for config.pbtxt.
  expect(hostOnly.filter((file) => !TEXT_READER.includes(file))).toEqual([]);
});
