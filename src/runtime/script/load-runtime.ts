import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { MillraceError, messageOf } from '../../base/errors.ts';
import type { RuntimeDefinition } from './define-runtime.ts';

/**
 * Imports a user's module and takes a runtime from it. TypeScript files are loaded through tsx.
 * @param path absolute
 * @throws MillraceError MODEL_INVALID naming the module, the export and what is wrong with it
 */
export async function loadRuntime(path: string, exportName: string): Promise<RuntimeDefinition> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new MillraceError('MODEL_INVALID', `runtime ${path}: ${problem}`, { details: { file: path }, cause });
  };
  const module = await importModule(path).catch((error: unknown) => fail(messageOf(error), error));
  if (!(exportName in module)) {
    return fail(`no export "${exportName}"; it has ${Object.keys(module).join(', ') || 'none'}`);
  }
  const candidate = module[exportName];
  const definition: unknown = typeof candidate === 'function' ? new (candidate as new () => unknown)() : candidate;
  if (!isRuntime(definition)) {
    return fail(
      `export "${exportName}" is no runtime: an object with inputs, outputs and predict or predictStream expected`,
    );
  }
  if (definition.decoupled !== true && definition.predict === undefined) {
    return fail('it has no predict; without one it must say decoupled: true');
  }
  return definition;
}

async function importModule(path: string): Promise<Record<string, unknown>> {
  if (/\.[cm]?ts$/.test(path)) {
    const { register } = await import('tsx/esm/api');
    register();
  }
  // Node keeps every module that it has imported: the query makes an edited one another.
  const { mtimeMs, size } = await stat(path);
  return (await import(`${pathToFileURL(path).href}?${mtimeMs}-${size}`)) as Record<string, unknown>;
}

function isRuntime(candidate: unknown): candidate is RuntimeDefinition {
  if (typeof candidate !== 'object' || candidate === null) return false;
  const { inputs, outputs, predict, predictStream } = candidate as Partial<Record<string, unknown>>;
  return (
    Array.isArray(inputs) &&
    Array.isArray(outputs) &&
    (typeof predict === 'function' || typeof predictStream === 'function')
  );
}
