import { createRequire, register } from 'node:module';
import { dirname, extname, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { settledWithin } from '../../base/settled-within.ts';
import { GENERATION } from './module-hooks.ts';
import { withLine } from './syntax-fault.ts';

/** A module's exports by name. */
export type ModuleExports = Readonly<Record<string, unknown>>;

/**
 * Imports a module of a user's.
 * @param path absolute; JavaScript or TypeScript
 * @throws whatever the module does, and an Error when it has not loaded in time
 */
export type ImportModule = (path: string) => Promise<ModuleExports>;

let hooks: Promise<void> | undefined;
let generations = 0;

/**
 * For one load of one servable: what it imports is as the files are now, their relative imports included. Within it a module
 * is imported once. TypeScript needs no build, and `import … from 'millrace'` works in every folder.
 *
 * Node keeps every module that it has imported, so each load costs the memory of its modules until the process ends.
 * @param timeoutMs for each module with all that it imports, whose top-level awaits may never settle; 0: no limit
 */
export function newModules(timeoutMs = 0): ImportModule {
  const generation = ++generations;
  const forgotten = new Set<string>();
  return async (path) => {
    await (hooks ??= registerHooks());
    const folder = dirname(path) + sep;
    if (!forgotten.has(folder)) forgetRequired(folder);
    forgotten.add(folder);
    const loading = importModule(path, generation);
    return settledWithin(loading, timeoutMs, () => {
      const cause = 'a top-level await in it, or in what it imports, has not settled';
      return new Error(`the module did not load within ${timeoutMs} ms (load_timeout_ms): ${cause}`);
    });
  };
}

async function importModule(path: string, generation: number): Promise<ModuleExports> {
  try {
    return (await import(`${pathToFileURL(path).href}?${GENERATION}=${generation}`)) as ModuleExports;
  } catch (error) {
    throw await withLine(error, path);
  }
}

/**
 * A module's export.
 * @throws Error saying what the module exports instead
 */
export function exportOf(module: ModuleExports, name: string): unknown {
  if (name in module) return module[name];
  throw new Error(`no export "${name}"; it has ${Object.keys(module).join(', ') || 'none'}`);
}

/** Once per process: Node never takes hooks back. */
async function registerHooks(): Promise<void> {
  const own = extname(import.meta.url);
  // Run from source: the hooks themselves are TypeScript.
  if (own === '.ts') (await import('tsx/esm/api')).register();
  register(new URL(`module-hooks${own}`, import.meta.url), {
    data: { packageUrl: new URL(`../../index${own}`, import.meta.url).href },
  });
}

/** CommonJS modules are kept by path, whatever the query; packages, which may be anybody's, stay. */
function forgetRequired(folder: string): void {
  const { cache } = createRequire(import.meta.url);
  for (const path of Object.keys(cache)) {
    if (path.startsWith(folder) && !path.slice(folder.length).includes(`node_modules${sep}`)) delete cache[path];
  }
}
