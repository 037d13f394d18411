import type { CalculatorDefinition } from './calculator.ts';
import type { GraphConfig } from './graph-config.ts';
import { GraphError } from './graph-error.ts';
import { dotted, meanings } from './qualified-names.ts';
import type { StatusHandlerDefinition } from './status-handler.ts';
import { subgraphOf, type NodeDefinition, type SubgraphDefinition } from './subgraph.ts';

/** The calculators and subgraphs that graph files may name. Immutable. */
export class CalculatorRegistry {
  readonly #calculators = new Map<string, CalculatorDefinition>();
  readonly #subgraphs = new Map<string, SubgraphDefinition>();
  readonly #statusHandlers: ReadonlyMap<string, StatusHandlerDefinition>;
  /** Names of calculators and subgraphs, by their dotted form. */
  readonly #names = new Map<string, string>();
  #optionTypes: ReadonlySet<string> | undefined;

  /** Refuses two definitions of one name. */
  constructor(definitions: readonly NodeDefinition[], statusHandlers: readonly StatusHandlerDefinition[] = []) {
    this.#statusHandlers = new Map(statusHandlers.map((handler) => [dotted(handler.name), handler]));
    const twice = statusHandlers.find((handler) => this.#statusHandlers.get(dotted(handler.name)) !== handler);
    if (twice !== undefined) throw new GraphError('ALREADY_EXISTS', `two status handlers are named "${twice.name}"`);
    for (const definition of definitions) {
      const { name } = definition;
      if (name === '') throw new GraphError('INVALID_ARGUMENT', 'a subgraph needs a "type" to be called by');
      if (this.#names.has(dotted(name))) {
        throw new GraphError('ALREADY_EXISTS', `two calculators or subgraphs are named "${name}"`);
      }
      this.#names.set(dotted(name), name);
      if ('expand' in definition) this.#subgraphs.set(name, definition);
      else this.#calculators.set(name, definition);
    }
  }

  has(name: string): boolean {
    return this.#calculators.has(name) || this.#subgraphs.has(name);
  }

  /** The full name of what a node of a graph of `packageName` calls `name`. */
  fullName(name: string, packageName: string): string | undefined {
    for (const meaning of meanings(name, packageName)) {
      const known = this.#names.get(meaning);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  get(name: string): CalculatorDefinition | undefined {
    return this.#calculators.get(name);
  }

  subgraph(name: string): SubgraphDefinition | undefined {
    return this.#subgraphs.get(name);
  }

  /** What a graph of `packageName` calls `name`. */
  statusHandler(name: string, packageName = ''): StatusHandlerDefinition | undefined {
    const found = meanings(name, packageName).find((meaning) => this.#statusHandlers.has(meaning));
    return found === undefined ? undefined : this.#statusHandlers.get(found);
  }

  statusHandlerNames(): string[] {
    return Array.from(this.#statusHandlers.values(), ({ name }) => name);
  }

  /** Types of options that calculators have, as far as they say. */
  get optionTypes(): ReadonlySet<string> {
    this.#optionTypes ??= new Set([...this.#calculators.values()].flatMap(({ optionTypes }) => optionTypes ?? []));
    return this.#optionTypes;
  }

  /** Every name that a node may have as its calculator. */
  names(): string[] {
    return [...this.#calculators.keys(), ...this.#subgraphs.keys()];
  }

  /** A registry that also knows these graphs, each under its `type`. */
  withSubgraph(...subgraphs: readonly GraphConfig[]): CalculatorRegistry {
    return new CalculatorRegistry(
      [...this.#definitions(), ...subgraphs.map(subgraphOf)],
      [...this.#statusHandlers.values()],
    );
  }

  /** A registry that also knows these calculators. */
  withCalculators(...definitions: readonly CalculatorDefinition[]): CalculatorRegistry {
    return new CalculatorRegistry([...this.#definitions(), ...definitions], [...this.#statusHandlers.values()]);
  }

  #definitions(): NodeDefinition[] {
    return [...this.#calculators.values(), ...this.#subgraphs.values()];
  }
}
