import { createRequire } from 'node:module';

let esbuild: typeof import('esbuild') | undefined;

/** esbuild, loaded when it is needed first; its synchronous functions only. */
export function compiler(): typeof import('esbuild') {
  if (esbuild !== undefined) return esbuild;
  // While it loads it reads this; else it keeps a process of its own at work beside this one.
  process.env['ESBUILD_WORKER_THREADS'] = '0';
  const require = createRequire(import.meta.url);
  esbuild = require('esbuild') as typeof import('esbuild');
  delete process.env['ESBUILD_WORKER_THREADS'];
  return esbuild;
}
