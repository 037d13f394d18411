/** Hooks of Node's module loader for users' modules; `user-modules.ts` registers them, and they run on a thread of Node's. */
import type { InitializeHook, LoadHook, ResolveHook } from 'node:module';
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compiler } from './compiler.ts';

/** In the query of a user's module: which load it belongs to. What it imports by a relative path gets the same. */
export const GENERATION = 'generation';

/** What a relative path may leave out, and the TypeScript file that `./x.js` means where only that is there. */
const ENDINGS = ['', '.ts', '.js', '/index.ts', '/index.js'];
/** A statement that only an ES module can have. */
const MODULE_SYNTAX = /^\s*(?:import\b\s*[\w{*'"]|export\b)/m;

let packageUrl = '';

export const initialize: InitializeHook<{ readonly packageUrl: string }> = (data) => {
  packageUrl = data.packageUrl;
};

/** `millrace` is this very package, wherever the module is, and siblings are imported anew with the module. */
export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  if (specifier === 'millrace') return { url: packageUrl, format: 'module', shortCircuit: true };
  if (generationOf(specifier) !== null) return { url: specifier, shortCircuit: true };
  const generation = context.parentURL === undefined ? null : generationOf(context.parentURL);
  if (generation === null || !/^\.{1,2}\//.test(specifier)) return nextResolve(specifier, context);
  const url = await existing(new URL(specifier, context.parentURL));
  if (url === undefined) return nextResolve(specifier, context);
  url.searchParams.set(GENERATION, generation);
  return { url: url.href, shortCircuit: true };
};

/** TypeScript needs no build, and its files, as JavaScript with imports or exports, are ES modules whatever package.json says. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const extension = generationOf(url) === null ? undefined : /\.[cm]?[jt]s$/.exec(new URL(url).pathname)?.[0];
  if (extension === undefined) return nextLoad(url, context);
  const path = fileURLToPath(url);
  const text = await readFile(path, 'utf8');
  if (extension.endsWith('ts')) {
    const options = { loader: 'ts', format: 'esm', target: 'node20', sourcemap: 'inline', sourcefile: path } as const;
    return { format: 'module', source: compiler().transformSync(text, options).code, shortCircuit: true };
  }
  const isModule = extension === '.mjs' || (extension === '.js' && MODULE_SYNTAX.test(text));
  return isModule
    ? { format: 'module', source: text, shortCircuit: true }
    : nextLoad(url, { ...context, format: 'commonjs' });
};

function generationOf(url: string): string | null {
  return url.startsWith('file:') ? new URL(url).searchParams.get(GENERATION) : null;
}

async function existing(url: URL): Promise<URL | undefined> {
  const paths = ENDINGS.map((ending) => url.pathname + ending);
  if (url.pathname.endsWith('js')) paths.push(url.pathname.replace(/js$/, 'ts'));
  for (const path of paths) {
    const candidate = new URL(path, url);
    if ((await stat(candidate).catch(() => undefined))?.isFile() === true) return candidate;
  }
  return undefined;
}
