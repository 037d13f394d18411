import type { CalculatorDefinition } from './calculator.ts';
import type { GraphConfig } from './graph-config.ts';
import { GraphError } from './graph-error.ts';

/** The calculators and subgraphs that graph files may name. Immutable. */
export class CalculatorRegistry {
  readonly #calculators = new Map<string, CalculatorDefinition>();
  readonly #subgraphs = new Map<string, GraphConfig>();

  /** Refuses two definitions of one name. */
  constructor(definitions: readonly CalculatorDefinition[], subgraphs: readonly GraphConfig[] = []) {
    for (const definition of definitions) {
      this.#refuseTaken(definition.name);
      this.#calculators.set(definition.name, definition);
    }
    for (const subgraph of subgraphs) {
      if (subgraph.type === '') throw new GraphError('INVALID_ARGUMENT', 'a subgraph needs a "type" to be called by');
      this.#refuseTaken(subgraph.type);
      this.#subgraphs.set(subgraph.type, subgraph);
    }
  }

  has(name: string): boolean {
    return this.#calculators.has(name) || this.#subgraphs.has(name);
  }

  get(name: string): CalculatorDefinition | undefined {
    return this.#calculators.get(name);
  }

  subgraph(name: string): GraphConfig | undefined {
    return this.#subgraphs.get(name);
  }

  /** Every name that a node may have as its calculator. */
  names(): string[] {
    return [...this.#calculators.keys(), ...this.#subgraphs.keys()];
  }

  /** A registry that also knows these graphs, each under its `type`. */
  withSubgraph(...subgraphs: readonly GraphConfig[]): CalculatorRegistry {
    return new CalculatorRegistry([...this.#calculators.values()], [...this.#subgraphs.values(), ...subgraphs]);
  }

  /** A registry that also knows these calculators. */
  withCalculators(...definitions: readonly CalculatorDefinition[]): CalculatorRegistry {
    return new CalculatorRegistry([...this.#calculators.values(), ...definitions], [...this.#subgraphs.values()]);
  }

  #refuseTaken(name: string): void {
    if (this.has(name)) throw new GraphError('ALREADY_EXISTS', `two calculators or subgraphs are named "${name}"`);
  }
}
