import { MillraceError } from '../../base/errors.ts';
import type { ValidatedGraph } from '../../graph/index.ts';
import { Uint64, type ParameterValue, type Parameters } from '../../tensor/parameters.ts';

/**
 * The side packets of a session, which its first request's parameters have fixed. A later request may repeat them; OVMS
 * ignores another value without notice (sheet §1.4).
 */
export class FixedSidePackets {
  readonly #names: readonly string[];
  readonly #first: Parameters;

  constructor({ inputSidePackets }: ValidatedGraph, first: Parameters = {}) {
    this.#names = inputSidePackets.map(({ name }) => name);
    this.#first = first;
  }

  /** @throws MillraceError SIDE_PACKET_CHANGED where a parameter gives a declared side packet another value */
  check(parameters: Parameters | undefined): void {
    if (parameters === undefined) return;
    for (const name of this.#names) {
      const given = parameters[name];
      if (given === undefined || plain(given) === plain(this.#first[name])) continue;
      throw new MillraceError(
        'SIDE_PACKET_CHANGED',
        `side packet "${name}" is fixed by the first request: ${shown(this.#first[name])} given there, ${shown(given)} here`,
        { details: { parameter: name, expected: shown(this.#first[name]), actual: shown(given) } },
      );
    }
  }
}

function plain(value: ParameterValue | undefined): unknown {
  return value instanceof Uint64 ? value.value : value;
}

function shown(value: ParameterValue | undefined): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? JSON.stringify(value) : String(plain(value));
}
