import { OPTIONS, type Option } from '../config/option.ts';

const WIDTH = 100;
const INDENT = ' '.repeat(6);

const HEAD = `Millrace: an inference server for streaming (KServe v2 over gRPC and REST).

Usage: millrace [command] [options]

Commands:
  serve            Start the server (the default).
  start [DIR]      Serve an MLServer folder: millrace start --help.
  config explain   Show every option's value and where it came from, the servables, and what is wrong in the file.
  graph …          Check, draw, run and replay graph files: millrace graph --help.
  trace            Run a graph and write a Chrome trace: millrace trace --help.
  infer, models    Ask any KServe v2 server: millrace infer --help, millrace models --help.
  client           Analyse a camera, video file or stream: millrace client --help.
  pipelines …      Start, watch and end video pipelines of a server: millrace pipelines --help.
  perf             Measure any KServe v2 server: millrace perf --help.
  token …          Make and revoke tokens for calls: millrace token --help.
  help, version    Also as --help (-h) and --version.

Each option is a flag (--port 9000), an environment variable (MILLRACE_PORT=9000) or, where not said otherwise, a
key of "server" in the configuration file ({"server": {"port": 9000}}). Flags beat the environment, which beats the file.`;

const START_HEAD = `Usage: millrace start [DIR] [options]

Serves an MLServer folder: settings.json, and every model-settings.json at any depth. Without DIR: the folder that the
settings name (model_repository_root), else the working folder.

REST is on 8080, gRPC in MLServer's dialect on 8081 (--mlserver_port), in Triton's on 9000 (--port), metrics are on 8082
(--metrics_port) and 8080. All listen on 127.0.0.1 unless settings.json names a host.

settings.json beats MLSERVER_* variables, which beat the file .env in the working folder; flags and MILLRACE_* variables
beat them all. "millrace config explain DIR" shows each value and where it came from. docs/mlserver.md has every field.`;

/** The text of `millrace --help`, from the options' schema. */
export function helpText(): string {
  return optionsHelp(HEAD, []);
}

/** The text of `millrace start --help`. */
export function startHelpText(): string {
  return optionsHelp(START_HEAD, ['What is served']);
}

/** @param without groups of options that are not the command's */
function optionsHelp(head: string, without: readonly string[]): string {
  const parts = [head];
  let group = '';
  for (const option of OPTIONS.values()) {
    if (without.includes(option.group)) continue;
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
