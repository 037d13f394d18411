import { messageOf, MillraceError } from '../../base/errors.ts';
import type { CalculatorDefinition } from '../../graph/index.ts';
import type { ImportModule } from '../../runtime/script/user-modules.ts';

/**
 * The calculators that users' modules export, whatever the names of the exports.
 * @param paths absolute
 * @throws MillraceError GRAPH_INVALID naming the module
 */
export async function loadUserCalculators(
  paths: readonly string[],
  importModule: ImportModule,
): Promise<CalculatorDefinition[]> {
  const calculators = new Set<CalculatorDefinition>();
  for (const path of paths) {
    try {
      const found = Object.values(await importModule(path)).filter(isCalculator);
      if (found.length === 0) throw new Error('it exports no calculator; defineCalculator makes one');
      for (const calculator of found) calculators.add(calculator);
    } catch (error) {
      const problem = `calculators: ${path}: ${messageOf(error)}`;
      throw new MillraceError('GRAPH_INVALID', problem, { details: { file: path }, cause: error });
    }
  }
  return [...calculators];
}

/** By what `defineCalculator` gives: a user's module may have its own copy of it. */
function isCalculator(value: unknown): value is CalculatorDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { name, options, inputs, outputs, open } = value as Partial<Record<keyof CalculatorDefinition, unknown>>;
  return (
    typeof name === 'string' &&
    typeof open === 'function' &&
    [options, inputs, outputs].every((part) => typeof part === 'object' && part !== null)
  );
}
