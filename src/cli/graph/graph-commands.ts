import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { fileFault } from '../../base/file-fault.ts';
import type { Logger } from '../../base/logger.ts';
import {
  describeValidatedGraph,
  GraphError,
  TRACE_CAPACITY,
  TraceRecorder,
  type CalculatorRegistry,
} from '../../graph/index.ts';
import { checkGraph } from '../../graph-tools/check.ts';
import { toDiagram } from '../../graph-tools/diagram.ts';
import { toMermaid } from '../../graph-tools/mermaid.ts';
import { printPacketLine } from '../../graph-tools/packet-lines.ts';
import type { RunInputs } from '../../graph-tools/run-graph.ts';
import { replayCase, type GraphCase } from '../../graph-tools/replay.ts';
import { UsageError } from '../usage-error.ts';
import { helpOf, nameOf, parseGraphArguments, type GraphArguments } from './graph-arguments.ts';
import { GRAPH_HELP, GRAPH_OVERVIEW, type GraphCommand } from './graph-help.ts';
import { graphFilesOf } from './graph-files.ts';
import {
  loadGraph,
  loadRegistry,
  optionalSidePackets,
  runInputs,
  runWithServices,
  unfedInputs,
  type LoadedGraph,
} from './graph-parts.ts';

/** What the graph commands use of the process. */
export interface GraphEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly logger: Logger;
}

type Run = (args: GraphArguments, environment: GraphEnvironment) => Promise<number>;

const COMMANDS: Readonly<Record<GraphCommand, Run>> = { check, draw, run, replay, trace };

/** Runs `millrace graph …` or `millrace trace …`. @returns the exit code: 1 for a graph with faults and for a failed run */
export async function graphCommand(args: readonly string[], environment: GraphEnvironment): Promise<number> {
  try {
    return await runCommand(args, environment);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message, helpOf(args));
    if (!(error instanceof GraphError)) throw error;
    environment.stderr(`${error.message}\n`);
    return 1;
  }
}

async function runCommand(args: readonly string[], environment: GraphEnvironment): Promise<number> {
  const parsed = parseGraphArguments(args);
  const { command, isHelp, files } = parsed;
  if (command === undefined || isHelp) {
    environment.stdout(command === undefined ? GRAPH_OVERVIEW : GRAPH_HELP[command]);
    return 0;
  }
  if (files.length === 0) throw new UsageError(`${nameOf(command)}: a file is missing`);
  if (files.length > 1 && command !== 'check') {
    throw new UsageError(`${nameOf(command)}: one file expected, ${files.length} given`);
  }
  return COMMANDS[command](parsed, environment);
}

async function check({ files, flags }: GraphArguments, environment: GraphEnvironment): Promise<number> {
  const registry = await loadRegistry(flags, environment.variables);
  const say = (line: string): void => environment.stdout(`${line}\n`);
  let count = 0;
  for (const path of files) {
    try {
      for (const file of await graphFilesOf(path)) count += await checkFile(file, registry, say);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      say(error.message);
      count++;
    }
  }
  if (count > 0) environment.stderr(`millrace: ${counted(count, 'fault')}\n`);
  return count > 0 ? 1 : 0;
}

/** Says what is wrong with a file, or that nothing is. @returns how many faults it has */
async function checkFile(file: string, registry: CalculatorRegistry, say: (line: string) => void): Promise<number> {
  const { faults, graph, subgraphs } = await checkGraph(file, registry);
  for (const { message } of faults) say(message);
  if (graph === undefined) return faults.length;
  if (graph.nodes.length === 0) {
    say(`${file}: it has no nodes`);
    return 1;
  }
  const used = subgraphs.length === 0 ? '' : `, subgraphs ${subgraphs.join(', ')}`;
  say(`${file}: no faults (${counted(graph.nodes.length, 'node')}, ${counted(graph.streams.length, 'stream')}${used})`);
  return 0;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

async function draw({ files: [file = ''], flags }: GraphArguments, environment: GraphEnvironment): Promise<number> {
  const output = flags['output']?.at(-1);
  const format = formatOf(flags['format']?.at(-1), output);
  const { graph } = await loadGraph(file, flags, environment.variables);
  const diagram = toDiagram(describeValidatedGraph(graph));
  const text =
    format === 'mermaid' ? toMermaid(diagram) : await (await import('../../graph-tools/svg.ts')).toSvg(diagram);
  await write(text, output, environment);
  return 0;
}

/** What each ending of a drawing's file stands for. */
const FORMATS: Readonly<Record<string, 'mermaid' | 'svg'>> = {
  '.svg': 'svg',
  '.mmd': 'mermaid',
  '.mermaid': 'mermaid',
  '.txt': 'mermaid',
};

function formatOf(format: string | undefined, output: string | undefined): 'mermaid' | 'svg' {
  if (format === 'mermaid' || format === 'svg') return format;
  if (format !== undefined) throw new UsageError(`--format: "${format}" given, mermaid or svg expected`);
  if (output === undefined) return 'mermaid';
  const byEnding = FORMATS[extname(output).toLowerCase()];
  if (byEnding !== undefined) return byEnding;
  throw new UsageError(
    `--output: "${output}" given; a name that ends in ${Object.keys(FORMATS).join(', ')} expected, or --format svg or mermaid`,
  );
}

async function run({ files: [file = ''], flags }: GraphArguments, environment: GraphEnvironment): Promise<number> {
  const loaded = await loadGraph(file, flags, environment.variables);
  await runWithServices(loaded, inputsOf(loaded, flags, environment), environment.logger, {}, (stream, packet) =>
    environment.stdout(`${printPacketLine(stream, packet)}\n`),
  );
  return 0;
}

/** What the flags feed the graph with; inputs and side packets that they leave out are named on standard error. */
function inputsOf({ graph }: LoadedGraph, flags: GraphArguments['flags'], { stderr }: GraphEnvironment): RunInputs {
  const inputs = runInputs(flags);
  for (const input of unfedInputs(graph, inputs)) stderr(`millrace: nothing feeds the input ${input}\n`);
  for (const side of optionalSidePackets(graph, inputs)) stderr(`millrace: the side packet ${side} is not given\n`);
  return inputs;
}

async function trace({ files: [file = ''], flags }: GraphArguments, environment: GraphEnvironment): Promise<number> {
  const loaded = await loadGraph(file, flags, environment.variables);
  const { graph } = loaded;
  const recorder = new TraceRecorder(graph, capacityOf(flags) ?? graph.trace?.capacity ?? TRACE_CAPACITY);
  const inputs = inputsOf(loaded, flags, environment);
  try {
    await runWithServices(loaded, inputs, environment.logger, recorder.hooks, () => {});
  } finally {
    const chromeTrace = recorder.toChromeTrace();
    const output = flags['output']?.at(-1);
    await write(`${JSON.stringify(chromeTrace)}\n`, output, environment);
    if (output !== undefined) environment.stderr(`millrace: ${chromeTrace.traceEvents.length} events in ${output}\n`);
  }
  return 0;
}

function capacityOf(flags: GraphArguments['flags']): number | undefined {
  const text = flags['capacity']?.at(-1);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`--capacity: "${text}" given, a number above 0 expected`);
  return Number(text);
}

async function replay({ files: [file = ''] }: GraphArguments, environment: GraphEnvironment): Promise<number> {
  const registry = await loadRegistry({}, {});
  const results: object[] = [];
  for (const replayed of await readCases(file)) {
    results.push({ name: replayed.name, expected: await replayCase(replayed, registry) });
  }
  environment.stdout(`${JSON.stringify(results, undefined, 1)}\n`);
  return 0;
}

async function readCases(file: string): Promise<readonly GraphCase[]> {
  let cases: unknown;
  try {
    cases = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new MillraceError('CONFIG_INVALID', `cannot read cases from ${file}: ${fileFault(error)}`, { cause: error });
  }
  const list: readonly unknown[] = Array.isArray(cases) ? cases : [cases];
  list.forEach((entry, at) => {
    const { name, graph, steps } = (entry ?? {}) as Partial<Record<keyof GraphCase, unknown>>;
    if (typeof name === 'string' && typeof graph === 'string' && Array.isArray(steps)) return;
    throw new MillraceError(
      'CONFIG_INVALID',
      `${file}: case ${at}: "name", "graph" (texts) and "steps" (a list) expected`,
    );
  });
  return list as readonly GraphCase[];
}

async function write(text: string, output: string | undefined, environment: GraphEnvironment): Promise<void> {
  if (output === undefined) {
    environment.stdout(text);
    return;
  }
  try {
    await writeFile(output, text);
  } catch (error) {
    throw new MillraceError('CONFIG_INVALID', `cannot write ${output}: ${messageOf(error)}`, { cause: error });
  }
}
