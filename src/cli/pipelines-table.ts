import type { PipelineLine, SourceLine } from './pipelines-client.ts';
import { formatTable } from './table.ts';

const HEAD = [
  'PIPELINE',
  'SOURCE',
  'STATE',
  'MODEL',
  'SIZE',
  'FRAMES',
  'RESULTS',
  'DROPPED',
  'FPS',
  'P50',
  'P99',
  'AGE',
  'NOTE',
];

/** Pipelines as a table: a row for each source. */
export function pipelinesTable(pipelines: readonly PipelineLine[]): string {
  if (pipelines.length === 0) return 'no pipelines';
  const rows = pipelines.flatMap((pipeline) =>
    pipeline.report.sources.map((source, index) => rowOf(pipeline, source, index === 0)),
  );
  return formatTable([HEAD, ...rows]);
}

function rowOf(
  { id, name, state, model_id: model, report }: PipelineLine,
  source: SourceLine,
  isFirst: boolean,
): string[] {
  const dropped =
    source.dropped_full + source.dropped_stale + source.dropped_adaptive + source.dropped_muted + source.dropped_rate;
  return [
    isFirst ? (name ?? id) : '',
    source.reference,
    state === 'running' ? source.state : state,
    isFirst ? model : '',
    source.width === undefined ? '' : `${source.width}x${source.height ?? ''}`,
    String(source.captured),
    String(source.inferred),
    String(dropped),
    isFirst ? report.throughput.toFixed(1) : '',
    milliseconds(source.latency.p50),
    milliseconds(source.latency.p99),
    source.last_frame_age === null ? '' : `${source.last_frame_age.toFixed(1)} s`,
    noteOf(report, source),
  ];
}

const milliseconds = (seconds: number | null): string => (seconds === null ? '' : `${Math.round(seconds * 1000)} ms`);

/** What somebody should look at. */
function noteOf(report: PipelineLine['report'], source: SourceLine): string {
  const notes: string[] = [];
  if (report.next_try_in !== undefined) notes.push(`next try in ${report.next_try_in.toFixed(1)} s`);
  if (report.reason !== undefined) notes.push(report.reason);
  if (source.next_retry_in !== null) notes.push(`connects again in ${source.next_retry_in.toFixed(1)} s`);
  if (source.last_error !== null && source.last_error !== report.reason) notes.push(source.last_error);
  if (source.reconnects > 0) notes.push(`${source.reconnects} reconnects`);
  if (source.failed > 0) notes.push(`${source.failed} failed`);
  for (const sink of report.sinks) {
    if (sink.failed + sink.dropped > 0) notes.push(`${sink.type}: ${sink.failed} failed, ${sink.dropped} dropped`);
  }
  return notes.join('; ');
}
