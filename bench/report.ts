import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../test/support/paths.ts';
import { WARMUP_SECONDS, type Measured } from './loadgen.ts';
import { WORDS, type Load, type PeerName } from './loads.ts';
import { LIVE_P99_TARGET_MS, type Responsiveness } from './responsiveness.ts';
import { median, percentile } from './statistics.ts';

/** All rounds of one server under one load. */
export interface Result {
  readonly server: string;
  /** Undefined: ours. */
  readonly peer: PeerName | undefined;
  /** Our variant that has no target. */
  readonly informative: boolean;
  readonly rounds: readonly Measured[];
}

export interface LoadReport {
  readonly load: Load;
  readonly results: readonly Result[];
}

const HEAD = [
  '| load | server | per s | p50 ms | p99 ms | CPU µs | peak MiB | our ratio | target | |',
  '|---|---|---:|---:|---:|---:|---:|---:|---:|---|',
];

/** The page docs/performance.md. */
export function toMarkdown(
  reports: readonly LoadReport[],
  responsiveness: Responsiveness | undefined,
  { seconds, rounds, go }: { seconds: number; rounds: number; go: string },
): string {
  return [
    '# Performance',
    '',
    'Made by `npm run bench`; figures of one machine on one day. What counts is the ratio of our server’s CPU time to a',
    'peer’s under the same load in the same run: it depends little on what else the machine does.',
    '',
    `- Machine: ${machine()}.`,
    `- Versions: Millrace ${version('package.json')} on Node ${process.versions.node}, @grpc/grpc-js ${version('node_modules/@grpc/grpc-js/package.json')}, onnxruntime-node ${version('node_modules/onnxruntime-node/package.json')}; ${go} for the load generator.`,
    `- ${rounds} rounds of ${seconds} s each after ${WARMUP_SECONDS} s of warm-up, the servers in turn within a round; medians of the rounds. Servers are started afresh for each load.`,
    '- CPU is the server’s, all its processes, per request or (where one request has many) per response. Peak is the sum of the processes’ greatest resident memory.',
    '',
    ...HEAD,
    ...reports.flatMap(loadRows),
    '',
    ...reports.flatMap(({ load }) => (load.note === undefined ? [] : [load.note, ''])),
    ...(responsiveness === undefined ? [] : responsivenessLines(responsiveness)),
  ].join('\n');
}

/** The rows of one load: ours first, then each peer with our ratio to it. */
export function loadRows({ load, results }: LoadReport): string[] {
  const ours = results.find(({ peer, informative }) => peer === undefined && !informative);
  return results.flatMap((result, at) => {
    const line = [
      at === 0 ? load.title : '',
      result.server,
      number(perSecond(load, result)),
      milliseconds(median(result.rounds.map((round) => round.p50_us))),
      milliseconds(median(result.rounds.map((round) => round.p99_us))),
      number(cpuPerUnit(load, result)),
      number(peakMib(result)),
    ];
    const blank = line.map(() => '');
    const [first = NO_VERDICT, ...more] = verdicts(load, result, ours);
    return [row([...line, ...first]), ...more.map((cells) => row([...blank, ...cells]))];
  });
}

/** Of our server, by the load's own targets; of a peer, by our ratio to it. */
function verdicts(load: Load, result: Result, ours: Result | undefined): string[][] {
  const { peer } = result;
  if (peer !== undefined && ours !== undefined) {
    const cpu = ratioVerdict(cpuPerUnit(load, ours) / cpuPerUnit(load, result), load.cpuTargets[peer], 'CPU');
    const memoryTarget = load.memoryTargets?.[peer];
    return memoryTarget === undefined
      ? [cpu]
      : [cpu, ratioVerdict(peakMib(ours) / peakMib(result), memoryTarget, 'memory')];
  }
  if (result !== ours || load.ownTargets === undefined) return [];
  const { cpuUs, perSecond: least } = load.ownTargets;
  return [
    ['', `CPU ≤ ${cpuUs} µs`, passOrMiss(cpuPerUnit(load, result) <= cpuUs)],
    ['', `≥ ${least} per s`, passOrMiss(perSecond(load, result) >= least)],
  ];
}

function perSecond({ unit }: Load, { rounds }: Result): number {
  return median(rounds.map((round) => (unit === 'request' ? round.req_per_s : round.responses_per_s)));
}

function cpuPerUnit(load: Load, { rounds }: Result): number {
  const perRequest = median(rounds.map((round) => round.server_cpu_us_per_req));
  return load.unit === 'request' ? perRequest : perRequest / WORDS;
}

function peakMib({ rounds }: Result): number {
  return Math.max(...rounds.map((round) => round.server_peak_mib));
}

function ratioVerdict(ratio: number, target: number | undefined, of: string): string[] {
  const measured = `${of} ${ratio.toFixed(2)}`;
  return target === undefined ? [measured, '', ''] : [measured, `≤ ${target}`, passOrMiss(ratio <= target)];
}

function responsivenessLines(result: Responsiveness): string[] {
  const passed = result.liveP99Ms < LIVE_P99_TARGET_MS;
  return [
    '## Responsiveness',
    '',
    `While every host is busy with runs of ${result.runMs.toFixed(0)} ms (${result.slowRequests} answered), ServerLive answers in`,
    `${result.liveP50Ms.toFixed(2)} ms (p50), ${result.liveP99Ms.toFixed(2)} ms (p99), ${result.liveMaxMs.toFixed(2)} ms at most, of ${result.probes} probes.`,
    `Target: p99 < ${LIVE_P99_TARGET_MS} ms: ${passOrMiss(passed)}.`,
    '',
  ];
}

const NO_VERDICT: readonly string[] = ['', '', ''];
const passOrMiss = (isMet: boolean): string => (isMet ? 'pass' : 'miss');
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const number = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const milliseconds = (us: number): string => (us / 1000).toFixed(us < 100_000 ? 2 : 0);

function machine(): string {
  const cores = cpus();
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${process.platform} ${process.arch}`;
}

function version(file: string): string {
  return (JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { version: string }).version;
}

/** The spread of the CPU figures of a result, for the log of a run. */
export function spread({ rounds }: Result): string {
  const values = rounds.map((round) => round.server_cpu_us_per_req);
  return `${percentile(values, 0).toFixed(0)}–${percentile(values, 1).toFixed(0)} µs`;
}
