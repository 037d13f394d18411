import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { GraphConfig, OptionFields } from './graph-config.ts';
import { parseOptions } from './options.ts';
import { camelCase } from './parse-graph-config.ts';

/** Where and how much a graph's runs are traced. */
export interface TraceSettings {
  /** The beginning of the files' paths. */
  readonly pathPrefix: string;
  /** Events kept per run, the newest. */
  readonly capacity: number;
  /** File names are used again after so many; undefined: never. */
  readonly fileCount: number | undefined;
}

/** MediaPipe's default of `trace_log_capacity`. */
export const TRACE_CAPACITY = 20_000;

/** Fields of the profiler's histograms, which are metrics of the server here, always on. */
const HISTOGRAM_FIELDS = [
  'enableProfiler',
  'enableStreamLatency',
  'histogramIntervalSizeUsec',
  'numHistogramIntervals',
  'enableInputOutputLatency',
] as const;
/** Fields of how and when traces are written: here each run has one file, written at its end. */
const LOG_FIELDS = [
  'usePacketTimestampForAddedPacket',
  'traceEventTypesDisabled',
  'traceLogIntervalUsec',
  'traceLogMarginUsec',
  'traceLogDurationEvents',
  'traceLogIntervalCount',
  'traceLogInstantEvents',
  'calculatorFilter',
] as const;

/** MediaPipe's `ProfilerConfig`. Only what concerns one trace file per run has an effect; {@link profilerWarnings} tells of the rest. */
const profilerConfig = z.object({
  traceEnabled: z.boolean().default(false),
  traceLogPath: z.string().default(''),
  traceLogCapacity: z.int().min(1).default(TRACE_CAPACITY),
  traceLogCount: z.int().min(1).optional(),
  traceLogDisabled: z.boolean().default(false),
  ...Object.fromEntries([...HISTOGRAM_FIELDS, ...LOG_FIELDS].map((field) => [field, z.unknown().optional()])),
});

/**
 * What a graph's `profiler_config` asks for; nothing where it does not ask for traces.
 * @throws GraphError INVALID_ARGUMENT for unknown fields and wrong values
 */
export function parseTraceSettings(fields: OptionFields | undefined): TraceSettings | undefined {
  if (fields === undefined) return undefined;
  const config = parseOptions(profilerConfig, [{ type: 'profiler_config', fields }]);
  if (!config.traceEnabled || config.traceLogDisabled) return undefined;
  return {
    pathPrefix: config.traceLogPath || join(tmpdir(), 'mediapipe_trace_'),
    capacity: config.traceLogCapacity,
    fileCount: config.traceLogCount,
  };
}

/** What a graph file asks to be told of its runs that it is not, and where to find it. */
export function profilerWarnings({ profilerConfig: given = {}, runtimeInfo = {}, lines }: GraphConfig): string[] {
  const place = (field: string): string => {
    const line = lines?.get(field);
    return line === undefined ? field : `${field} (line ${line})`;
  };
  const isGiven = (fields: readonly string[]) => Object.keys(given).filter((name) => fields.includes(camelCase(name)));
  const [histograms, logs] = [isGiven(HISTOGRAM_FIELDS), isGiven(LOG_FIELDS)];
  const warnings: string[] = [];
  if (histograms.length > 0) {
    warnings.push(
      `${place('profiler_config')}: no effect has ${histograms.join(', ')}; the server's metric ` +
        'millrace_graph_node_processing_time_us has the times of every node',
    );
  }
  if (logs.length > 0) {
    warnings.push(
      `${place('profiler_config')}: no effect has ${logs.join(', ')}; a session's trace is written at its end`,
    );
  }
  if (Object.keys(runtimeInfo).length > 0) {
    warnings.push(`${place('runtime_info')}: it has no effect; trace_enabled of profiler_config shows the queues`);
  }
  return warnings;
}
