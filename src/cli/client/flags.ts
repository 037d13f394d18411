import { parseArgs } from 'node:util';
import { didYouMean } from '../../base/nearest.ts';
import { UsageError } from '../usage-error.ts';

/** A flag of a client command; parsing and help both come from it. */
export interface Flag {
  /** One letter. */
  readonly short?: string;
  /** What its value is; left out: it has none. */
  readonly value?: string;
  readonly isRepeatable?: boolean;
  /** Shown in the help, and what `text` gives. */
  readonly default?: string;
  readonly description: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** The flags and words of a command line. */
export class Given<Table extends Flags> {
  readonly words: readonly string[];
  readonly #command: string;
  readonly #flags: Table;
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(command: string, flags: Table, words: readonly string[], values: ReadonlyMap<string, readonly string[]>) {
    this.#command = command;
    this.#flags = flags;
    this.words = words;
    this.#values = values;
  }

  has(name: keyof Table & string): boolean {
    return this.#values.has(name);
  }

  all(name: keyof Table & string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Its last value, else its default. */
  text(name: keyof Table & string): string | undefined {
    return this.#values.get(name)?.at(-1) ?? this.#flags[name]?.default;
  }

  oneOf<Choice extends string>(name: keyof Table & string, choices: readonly Choice[]): Choice {
    const given = this.text(name);
    const choice = choices.find((candidate) => candidate === given);
    if (choice === undefined) throw this.usage(`--${name}: ${given} given, ${choices.join(' or ')} expected`);
    return choice;
  }

  /** A number of at least `least`. */
  number(name: keyof Table & string, least = 0): number | undefined {
    const given = this.text(name);
    if (given === undefined) return undefined;
    const value = given.trim() === '' ? NaN : Number(given);
    if (!(value >= least)) throw this.usage(`--${name}: ${given} given, a number of ${least} or more expected`);
    return value;
  }

  usage(message: string): UsageError {
    return new UsageError(message, `millrace ${this.#command} --help`);
  }
}

/**
 * Dashes and underscores in flags are the same.
 * @returns undefined where help was asked for
 * @throws UsageError
 */
export function parseFlags<Table extends Flags>(
  command: string,
  flags: Table,
  args: readonly string[],
): Given<Table> | undefined {
  const { tokens } = parseArgs({
    args: args.map((arg) => arg.replace(/^--[^=]+/, (flag) => `--${flag.slice(2).replaceAll('-', '_')}`)),
    options: {
      ...Object.fromEntries(
        Object.entries(flags).map(([name, { short, value }]) => [
          name,
          {
            type: value === undefined ? ('boolean' as const) : ('string' as const),
            ...(short !== undefined && { short }),
          },
        ]),
      ),
      help: { type: 'boolean', short: 'h' },
    },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const values = new Map<string, string[]>();
  const given = new Given(command, flags, words, values);
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    if (name === 'help') return undefined;
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      const known = [...Object.keys(flags), 'help'].map((each) => `--${each}`);
      throw given.usage(`unknown flag ${rawName} of ${command}${didYouMean(rawName, known)}`);
    }
    if (flag.value !== undefined && value === undefined)
      throw given.usage(`${rawName}: a value is missing, ${flag.value} expected`);
    const before = values.get(name) ?? [];
    values.set(name, [...before, value ?? 'true']);
  }
  return given;
}

const COLUMN = 34;

export function helpOf(head: string, flags: Flags): string {
  const lines = Object.entries(flags).map(([name, { short, value, isRepeatable, default: given, description }]) => {
    const left = `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
    const notes = `${isRepeatable === true ? ' May be repeated.' : ''}${given === undefined ? '' : ` Default: ${given}.`}`;
    return `  ${left.padEnd(COLUMN)} ${description}${notes}`;
  });
  return `${head}\n\n${lines.join('\n')}\n`;
}
