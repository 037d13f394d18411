import { readFile, writeFile } from 'node:fs/promises';
import type { GrpcClient } from '../../client/grpc-client.ts';
import type { ClientRequest } from '../../client/request.ts';
import type { RestClient } from '../../client/rest-client.ts';
import { plotSvg } from '../../perf/plot.ts';
import { parseLevels } from '../../perf/ranges.ts';
import { csvReport, levelReport, levelText, type LevelReport } from '../../perf/report.ts';
import { madeUpInputs, RequestSource, requestsOfFile, type InputMetadata } from '../../perf/requests.ts';
import { sweep, type SweepOptions } from '../../perf/sweep.ts';
import { eventTarget, StreamTarget, unaryTarget, type Target } from '../../perf/target.ts';
import { CONNECTION_FLAGS, openGrpc, openRest } from './connection.ts';
import { helpOf, parseFlags, type Flags, type Given } from './flags.ts';
import type { ClientEnvironment } from './client-commands.ts';
import { parametersOf } from './inputs.ts';

const FLAGS = {
  model: { short: 'm', value: 'name', description: 'The servable to load; also as the first word.' },
  model_version: { short: 'x', value: 'version', description: 'Its version; the server’s choice otherwise.' },
  ...CONNECTION_FLAGS,
  streaming: { description: 'One gRPC stream per worker; REST: server-sent events.' },
  stream_per_request: { description: 'A stream for each request, half-closed at once.' },
  dialect: { value: 'triton|mlserver', default: 'triton', description: 'Of gRPC streams; mlserver for its port 8081.' },
  no_binary: { description: 'REST without the binary tensor extension, as MLServer needs.' },
  concurrency_range: {
    value: 'start:end:step',
    description: 'Requests under way at once; 1:16:x2 doubles. Default: 1.',
  },
  request_rate_range: { value: 'start:end:step', description: 'Requests a second, in place of a concurrency.' },
  request_distribution: {
    value: 'constant|poisson',
    default: 'constant',
    description: 'Gaps between requests of a rate.',
  },
  max_in_flight: { value: 'n', default: '1024', description: 'With a rate: no more under way.' },
  measurement_interval: { short: 'p', value: 'ms', default: '5000', description: 'Length of a window.' },
  measurement_request_count: { value: 'n', default: '1', description: 'A window lasts on until so many have ended.' },
  stability_percentage: { short: 's', value: '%', default: '10', description: 'How far three windows may differ.' },
  max_trials: {
    short: 'r',
    value: 'n',
    default: '10',
    description: 'Windows before a level is given up as not stable.',
  },
  percentile: { value: '1-99', description: 'Judge latency by this percentile, not by the average.' },
  latency_threshold: { short: 'l', value: 'ms', description: 'End the sweep at the first level above it.' },
  warmup: { value: 'ms', default: '1000', description: 'Load before each level is measured.' },
  shape: { value: 'name:d1,d2', isRepeatable: true, description: 'Shape of an input whose shape is not fixed.' },
  input_data: {
    value: 'zero|random|file',
    default: 'random',
    description: 'What inputs hold, or a perf_analyzer data file.',
  },
  string_data: { value: 'text', description: 'Every element of BYTES inputs.' },
  string_length: { value: 'n', default: '128', description: 'Random letters in an element of a BYTES input.' },
  request_parameter: {
    value: 'name:value:type',
    isRepeatable: true,
    description: 'type: bool, int, double or string.',
  },
  sequence_length: { value: 'n', description: 'Send sequences of so many requests, one per worker at a time.' },
  start_sequence_id: { value: 'id', default: '1', description: 'The first sequence’s id.' },
  csv: { short: 'f', value: 'file', description: 'Write all levels as CSV.' },
  json: { value: 'file', description: 'Write all levels as JSON; - for standard output, and nothing else there.' },
  plot: { value: 'file.svg', description: 'Draw p50 and p99 latency over throughput.' },
} as const satisfies Flags;

const HEAD = `Usage: millrace perf MODEL [options]

Measures a servable of any KServe v2 server: throughput and latency at one level of load after another. A level is done
when three windows in a row agree.`;

type PerfFlags = Given<typeof FLAGS>;

/** @returns the exit code: 1 where a level had failures or nothing was answered */
export async function perfCommand(args: readonly string[], environment: ClientEnvironment): Promise<number> {
  const given = parseFlags('perf', FLAGS, args);
  if (given === undefined) {
    environment.stdout(helpOf(HEAD, FLAGS));
    return 0;
  }
  const model = given.text('model') ?? given.words[0];
  if (model === undefined || given.words.length > 1) throw given.usage('perf: one MODEL expected');
  const options = sweepOptions(given);
  const client =
    given.oneOf('protocol', ['grpc', 'rest']) === 'grpc'
      ? openGrpc(given, environment.variables)
      : rest(given, environment);
  const { request, metadata } = await describe(client, model, given);
  const source = new RequestSource(await requestsOf(given, request, metadata), sequencesOf(given));
  await using target = await openTarget(given, client, request);

  const stop = new AbortController();
  const offSignal = environment.onSignal(() => stop.abort());
  const reports: LevelReport[] = [];
  const isJsonOnly = given.text('json') === '-';
  try {
    for await (const result of sweep(target, source, options, stop.signal)) {
      const report = levelReport(result);
      reports.push(report);
      if (!isJsonOnly) environment.stdout(levelText(report, options.mode));
    }
  } finally {
    offSignal();
  }
  await writeReports(given, model, options, reports, environment);
  return reports.some(({ failures, requests }) => failures > 0 || requests === 0) ? 1 : 0;
}

function rest(given: PerfFlags, { variables }: ClientEnvironment): RestClient {
  return openRest(given, variables, !given.has('no_binary'));
}

function sweepOptions(given: PerfFlags): SweepOptions {
  const rates = given.text('request_rate_range');
  const isRate = rates !== undefined;
  if (isRate && given.has('concurrency_range')) throw given.usage('either --concurrency_range or --request_rate_range');
  const flag = isRate ? 'request_rate_range' : 'concurrency_range';
  return {
    mode: isRate ? 'request_rate' : 'concurrency',
    levels: levelsOf(given, flag),
    distribution: given.oneOf('request_distribution', ['constant', 'poisson']),
    maxInFlight: given.number('max_in_flight', 1) ?? 1,
    intervalMs: given.number('measurement_interval', 10) ?? 0,
    minRequests: given.number('measurement_request_count') ?? 0,
    stabilityPercent: given.number('stability_percentage') ?? 0,
    maxTrials: given.number('max_trials', 1) ?? 1,
    percentile: given.number('percentile', 1),
    latencyLimitMs: given.number('latency_threshold'),
    warmupMs: given.number('warmup') ?? 0,
  };
}

function levelsOf(given: PerfFlags, flag: 'concurrency_range' | 'request_rate_range'): number[] {
  try {
    return parseLevels(given.text(flag) ?? '1').map((level) =>
      flag === 'concurrency_range' ? Math.round(level) : level,
    );
  } catch (error) {
    throw given.usage(`--${flag}: ${(error as Error).message}`);
  }
}

interface Described {
  readonly request: Omit<ClientRequest, 'inputs'>;
  readonly metadata: readonly InputMetadata[];
}

async function describe(client: GrpcClient | RestClient, model: string, given: PerfFlags): Promise<Described> {
  const version = given.text('model_version');
  const { inputs } = await client.modelMetadata(model, version);
  const parameters = parametersOf(given.all('request_parameter'), (problem) =>
    given.usage(`--request_parameter: ${problem}`),
  );
  return { request: { model, version, parameters }, metadata: inputs };
}

async function requestsOf(
  given: PerfFlags,
  request: Described['request'],
  metadata: readonly InputMetadata[],
): Promise<ClientRequest[]> {
  const shapes = new Map(given.all('shape').map((text) => shapeOf(given, text)));
  const data = given.text('input_data') ?? 'random';
  try {
    if (data === 'zero' || data === 'random') {
      const text = given.text('string_data');
      const stringLength = given.number('string_length') ?? 0;
      return [{ ...request, inputs: madeUpInputs(metadata, { shapes, fill: data, text, stringLength }) }];
    }
    const file: unknown = JSON.parse(await readFile(data, 'utf8'));
    return requestsOfFile(file, metadata, shapes).map((inputs) => ({ ...request, inputs }));
  } catch (error) {
    throw given.usage(
      `${data === 'zero' || data === 'random' ? '' : `--input_data ${data}: `}${(error as Error).message}`,
    );
  }
}

function shapeOf(given: PerfFlags, text: string): [string, number[]] {
  const at = text.lastIndexOf(':');
  const dims = text
    .slice(at + 1)
    .split(',')
    .map(Number);
  if (at < 1 || dims.some((dim) => !Number.isInteger(dim) || dim < 0)) {
    throw given.usage(`--shape: ${text} given, NAME:d1,d2 expected`);
  }
  return [text.slice(0, at), dims];
}

function sequencesOf(given: PerfFlags): { length: number; firstId: number } | undefined {
  const length = given.number('sequence_length', 1);
  return length === undefined ? undefined : { length, firstId: given.number('start_sequence_id', 1) ?? 1 };
}

async function openTarget(
  given: PerfFlags,
  client: GrpcClient | RestClient,
  { model, version }: Described['request'],
): Promise<Target> {
  if (!given.has('streaming') && !given.has('stream_per_request')) return unaryTarget(client);
  if (!('stream' in client)) return eventTarget(client);
  const dialect = given.oneOf('dialect', ['triton', 'mlserver']);
  const isPerRequest = given.has('stream_per_request');
  return new StreamTarget(client, {
    dialect,
    isPerRequest,
    isDecoupled: dialect === 'triton' && !isPerRequest && (await isDecoupled(client, model, version)),
  });
}

/** Servers that do not tell are taken to answer each request once. */
async function isDecoupled(client: GrpcClient, model: string, version: string | undefined): Promise<boolean> {
  const answer = await client.modelConfig(model, version).catch(() => undefined);
  return answer?.config?.model_transaction_policy?.decoupled === true;
}

async function writeReports(
  given: PerfFlags,
  model: string,
  { mode }: SweepOptions,
  reports: readonly LevelReport[],
  { stdout }: ClientEnvironment,
): Promise<void> {
  const csv = given.text('csv');
  const json = given.text('json');
  const plot = given.text('plot');
  if (csv !== undefined) await writeFile(csv, csvReport(reports, mode));
  if (plot !== undefined) await writeFile(plot, plotSvg(reports, `${model}, by ${mode.replace('_', ' ')}`));
  if (json === undefined) return;
  const text = `${JSON.stringify({ model, mode, levels: reports }, undefined, 2)}\n`;
  if (json === '-') stdout(text);
  else await writeFile(json, text);
}
