import { cpus } from 'node:os';
import { median, percentile } from './statistics.ts';

/** What is meant to be reached: shares of the peer's, and milliseconds. */
const TARGETS = { cpu: 0.5, memory: 0.5, start: 300, status: 20 };

/** One round of four sources. */
export interface Load {
  /** Of each source. */
  readonly framesPerS: readonly number[];
  /** All processes. */
  readonly cpuMsPerFrame: number;
  /** Of that, processes of ffmpeg; 0 where decoding is within others. */
  readonly decodersMsPerFrame: number;
  /** Without a pipeline. */
  readonly idleMiB: number;
  readonly totalMiB: number;
  /** What a pipeline adds. */
  readonly pipelineMiB: number;
}

/** In ms. */
export interface StatusTimes {
  readonly tcp: readonly number[];
  readonly http: readonly number[];
  /** A worker was stopped all the while. */
  readonly hasHung: boolean;
}

/** All of one manager. */
export interface ManagerResult {
  readonly name: string;
  readonly loads: readonly Load[];
  /** In ms. */
  readonly starts: readonly number[];
  readonly status: StatusTimes;
}

interface Run {
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpS: number;
  /** Load average before the first round. */
  readonly busyBefore: number;
  /** CPU time for each frame of decoding alone, in ms, by round. */
  readonly decoding: readonly number[];
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const verdict = (isMet: boolean): string => (isMet ? 'pass' : 'miss');

/** What of the CPU time there is no way around, and what the rest is. */
function account(ours: ManagerResult, peer: ManagerResult, decoding: readonly number[]): string {
  const of = ({ loads }: ManagerResult, what: (load: Load) => number): number => median(loads.map(what));
  const ms = (value: number): string => value.toFixed(2);
  const [floor, whole] = [median(decoding), of(peer, (load) => load.cpuMsPerFrame)];
  const [own, decoders] = [of(ours, (load) => load.cpuMsPerFrame), of(ours, (load) => load.decodersMsPerFrame)];
  return [
    `Decoding alone, by an ffmpeg for each source that throws the pictures away, takes ${ms(floor)} ms a frame at this pace: ${(floor / whole).toFixed(2)} of all that the peer does, which decodes with the same library.`,
    `What is meant to be reached leaves ${ms(whole * TARGETS.cpu - floor)} ms for everything else.`,
    `Of Millrace’s ${ms(own)} ms, decoders take ${ms(decoders)} (with the pipe to the host, 0.46 MB a frame), the hosts and the front ${ms(own - decoders)}: reading the pipe, scaling, the run of the model, results, and waking for each frame, since sixty frames a second find the caches cold.`,
  ].join(' ');
}

/** The section of docs/performance.md. @param results ours last */
export function pipelinesReport(
  results: readonly ManagerResult[],
  { rounds, seconds, warmUpS, busyBefore, decoding }: Run,
): string {
  const ours = results.at(-1);
  const peer = results.length > 1 ? results[0] : undefined;
  if (ours === undefined) return '';
  const of = ({ loads }: ManagerResult, what: (load: Load) => number): number => median(loads.map(what));
  const [cpu, memory] = [(load: Load) => load.cpuMsPerFrame, (load: Load) => load.pipelineMiB];
  const { tcp, http } = ours.status;
  const lines = [
    '## Video pipelines',
    '',
    `Four H.264 sources of 640 × 480, 15 frames a second, over RTSP, each with a pipeline of its own (\`/initialise\` as on Roboflow’s page, results by UDP), on Roboflow’s stream manager and on ours in turn, by \`npm run bench:pipelines\`: ${rounds} rounds of ${seconds} s after ${warmUpS} s of warm-up, medians. Both run the same ONNX detector of 64 × 64. CPU time is of all processes, decoders included, per result; memory is the proportional set size, which counts shared pages once.`,
    '',
    `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), load average ${busyBefore.toFixed(1)} before the first round; times of answers depend on what else the machine does, ratios of CPU time little.`,
    '',
    row(['manager', 'frames per s and source', 'CPU ms per frame', 'MiB per pipeline', 'MiB idle', 'MiB with four']),
    row(['-', '-:', '-:', '-:', '-:', '-:']),
    ...results.map((each) =>
      row([
        each.name,
        of(each, ({ framesPerS }) => Math.min(...framesPerS)).toFixed(1),
        of(each, cpu).toFixed(2),
        of(each, memory).toFixed(0),
        of(each, ({ idleMiB }) => idleMiB).toFixed(0),
        of(each, ({ totalMiB }) => totalMiB).toFixed(0),
      ]),
    ),
    '',
    row(['what', ...results.map(({ name }) => name), 'target', '']),
    row(['-', ...results.map(() => '-:'), '-', '-']),
  ];
  if (peer !== undefined) {
    const ratio = (what: (load: Load) => number): number => of(ours, what) / of(peer, what);
    lines.push(
      row([
        'CPU per frame, share of the peer’s',
        '',
        ratio(cpu).toFixed(2),
        `≤ ${TARGETS.cpu}`,
        verdict(ratio(cpu) <= TARGETS.cpu),
      ]),
      row([
        'memory per pipeline, share of the peer’s',
        '',
        ratio(memory).toFixed(2),
        `≤ ${TARGETS.memory}`,
        verdict(ratio(memory) <= TARGETS.memory),
      ]),
    );
  }
  const starts = results.map(
    (each) => `${median(each.starts).toFixed(0)} (at most ${Math.max(...each.starts).toFixed(0)})`,
  );
  const status = (pick: (times: StatusTimes) => readonly number[]): string[] =>
    results.map((each) => {
      const times = pick(each.status);
      const text = `${percentile(times, 0.5).toFixed(1)} / ${percentile(times, 0.99).toFixed(1)}`;
      return each.status.hasHung ? text : `${text} (none hung)`;
    });
  lines.push(
    row([
      'a further pipeline on a loaded model, ms',
      ...starts,
      `≤ ${TARGETS.start}`,
      verdict(median(ours.starts) <= TARGETS.start),
    ]),
    row([
      'status over TCP with eight pipelines and a hung worker, p50 / p99 ms',
      ...status((times) => times.tcp),
      `p99 ≤ ${TARGETS.status}`,
      verdict(percentile(tcp, 0.99) <= TARGETS.status),
    ]),
    row([
      'status over HTTP, the same',
      ...status((times) => times.http),
      `p99 ≤ ${TARGETS.status}`,
      verdict(percentile(http, 0.99) <= TARGETS.status),
    ]),
  );
  if (peer !== undefined) {
    lines.push('', account(ours, peer, decoding));
    lines.push('', 'No worker of Roboflow’s manager was stopped: a status of one that hangs makes it hang for ever.');
  }
  return lines.join('\n');
}
