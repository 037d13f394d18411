import { parseArgs } from 'node:util';
import { didYouMean } from '../../base/nearest.ts';
import { UsageError } from '../usage-error.ts';
import { GRAPH_HELP, type GraphCommand } from './graph-help.ts';

/** Flags that take a value, by name; some only make sense for some of the commands. */
const FLAGS: Readonly<Record<GraphCommand, readonly string[]>> = {
  check: ['config_path'],
  draw: ['config_path', 'format', 'output'],
  run: ['config_path', 'input', 'side_packet', 'observe'],
  replay: [],
  trace: ['config_path', 'input', 'side_packet', 'output', 'capacity'],
};

const COMMANDS = Object.keys(GRAPH_HELP) as readonly GraphCommand[];

export interface GraphArguments {
  /** Nothing: `millrace graph` alone. */
  readonly command: GraphCommand | undefined;
  readonly isHelp: boolean;
  readonly files: readonly string[];
  /** The values of each flag that was given, in order. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
}

/**
 * The arguments of `millrace graph …` and `millrace trace …`, these words included; dashes and underscores in flags are the
 * same.
 * @throws UsageError
 */
export function parseGraphArguments(args: readonly string[]): GraphArguments {
  const [first, second = ''] = args;
  const isTrace = first === 'trace';
  const isBare = !isTrace && (second === '' || second === 'help' || second.startsWith('-'));
  const command = isTrace ? 'trace' : COMMANDS.find((name) => name === second && name !== 'trace');
  if (command === undefined) {
    if (isBare) return { command: undefined, isHelp: true, files: [], flags: {} };
    const known = COMMANDS.filter((name) => name !== 'trace');
    throw new UsageError(`unknown command "graph ${second}"${didYouMean(second, known)}`);
  }
  const known = FLAGS[command];
  const { tokens } = parseArgs({
    args: args
      .slice(isTrace ? 1 : 2)
      .map((arg) => arg.replace(/^--[^=]+/, (flag) => `--${flag.slice(2).replaceAll('-', '_')}`)),
    options: {
      ...Object.fromEntries(known.map((name) => [name, { type: 'string' as const }])),
      output: { type: 'string', short: 'o' },
      help: { type: 'boolean', short: 'h' },
    },
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const files: string[] = [];
  const flags: Record<string, string[]> = {};
  let isHelp = false;
  for (const token of tokens) {
    if (token.kind === 'positional') files.push(token.value);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') isHelp = true;
    else if (!known.includes(token.name)) {
      const hint = didYouMean(
        token.rawName,
        [...known, 'help'].map((name) => `--${name}`),
      );
      throw new UsageError(`unknown flag ${token.rawName} of ${nameOf(command)}${hint}`);
    } else if (token.value === undefined) throw new UsageError(`${token.rawName}: a value is missing`);
    else (flags[token.name] ??= []).push(token.value);
  }
  return { command, isHelp, files, flags };
}

/** The command as it is typed. */
export function nameOf(command: GraphCommand): string {
  return command === 'trace' ? 'trace' : `graph ${command}`;
}

/** The command that explains what `args` should be. */
export function helpOf([first, second]: readonly string[]): string {
  const command = first === 'trace' ? first : COMMANDS.find((name) => name === second && name !== 'trace');
  return `millrace ${command === undefined ? 'graph' : nameOf(command)} --help`;
}
