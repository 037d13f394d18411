import { expect, test } from 'vitest';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphError } from './graph-error.ts';
import { GraphRun } from './graph-run.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { copy } from './test-kit.ts';
import { TraceRecorder } from './trace-recorder.ts';
import { validateGraph } from './validate-graph.ts';

const TEXT = `input_stream: "a" output_stream: "c"
  node { calculator: "Copy" name: "second" input_stream: "b" output_stream: "c" }
  node { calculator: "Copy" name: "first" input_stream: "a" output_stream: "b" }`;
const load = (text: string) => validateGraph(parseGraphConfig(text), new CalculatorRegistry([copy]));

async function record(capacity?: number): Promise<TraceRecorder> {
  const graph = load(TEXT);
  const recorder = new TraceRecorder(graph, capacity);
  const run = new GraphRun(graph, recorder.hooks);
  run.start();
  for (const t of [5n, 7n]) run.addPacket('a', { value: 1, timestamp: t });
  run.closeAllInputs();
  await run.waitUntilDone();
  return recorder;
}

test('each call and each packet is an event on the row of its node', async () => {
  const { traceEvents, otherData } = (await record()).toChromeTrace();
  const rows = new Map(
    traceEvents.filter(({ name }) => name === 'thread_name').map(({ tid, args }) => [tid, args?.['name']]),
  );
  expect([...rows]).toEqual([
    [0, 'graph inputs'],
    [2, 'second'],
    [1, 'first'],
  ]);
  const told = traceEvents
    .filter(({ ph }) => ph === 'X' || ph === 'i')
    .map(({ name, tid, args }) => [rows.get(tid), name, args?.['input_timestamp'] ?? args?.['timestamp']].join(' '));
  expect(told.toSorted()).toEqual(
    [
      'graph inputs a 5',
      'graph inputs a 7',
      ...['first b', 'second c'].flatMap((row) => [`${row} 5`, `${row} 7`]),
      ...['first', 'second'].flatMap((node) => [
        `${node} Open Timestamp::Unstarted()`,
        `${node} Process 5`,
        `${node} Process 7`,
        `${node} Close Timestamp::Done()`,
      ]),
    ].toSorted(),
  );
  for (const { ph, ts, dur } of traceEvents) {
    if (ph === 'X') expect([ts, dur]).toEqual([expect.any(Number), expect.any(Number)]);
  }
  expect(otherData).toEqual({ droppedEvents: 0 });
});

test('of more events than its capacity it keeps the newest, in order', async () => {
  const all = (await record()).toChromeTrace().traceEvents.filter(({ ph }) => ph !== 'M');
  const { traceEvents, otherData } = (await record(3)).toChromeTrace();
  const kept = traceEvents.filter(({ ph }) => ph !== 'M').map(({ name, tid }) => [name, tid]);
  expect(kept).toEqual(all.slice(-3).map(({ name, tid }) => [name, tid]));
  expect(otherData).toEqual({ droppedEvents: all.length - 3 });
});

test('calls of one node that overlap are on rows of their own', () => {
  const recorder = new TraceRecorder(load(TEXT));
  for (const microseconds of [1e6, 2e6, 0]) recorder.hooks.onNodeRun('first', microseconds, 'Process', 1n);
  const calls = recorder.toChromeTrace().traceEvents.filter(({ ph }) => ph === 'X');
  expect(calls.map(({ tid }) => tid)).toEqual([4, 1, 1]);
});

test('profiler_config says where traces go; a wrong field is a fault of the graph', () => {
  const config =
    'profiler_config { trace_enabled: true trace_log_path: "/t/x_" trace_log_capacity: 9 enable_profiler: 1 }';
  expect(load(config).trace).toEqual({ pathPrefix: '/t/x_', capacity: 9, fileCount: undefined });
  expect(load('profiler_config { trace_log_path: "/t/x_" }').trace).toBeUndefined();
  expect(load('profiler_config { trace_enabled: true trace_log_disabled: true }').trace).toBeUndefined();
  expect(() => load('profiler_config { trace_enable: true }')).toThrow(GraphError);
  expect(() => load('profiler_config { trace_enable: true }')).toThrow(/did you mean "trace_enabled"/);
});

test('the length of each queue is told as it changes, and when a full one holds back what feeds it', async () => {
  const graph = load(`max_queue_size: 2 ${TEXT}`);
  const recorder = new TraceRecorder(graph);
  const run = new GraphRun(graph, recorder.hooks);
  run.start();
  for (const t of [5n, 7n]) run.addPacket('a', { value: 1, timestamp: t });
  run.closeAllInputs();
  await run.waitUntilDone();
  const told = recorder
    .toChromeTrace()
    .traceEvents.filter(({ cat }) => cat === 'queue')
    .map(({ name, ph, tid, args }) => [name, ph, tid, args?.['packets']].join(' '));
  expect(told).toEqual([
    'queue first a C 1 1',
    'queue first a C 1 2',
    'throttled first a i 1 2',
    'queue first a C 1 1',
    'unthrottled first a i 1 1',
    'queue second b C 2 1',
    'queue second b C 2 0',
    'queue first a C 1 0',
    'queue second b C 2 1',
    'queue second b C 2 0',
  ]);
});
