import type { Measured } from './loadgen.ts';
import type { RuntimeLoad } from './runtime-loads.ts';
import { MLSERVER, PYTHON_OWN, PYTHON_SHIM, TYPESCRIPT } from './runtime-servers.ts';
import { median } from './statistics.ts';

/** All rounds of one server under one load. */
export interface LoadRow {
  readonly load: RuntimeLoad;
  readonly server: string;
  readonly measured: readonly Measured[];
}

/** What the peer's client measured of one server. */
export interface Crowd {
  readonly kind: 'alone' | 'paced' | 'unpaced';
  readonly proto: string;
  readonly server: string;
  readonly figures: {
    readonly ttft_p50_ms: number;
    readonly ttft_p99_ms: number;
    readonly per_s: number;
    /** Of crowds only: streams with all their words, and MiB. */
    readonly complete?: number;
    readonly rss_before?: number;
    readonly rss_peak?: number;
  };
}

const STREAMS = 1000;
const KIB_PER_STREAM = 43;
const FAIRNESS = 3;
const SCALING = 1.7;

export function loadTable(rows: readonly LoadRow[]): string[] {
  const peerOf = ({ load }: LoadRow): LoadRow | undefined =>
    rows.find((row) => row.load === load && row.server === MLSERVER.name);
  return [
    '| load | server | responses per s | p50 ms | p99 ms | CPU µs per response | ratio | target | |',
    '|---|---|---:|---:|---:|---:|---:|---:|---|',
    ...rows.map((row, at) => {
      const title = rows[at - 1]?.load === row.load ? '' : row.load.title;
      const ms = (of: (measured: Measured) => number): string => (median(row.measured.map(of)) / 1000).toFixed(2);
      const cells = [
        title,
        row.server,
        perSecond(row).toFixed(0),
        ms(({ p50_us }) => p50_us),
        ms(({ p99_us }) => p99_us),
        cpu(row).toFixed(1),
        ...verdict(row, peerOf(row)),
      ];
      return line(cells);
    }),
    '',
  ];
}

/** A runtime in TypeScript is held to MLServer's CPU time, one in Python, which is the same file, to its throughput. */
function verdict(row: LoadRow, peer: LoadRow | undefined): string[] {
  if (peer === undefined || row === peer) return ['', '', ''];
  if (row.server === TYPESCRIPT.name) {
    const ratio = cpu(row) / cpu(peer);
    return [`CPU ${ratio.toFixed(2)}`, `≤ ${row.load.cpuTarget}`, passOrMiss(ratio <= row.load.cpuTarget)];
  }
  const ratio = perSecond(row) / perSecond(peer);
  return [`rate ${ratio.toFixed(2)}`, '≥ 1', passOrMiss(ratio >= 1)];
}

const perSecond = ({ measured }: LoadRow): number => median(measured.map((round) => round.responses_per_s));
const cpu = ({ load, measured }: LoadRow): number =>
  median(measured.map((round) => round.server_cpu_us_per_req)) / load.responses;

export function crowdTable(crowds: readonly Crowd[]): string[] {
  const order = [MLSERVER.name, TYPESCRIPT.name, PYTHON_OWN.name, PYTHON_SHIM.name];
  const kinds = ['alone', 'paced', 'unpaced'] as const;
  const sorted = kinds.flatMap((kind) =>
    ['grpc', 'rest'].flatMap((proto) =>
      order.flatMap((server) =>
        crowds.filter((crowd) => crowd.kind === kind && crowd.proto === proto && crowd.server === server),
      ),
    ),
  );
  return [
    `| streams | server | first response p50 ms | p99 ms | responses per s | complete | KiB per stream | target | |`,
    '|---|---|---:|---:|---:|---:|---:|---|---|',
    ...sorted.map((crowd) => line(crowdCells(crowd, crowds))),
    '',
    `“Alone”: one stream of 20 words at a time, the best of the rounds. “Paced”: ${STREAMS} at once, a word each 250 ms. “Unpaced”: ${STREAMS} at once, 100 words each as fast as they come. The paced ones come first on a server that has served five seconds of single streams; KiB per stream is how far they raise its resident memory.`,
    '',
  ];
}

function crowdCells({ kind, proto, server, figures }: Crowd, crowds: readonly Crowd[]): string[] {
  const { ttft_p50_ms: p50, ttft_p99_ms: p99, complete, rss_before = NaN, rss_peak = NaN } = figures;
  const kib = ((rss_peak - rss_before) * 1024) / STREAMS;
  const peer = crowds.find((crowd) => crowd.kind === kind && crowd.proto === proto && crowd.server === MLSERVER.name);
  const targets: Record<Crowd['kind'], [string, boolean]> = {
    alone: [`p50 ≤ ${peer?.figures.ttft_p50_ms.toFixed(2) ?? '?'} ms`, p50 <= (peer?.figures.ttft_p50_ms ?? NaN)],
    paced: [`all, ≤ ${KIB_PER_STREAM} KiB`, complete === STREAMS && kib <= KIB_PER_STREAM],
    unpaced: [`all, p99 ≤ ${FAIRNESS} × p50`, complete === STREAMS && p99 <= FAIRNESS * p50],
  };
  const [target, isMet] = targets[kind];
  return [
    `${kind}, ${proto === 'grpc' ? 'gRPC' : 'SSE'}`,
    server,
    p50.toFixed(2),
    p99.toFixed(2),
    figures.per_s.toFixed(0),
    complete === undefined ? '' : String(complete),
    kind === 'paced' ? kib.toFixed(0) : '',
    ...(server === MLSERVER.name ? ['', ''] : [target, passOrMiss(isMet)]),
  ];
}

/** @param measured with one worker, and with two */
export function scalingLines([one, two]: readonly Measured[]): string[] {
  if (one === undefined || two === undefined) return [];
  const ratio = two.req_per_s / one.req_per_s;
  const cost = two.server_cpu_us_per_req / one.server_cpu_us_per_req;
  return [
    `A CPU-bound Python model: ${one.req_per_s} requests per second with one worker on ${one.server_cores} cores, ${two.req_per_s} with two on ${two.server_cores}: × ${ratio.toFixed(2)} (target ≥ ${SCALING}, which needs two free cores: ${passOrMiss(ratio >= SCALING)}). CPU time per request × ${cost.toFixed(2)}.`,
    '',
  ];
}

const passOrMiss = (isMet: boolean): string => (isMet ? 'pass' : 'miss');
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
