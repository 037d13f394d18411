import { messageOf, MillraceError } from '../../base/errors.ts';
import { kindOf } from '../../tensor/tensor-fault.ts';
import type { RuntimeDefinition, RuntimeModel } from './define-runtime.ts';
import { exportOf, newModules } from './user-modules.ts';

/**
 * Imports a user's module and takes a runtime from it.
 * @param path absolute
 * @param settings given to the constructor where the export is a class
 * @throws MillraceError MODEL_INVALID naming the module, the export and what is wrong with it
 */
export async function loadRuntime(
  path: string,
  exportName: string,
  settings: RuntimeModel['settings'],
): Promise<RuntimeDefinition> {
  try {
    const candidate = exportOf(await newModules()(path), exportName);
    const definition: unknown = isClass(candidate) ? new candidate(settings) : candidate;
    const fault = runtimeFault(definition);
    if (fault !== undefined) throw new Error(`export "${exportName}" is no runtime: ${fault}`);
    return definition as RuntimeDefinition;
  } catch (error) {
    const problem = `runtime ${path}: ${messageOf(error)}`;
    throw new MillraceError('MODEL_INVALID', problem, { details: { file: path }, cause: error });
  }
}

function isClass(candidate: unknown): candidate is new (settings: RuntimeModel['settings']) => unknown {
  return typeof candidate === 'function' && candidate.prototype !== undefined;
}

function runtimeFault(candidate: unknown): string | undefined {
  if (typeof candidate !== 'object' || candidate === null) {
    return `${kindOf(candidate)} found, a class or an object with predict or predictStream expected`;
  }
  const members = candidate as Partial<Record<string, unknown>>;
  for (const list of ['inputs', 'outputs', 'routes']) {
    if (members[list] !== undefined && !Array.isArray(members[list])) {
      return `${list}: ${kindOf(members[list])} found, an array expected`;
    }
  }
  for (const method of ['load', 'predict', 'predictStream', 'metadata', 'unload']) {
    if (members[method] !== undefined && typeof members[method] !== 'function') {
      return `${method}: ${kindOf(members[method])} found, a function expected`;
    }
  }
  if (members['predict'] !== undefined || members['predictStream'] !== undefined) return undefined;
  return 'it has neither predict nor predictStream';
}
