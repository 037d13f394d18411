import { messageOf } from '../../base/errors.ts';
import { checkGraph } from '../../graph-tools/check.ts';
import { registryWith } from '../../graph-tools/services.ts';
import type { ServableSpec } from '../../serving/servable-spec.ts';

export interface GraphFault {
  readonly name: string;
  readonly reason: string;
}

/** What keeps graphs of a configuration from loading: every fault of their files, and modules that cannot be loaded. */
export async function graphFaults(specs: readonly ServableSpec[]): Promise<GraphFault[]> {
  const found: GraphFault[] = [];
  for (const spec of specs) {
    if (spec.kind !== 'graph') continue;
    const { name, graphPath, calculators } = spec;
    try {
      const { faults } = await checkGraph(graphPath, await registryWith(calculators));
      found.push(...faults.map(({ message }) => ({ name, reason: message })));
    } catch (error) {
      found.push({ name, reason: messageOf(error) });
    }
  }
  return found;
}
