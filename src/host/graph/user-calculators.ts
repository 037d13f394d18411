import { messageOf, MillraceError } from '../../base/errors.ts';
import type { CalculatorDefinition, StatusHandlerDefinition } from '../../graph/index.ts';
import type { ImportModule } from '../../runtime/script/user-modules.ts';

/** What users' modules add to the names that graph files may use. */
export interface UserCalculators {
  readonly calculators: readonly CalculatorDefinition[];
  readonly statusHandlers: readonly StatusHandlerDefinition[];
}

/**
 * The calculators and status handlers that users' modules export, whatever the names of the exports.
 * @param paths absolute
 * @throws MillraceError GRAPH_INVALID naming the module
 */
export async function loadUserCalculators(
  paths: readonly string[],
  importModule: ImportModule,
): Promise<UserCalculators> {
  const calculators = new Set<CalculatorDefinition>();
  const statusHandlers = new Set<StatusHandlerDefinition>();
  for (const path of paths) {
    try {
      const exported = Object.values(await importModule(path));
      const [found, handlers] = [exported.filter(isCalculator), exported.filter(isStatusHandler)];
      if (found.length + handlers.length === 0) {
        throw new Error('it exports no calculator; defineCalculator makes one, defineStatusHandler a status handler');
      }
      for (const calculator of found) calculators.add(calculator);
      for (const handler of handlers) statusHandlers.add(handler);
    } catch (error) {
      const problem = `calculators: ${path}: ${messageOf(error)}`;
      throw new MillraceError('GRAPH_INVALID', problem, { details: { file: path }, cause: error });
    }
  }
  return { calculators: [...calculators], statusHandlers: [...statusHandlers] };
}

/** By what `defineCalculator` gives: a user's module may have its own copy of it. */
function isCalculator(value: unknown): value is CalculatorDefinition {
  if (!isNamed(value)) return false;
  const { options, inputs, outputs, open } = value as Partial<Record<keyof CalculatorDefinition, unknown>>;
  return typeof open === 'function' && [options, inputs, outputs].every(isObject);
}

/** By what `defineStatusHandler` gives. */
function isStatusHandler(value: unknown): value is StatusHandlerDefinition {
  if (!isNamed(value) || !('beforeRun' in value) || !('afterRun' in value)) return false;
  const { options, inputSidePackets } = value as Partial<Record<keyof StatusHandlerDefinition, unknown>>;
  return [options, inputSidePackets].every(isObject);
}

function isNamed(value: unknown): value is { readonly name: string } {
  return isObject(value) && 'name' in value && typeof value.name === 'string';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
