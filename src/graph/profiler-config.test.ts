import { expect, test } from 'vitest';
import { parseGraphConfig } from './parse-graph-config.ts';
import { profilerWarnings } from './profiler-config.ts';

const warningsOf = (text: string): string[] => profilerWarnings(parseGraphConfig(text));

test('what has an effect is not warned of', () => {
  expect(warningsOf('')).toEqual([]);
  expect(warningsOf('profiler_config { trace_enabled: true trace_log_path: "/t/x_" trace_log_count: 3 }')).toEqual([]);
});

test('histograms and the writing of traces are, with the line and where to look instead', () => {
  const given = 'num_histogram_intervals: 3 enable_profiler: true trace_log_interval_count: 5 trace_enabled: true';
  const [histograms, logs, ...more] = warningsOf(`\nprofiler_config { ${given} }`);
  expect(histograms).toMatch(
    /^profiler_config \(line 2\): no effect has num_histogram_intervals, enable_profiler; .*node_processing_time_us/,
  );
  expect(logs).toMatch(/^profiler_config \(line 2\): no effect has trace_log_interval_count; /);
  expect(more).toEqual([]);
});

test('so is runtime_info', () => {
  expect(warningsOf('runtime_info { enable_graph_runtime_info: true }')).toEqual([
    'runtime_info (line 1): it has no effect; trace_enabled of profiler_config shows the queues',
  ]);
});
