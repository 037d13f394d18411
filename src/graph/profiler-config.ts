import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { OptionFields } from './graph-config.ts';
import { parseOptions } from './options.ts';

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

/** MediaPipe's `ProfilerConfig`. Only what concerns one trace file per run has an effect; the rest is taken and ignored. */
const profilerConfig = z.object({
  traceEnabled: z.boolean().default(false),
  traceLogPath: z.string().default(''),
  traceLogCapacity: z.int().min(1).default(TRACE_CAPACITY),
  traceLogCount: z.int().min(1).optional(),
  traceLogDisabled: z.boolean().default(false),
  ...Object.fromEntries(
    [
      'enableProfiler',
      'enableStreamLatency',
      'usePacketTimestampForAddedPacket',
      'traceEventTypesDisabled',
      'traceLogIntervalUsec',
      'traceLogMarginUsec',
      'traceLogDurationEvents',
      'traceLogIntervalCount',
      'traceLogInstantEvents',
      'histogramIntervalSizeUsec',
      'numHistogramIntervals',
      'enableInputOutputLatency',
      'calculatorFilter',
    ].map((field) => [field, z.unknown().optional()]),
  ),
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
