import { readFile } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import type { ClientEnvironment } from './client/client-commands.ts';
import { helpOf, parseFlags, type Flags, type Given } from './client/flags.ts';
import { PipelinesClient, RefusedError } from './pipelines-client.ts';
import { pipelinesTable } from './pipelines-table.ts';

const FLAGS = {
  url: { short: 'u', value: 'URL', default: 'http://127.0.0.1:8080', description: 'Of the server (REST).' },
  token: { value: 'TOKEN', description: 'Bearer token, or @file. Default: MILLRACE_TOKEN.' },
  json: { description: 'As JSON.' },
  all: { short: 'a', description: 'list, watch: those that have ended too.' },
  model: {
    short: 'm',
    value: 'ID',
    default: 'detect',
    description: 'start: servable, or alias from the configuration.',
  },
  id: { value: 'ID', description: 'start: id of the pipeline. Default: a UUID.' },
  udp: { value: 'HOST:PORT', isRepeatable: true, description: 'start: results go there as datagrams.' },
  sink: { value: 'JSON', isRepeatable: true, description: 'start: any sink, as in POST /v1/pipelines.' },
  fps: { value: 'N', description: 'start: most frames a second.' },
  confidence: { value: 'N', description: 'start: lowest score of a detection.' },
  realtime: { description: 'start: files come at the pace of their times.' },
  persist: { description: 'start: it starts again when the server does.' },
  file: { short: 'f', value: 'FILE', description: 'start: the whole pipeline as JSON.' },
  interval: { value: 'S', default: '1', description: 'watch: seconds between looks.' },
} as const satisfies Flags;

type Options = Given<typeof FLAGS>;

const HEAD = `Usage: millrace pipelines COMMAND [options]

Video pipelines of a running server: docs/pipelines.md.

Commands:
  list                     What runs.
  start VIDEO [VIDEO …]    Starts one on files, URLs or camera numbers, as the server sees them; prints its id.
  status ID                All that is known of it.
  pause ID, resume ID      Holds it, and goes on.
  terminate ID             Ends it.
  watch                    The list, live, until Ctrl-C.`;

/**
 * `millrace pipelines …`
 * @returns the exit code: 1 where the server refused or could not be reached
 * @throws UsageError
 */
export async function pipelinesCommand(args: readonly string[], environment: ClientEnvironment): Promise<number> {
  const given = parseFlags('pipelines', FLAGS, args);
  if (given === undefined || given.words[0] === 'help') {
    environment.stdout(helpOf(HEAD, FLAGS));
    return 0;
  }
  const [command, ...words] = given.words;
  const client = new PipelinesClient(given.text('url') ?? '', await tokenOf(given, environment));
  try {
    return await run(command, words, given, client, environment);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    environment.stderr(`millrace: ${error.message}\n`);
    return 1;
  }
}

async function run(
  command: string | undefined,
  words: readonly string[],
  given: Options,
  client: PipelinesClient,
  environment: ClientEnvironment,
): Promise<number> {
  const { stdout } = environment;
  const show = (value: unknown): void => stdout(`${JSON.stringify(value, undefined, 2)}\n`);
  const id = (): string => {
    const [only, ...more] = words;
    if (only !== undefined && more.length === 0) return only;
    throw given.usage(`${String(command)}: one id expected`);
  };
  const verb = command ?? 'nothing';
  switch (verb) {
    case 'list': {
      const pipelines = await client.list(given.has('all'));
      if (given.has('json')) show(pipelines);
      else stdout(`${pipelinesTable(pipelines)}\n`);
      return 0;
    }
    case 'start': {
      const made = await client.start(await requestOf(words, given));
      if (given.has('json')) show(made);
      else stdout(`${made.id}\n`);
      return 0;
    }
    case 'status':
      show(await client.get(id()));
      return 0;
    case 'pause':
    case 'resume':
      await client.operate(id(), verb);
      return 0;
    case 'terminate':
      await client.terminate(id());
      return 0;
    case 'watch':
      return watch(given, client, environment);
    default:
      throw given.usage(`pipelines: ${verb} given, list, start, status, pause, resume, terminate or watch expected`);
  }
}

async function requestOf(words: readonly string[], given: Options): Promise<object> {
  const file = given.text('file');
  const whole = file === undefined ? {} : parse(await readFile(file, 'utf8'), file, given);
  if (words.length === 0 && file === undefined) throw given.usage('start: a file, URL or camera number expected');
  const videos = words.map((word) => (/^\d+$/.test(word) ? Number(word) : word));
  const confidence = given.number('confidence');
  const sinks = [
    ...given.all('udp').map((address) => udpSink(address, given)),
    ...given.all('sink').map((text) => parse(text, '--sink', given)),
  ];
  return {
    model_id: given.text('model'),
    ...whole,
    ...(videos.length > 0 && { video_reference: videos.length === 1 ? videos[0] : videos }),
    ...(given.has('model') && { model_id: given.text('model') }),
    ...(given.has('id') && { id: given.text('id') }),
    ...(given.has('fps') && { max_fps: given.number('fps') }),
    ...(confidence !== undefined && { model_configuration: { confidence } }),
    ...(given.has('realtime') && { realtime: true }),
    ...(given.has('persist') && { persist: true }),
    ...(sinks.length > 0 && { sinks }),
  };
}

function udpSink(address: string, given: Options): object {
  const [, host = '', port = ''] = /^(.+):(\d+)$/.exec(address) ?? [];
  if (host === '') throw given.usage(`--udp: ${address} given, HOST:PORT expected`);
  return { type: 'udp', host, port: Number(port) };
}

function parse(text: string, where: string, given: Options): object {
  try {
    const value = JSON.parse(text) as unknown;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (error) {
    throw given.usage(`${where}: no JSON: ${messageOf(error)}`);
  }
  throw given.usage(`${where}: a JSON object expected`);
}

/** The list again and again, on a terminal in its place. */
async function watch(given: Options, client: PipelinesClient, environment: ClientEnvironment): Promise<number> {
  const intervalMs = (given.number('interval', 0.1) ?? 1) * 1000;
  let isOver = false;
  let wake = (): void => {};
  const forget = environment.onSignal(() => {
    isOver = true;
    wake();
  });
  try {
    while (!isOver) {
      const pipelines = await client.list(given.has('all'));
      const table = given.has('json') ? JSON.stringify(pipelines) : pipelinesTable(pipelines);
      environment.stdout(process.stdout.isTTY ? `\u001B[H\u001B[2J${table}\n` : `${table}\n`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isOver) wake();
      });
    }
    return 0;
  } finally {
    forget();
  }
}

async function tokenOf(given: Options, { variables }: ClientEnvironment): Promise<string | undefined> {
  const token = given.text('token') ?? variables['MILLRACE_TOKEN'];
  if (token?.startsWith('@') !== true) return token;
  return (await readFile(token.slice(1), 'utf8')).trim();
}
