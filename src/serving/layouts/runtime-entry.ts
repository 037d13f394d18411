import { readdir } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { MillraceError } from '../../base/errors.ts';
import type { RuntimeSpec } from '../servable-spec.ts';
import type { EntryContext } from './entry.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { RuntimeEntry } from './ovms-schema.ts';

const MODULES = ['.js', '.mjs', '.cjs', '.ts', '.mts'];
const SOURCES = [...MODULES, '.json'];

/**
 * A user's module. Its fingerprint covers the source files of its folder, since it may import them.
 * @throws MillraceError CONFIG_INVALID
 */
export async function readRuntimeEntry(entry: RuntimeEntry, context: EntryContext): Promise<RuntimeSpec> {
  const [file = '', exported] = entry.implementation.split('#');
  const module = resolve(context.folder, file);
  if (!MODULES.includes(extname(module))) {
    throw invalid(`implementation: "${file}" given, a file that ends in ${MODULES.join(', ')} expected`);
  }
  const folder = dirname(module);
  const siblings = await readdir(folder).catch(() => [] as string[]);
  if (!siblings.includes(basename(module))) throw invalid(`implementation: "${module}" does not exist`);
  const files = siblings.filter((name) => SOURCES.includes(extname(name))).map((name) => join(folder, name));
  const spec = {
    kind: 'runtime' as const,
    name: entry.name,
    version: '1',
    module,
    export: exported ?? 'default',
    parameters: entry.parameters ?? {},
    isolation: entry.isolation ?? ('own' as const),
  };
  const ordered = [module, ...files.filter((path) => path !== module).sort()];
  return { ...spec, files: ordered, fingerprint: await fingerprintOf(spec, ordered) };
}

function invalid(message: string): MillraceError {
  return new MillraceError('CONFIG_INVALID', message);
}
