import type { CalculatorContext } from '../../graph/index.ts';

/** The name under which runs of graphs find the {@link DropCounter}, where somebody counts. */
export const DROP_SERVICE = 'drops';

/** Told of packets that a calculator has dropped so that the rest of its graph keeps up. */
export type DropCounter = (packets: number) => void;

/** Whoever counts drops in this run, or nobody. */
export function dropCounter({ hasService, service }: Pick<CalculatorContext, 'hasService' | 'service'>): DropCounter {
  return hasService(DROP_SERVICE) ? service<DropCounter>(DROP_SERVICE) : () => {};
}
