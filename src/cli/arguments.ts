import { parseArgs } from 'node:util';
import { didYouMean } from '../base/nearest.ts';
import { OPTIONS } from '../config/option.ts';
import { FOREIGN_FLAGS } from './foreign-flags.ts';
import { UsageError } from './usage-error.ts';

type Command = 'serve' | 'start' | 'config explain' | 'help' | 'version';

export interface Arguments {
  readonly command: Command;
  /** Of MLServer's layout: `millrace start DIR`, `millrace config explain DIR`. */
  readonly folder: string | undefined;
  /** Help was asked for: of this command. */
  readonly topic: Command | undefined;
  /** Texts as typed, by option; a boolean flag alone is "true". */
  readonly flags: Readonly<Record<string, string>>;
}

const COMMANDS: readonly Command[] = ['serve', 'start', 'config explain', 'version'];

/** With those that have arguments of their own. */
const ALL_COMMANDS: readonly string[] = [
  ...COMMANDS,
  'help',
  'graph',
  'trace',
  'client',
  'infer',
  'models',
  'perf',
  'pipelines',
  'token',
];

/** Commands that a folder may follow. */
const WITH_FOLDER: readonly Command[] = ['start', 'config explain'];

/**
 * `millrace [command] [--option value | --option=value]`; dashes and underscores in flags are the same.
 * @throws UsageError
 */
export function parseArguments(args: readonly string[]): Arguments {
  const { tokens } = parseArgs({
    args: args.map(withUnderscores),
    options: flagTypes(),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const flags: Record<string, string> = {};
  let asked: Command | undefined;
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    else if (token.kind === 'option') {
      if (token.name === 'help' || token.name === 'version') asked ??= token.name;
      else flags[token.name] = joined(flags, token.name, flagValue(token.name, token.value));
    }
  }
  if (asked === undefined) return { ...commandOf(words), flags, topic: undefined };
  return { command: asked, folder: undefined, flags, topic: words[0] === 'start' ? 'start' : undefined };
}

/** A list's flag may be given several times; of any other the last one counts. */
function joined(flags: Readonly<Record<string, string>>, name: string, value: string): string {
  const before = flags[name];
  const isList = [...OPTIONS.values()].some((option) => option.name === name && option.type === 'array');
  return isList && before !== undefined ? `${before},${value}` : value;
}

function withUnderscores(argument: string): string {
  return argument.replace(/^--([^=]+)/, (_, name: string) => `--${name.replaceAll('-', '_')}`);
}

function flagTypes(): Record<string, { type: 'string' | 'boolean'; short?: string }> {
  const types = [...OPTIONS.values()].map(
    ({ name, type }) => [name, { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) }] as const,
  );
  return { ...Object.fromEntries(types), help: { type: 'boolean', short: 'h' }, version: { type: 'boolean' } };
}

function flagValue(name: string, value: string | undefined): string {
  const foreign = Object.hasOwn(FOREIGN_FLAGS, name) ? FOREIGN_FLAGS[name] : undefined;
  if (foreign !== undefined) throw new UsageError(`--${name} is not supported: ${foreign}`);
  const option = [...OPTIONS.values()].find((candidate) => candidate.name === name);
  if (option === undefined) {
    const flag = `${name.length === 1 ? '-' : '--'}${name}`;
    const known = [...OPTIONS.keys(), 'help', 'version'].map((option) => `--${option}`);
    throw new UsageError(`unknown flag ${flag}${didYouMean(flag, known)}`);
  }
  if (value !== undefined) return value;
  if (option.type === 'boolean') return 'true';
  throw new UsageError(`--${name}: a value is missing, ${option.expected} expected`);
}

function commandOf(words: readonly string[]): Pick<Arguments, 'command' | 'folder'> {
  const given = words.join(' ');
  if (given === '') return { command: 'serve', folder: undefined };
  const command = COMMANDS.find((candidate) => candidate === given);
  if (command !== undefined) return { command, folder: undefined };
  const before = words.slice(0, -1).join(' ');
  const withFolder = WITH_FOLDER.find((candidate) => candidate === before);
  if (withFolder !== undefined) return { command: withFolder, folder: words.at(-1) };
  const flagWord = words.find((word) => word === 'true' || word === 'false');
  if (flagWord !== undefined)
    throw new UsageError(`"${flagWord}" is no command; to set a flag write --flag=${flagWord}`);
  const whole = COMMANDS.find((candidate) => given.startsWith(`${candidate} `));
  if (whole === undefined) {
    const hint = didYouMean(given, ALL_COMMANDS) || didYouMean(words[0] ?? '', ALL_COMMANDS);
    throw new UsageError(`unknown command "${given}"${hint}`);
  }
  const taken = WITH_FOLDER.includes(whole) ? 'one folder' : 'only flags, as --port 9000';
  throw new UsageError(`${whole}: "${given.slice(whole.length + 1)}" given, ${taken} expected`);
}
