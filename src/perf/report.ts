import type { RecordableHistogram } from 'node:perf_hooks';
import { latencyUs } from './recorder.ts';
import type { LevelResult, SweepOptions } from './sweep.ts';

const PERCENTILES = [50, 90, 95, 99] as const;

/** One level as numbers: of its JSON report, and of everything else that is printed. Latencies are in µs. */
export interface LevelReport {
  readonly level: number;
  readonly stable: boolean;
  readonly inferences_per_s: number;
  readonly responses_per_s: number;
  readonly requests: number;
  readonly responses: number;
  readonly failures: number;
  readonly first_failure?: string | undefined;
  readonly delayed: number;
  readonly latency_us: LatencyReport;
  readonly first_response_us: LatencyReport;
  readonly inter_response_us?: LatencyReport | undefined;
}

interface LatencyReport {
  readonly avg: number;
  readonly min: number;
  readonly max: number;
  readonly std: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
}

export function levelReport({ level, isStable, recorded }: LevelResult): LevelReport {
  const perSecond = (count: number): number =>
    recorded.durationMs === 0 ? 0 : round((count * 1000) / recorded.durationMs);
  return {
    level,
    stable: isStable,
    inferences_per_s: perSecond(recorded.requests),
    responses_per_s: perSecond(recorded.responses),
    requests: recorded.requests,
    responses: recorded.responses,
    failures: recorded.failures,
    first_failure: recorded.firstFailure,
    delayed: recorded.delayed,
    latency_us: latencyReport(recorded.latency),
    first_response_us: latencyReport(recorded.firstResponse),
    inter_response_us: recorded.interResponse.count === 0 ? undefined : latencyReport(recorded.interResponse),
  };
}

function latencyReport(histogram: RecordableHistogram): LatencyReport {
  const [p50 = 0, p90 = 0, p95 = 0, p99 = 0] = PERCENTILES.map((percent) => round(latencyUs(histogram, percent)));
  const isEmpty = histogram.count === 0;
  return {
    avg: round(latencyUs(histogram)),
    min: isEmpty ? 0 : histogram.min,
    max: isEmpty ? 0 : histogram.max,
    std: isEmpty ? 0 : round(histogram.stddev),
    p50,
    p90,
    p95,
    p99,
  };
}

/** A level as a paragraph for people. */
export function levelText(report: LevelReport, mode: SweepOptions['mode']): string {
  const { latency_us: all, first_response_us: first, inter_response_us: between } = report;
  const lines = [
    `${mode === 'concurrency' ? 'Concurrency' : 'Request rate'} ${report.level}${report.stable ? '' : ' (not stable)'}: ` +
      `${report.inferences_per_s} inferences/s` +
      (between === undefined ? '' : `, ${report.responses_per_s} responses/s`),
    `  latency        ${latencyText(all)}`,
  ];
  if (between !== undefined) {
    lines.push(`  first response ${latencyText(first)}`, `  inter-response ${latencyText(between)}`);
  }
  if (report.delayed > 0)
    lines.push(`  ${report.delayed} requests were sent late: the rate is more than this client can keep`);
  if (report.failures > 0)
    lines.push(`  ${report.failures} requests failed, the first with: ${report.first_failure ?? ''}`);
  return `${lines.join('\n')}\n`;
}

function latencyText({ avg, p50, p90, p95, p99, max }: LatencyReport): string {
  return `avg ${ms(avg)}, p50 ${ms(p50)}, p90 ${ms(p90)}, p95 ${ms(p95)}, p99 ${ms(p99)}, max ${ms(max)} ms`;
}

/** All levels as CSV, with perf_analyzer's names of columns where it has them. */
export function csvReport(reports: readonly LevelReport[], mode: SweepOptions['mode']): string {
  const head = [
    mode === 'concurrency' ? 'Concurrency' : 'Request Rate',
    'Inferences/Second',
    'Responses/Second',
    'Failures',
    'Delayed',
    'Avg latency',
    ...PERCENTILES.map((percent) => `p${percent} latency`),
    'Avg first response',
    'p99 first response',
    'Avg inter-response',
  ];
  const rows = reports.map((report) => [
    report.level,
    report.inferences_per_s,
    report.responses_per_s,
    report.failures,
    report.delayed,
    report.latency_us.avg,
    ...PERCENTILES.map((percent) => report.latency_us[`p${percent}`]),
    report.first_response_us.avg,
    report.first_response_us.p99,
    report.inter_response_us?.avg ?? '',
  ]);
  return `${[head, ...rows].map((row) => row.join(',')).join('\n')}\n`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const ms = (us: number): string => (us / 1000).toFixed(us < 10_000 ? 2 : 1);
