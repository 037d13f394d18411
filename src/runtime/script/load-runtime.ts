import { messageOf, MillraceError } from '../../base/errors.ts';
import type { RuntimeDefinition } from './define-runtime.ts';
import { exportOf, newModules } from './user-modules.ts';

/**
 * Imports a user's module and takes a runtime from it.
 * @param path absolute
 * @throws MillraceError MODEL_INVALID naming the module, the export and what is wrong with it
 */
export async function loadRuntime(path: string, exportName: string): Promise<RuntimeDefinition> {
  try {
    const candidate = exportOf(await newModules()(path), exportName);
    const definition: unknown = typeof candidate === 'function' ? new (candidate as new () => unknown)() : candidate;
    if (!isRuntime(definition)) {
      throw new Error(
        `export "${exportName}" is no runtime: an object with inputs, outputs and predict or predictStream expected`,
      );
    }
    if (definition.decoupled !== true && definition.predict === undefined) {
      throw new Error('it has no predict; without one it must say decoupled: true');
    }
    return definition;
  } catch (error) {
    const problem = `runtime ${path}: ${messageOf(error)}`;
    throw new MillraceError('MODEL_INVALID', problem, { details: { file: path }, cause: error });
  }
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
