import { OPTIONS, type Option } from '../config/option.ts';

const WIDTH = 100;
const INDENT = ' '.repeat(6);

const HEAD = `Millrace: an inference server for streaming (KServe v2 over gRPC and REST).

Usage: millrace [command] [options]

Commands:
  serve            Start the server (the default).
  config explain   Show every option's value and where it came from, the servables, and what is wrong in the file.
  graph …          Check, draw, run and replay graph files: millrace graph --help.
  trace            Run a graph and write a Chrome trace: millrace trace --help.
  help, version    Also as --help (-h) and --version.

Each option is a flag (--port 9000), an environment variable (MILLRACE_PORT=9000) or, where not said otherwise, a
key of "server" in the configuration file ({"server": {"port": 9000}}). Flags beat the environment, which beats the file.`;

/** The text of `millrace --help`, from the options' schema. */
export function helpText(): string {
  const parts = [HEAD];
  let group = '';
  for (const option of OPTIONS.values()) {
    if (option.group !== group) parts.push(`${option.group}:`);
    group = option.group;
    parts.push(optionText(option));
  }
  return `${parts.join('\n\n').replaceAll(/:\n\n {2}--/g, ':\n  --')}\n`;
}

function optionText({ name, type, unit, values, description, defaultText, isFileless }: Option): string {
  const value = type === 'boolean' ? '[=true|false]' : ` ${values?.join('|') ?? `<${unit === '' ? type : unit}>`}`;
  const notes = [
    description,
    isFileless ? 'Not in the file.' : '',
    defaultText === undefined ? '' : `Default: ${defaultText}.`,
  ];
  return `  --${name}${value}\n${wrap(notes.filter((note) => note !== '').join(' '))}`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = INDENT;
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH && line !== INDENT) {
      lines.push(line.trimEnd());
      line = INDENT;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()].join('\n');
}
