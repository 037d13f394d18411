import { kindOf } from './output-stream.ts';
import { GraphError } from './graph-error.ts';
import type { ValidatedGraph } from './validated-graph.ts';

/** The side packets of one run: those given at the start, and those that nodes make. */
export class SidePacketStore {
  readonly #graph: ValidatedGraph;
  readonly #values = new Map<string, unknown>();

  constructor(graph: ValidatedGraph) {
    this.#graph = graph;
  }

  /** Takes what the graph asks for and leaves the rest; throws when something required is missing or has a wrong type. */
  give(values: ReadonlyMap<string, unknown>): void {
    const problems: string[] = [];
    for (const { name, type, optional } of this.#graph.inputSidePackets) {
      const value = values.get(name);
      if (value === undefined) {
        if (!optional) problems.push(`Side packet "${name}" is required but was not provided.`);
      } else if (!type.accepts(value)) {
        problems.push(
          `Side packet "${name}" failed to validate: The Packet stores "${kindOf(value)}", but "${type.name}" was requested.`,
        );
      }
    }
    if (problems.length > 0) throw new GraphError('INVALID_ARGUMENT', problems.join('\n'));
    for (const { name } of this.#graph.inputSidePackets) {
      if (values.has(name)) this.#values.set(name, values.get(name));
    }
  }

  get(name: string): unknown {
    return this.#values.get(name);
  }

  set(name: string, value: unknown): void {
    if (this.#values.has(name)) throw new GraphError('ALREADY_EXISTS', `Output side packet "${name}" was already set.`);
    this.#values.set(name, value);
  }

  /** One that a node makes; those that were given are not among them, as in MediaPipe. */
  read(name: string): unknown {
    const isMade = this.#graph.nodes.some(({ sideOutputs }) => sideOutputs.some((side) => side.name === name));
    if (isMade && this.#values.has(name)) return this.#values.get(name);
    throw isMade
      ? new GraphError('UNAVAILABLE', `The output side packet "${name}" is unavailable.`)
      : new GraphError('NOT_FOUND', `The output side packet "${name}" does not exist.`);
  }
}
