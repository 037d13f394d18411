import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { MetricUpdate } from '../../ipc/metric-update.ts';
import { GraphMeter, NODE_TIME_BOUNDS_US } from './graph-meter.ts';

let sent: (readonly MetricUpdate[])[];
let meter: GraphMeter;
beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  meter = new GraphMeter((updates) => void sent.push(updates));
});
afterEach(() => vi.useRealTimers());

/** Name, label and value of each update but the histograms. */
const told = (): unknown[] =>
  sent.map((updates) =>
    updates
      .filter(({ type }) => type !== 'histogram')
      .map(({ name, labels, values }) => [name, ...Object.values(labels ?? {}), ...values]),
  );

it('sums calls of Process and their time by node, and sends them together', () => {
  meter.called('first', 100, 'Open');
  meter.called('first', 3, 'Process');
  meter.called('second', 5, 'Process');
  meter.called('first', 4, 'Process');
  meter.called('first', 100, 'Close');
  expect(sent).toEqual([]);
  vi.runAllTimers();
  expect(told()).toEqual([
    [
      ['millrace_graph_node_calls', 'first', 2],
      ['millrace_graph_node_time_us', 'first', 7],
      ['millrace_graph_node_calls', 'second', 1],
      ['millrace_graph_node_time_us', 'second', 5],
    ],
  ]);
});

it('sends only what is new, and nothing while nothing happens', () => {
  meter.called('first', 1, 'Process');
  vi.runAllTimers();
  vi.advanceTimersByTime(10_000);
  meter.called('second', 2, 'Process');
  vi.runAllTimers();
  expect(told()).toHaveLength(2);
  expect(told()[1]).toEqual([
    ['millrace_graph_node_calls', 'second', 1],
    ['millrace_graph_node_time_us', 'second', 2],
  ]);
});

it('sends a histogram of the times of each node: the mean of each bucket, and how often', () => {
  for (const microseconds of [4, 10, 11, 1e9]) meter.called('first', microseconds, 'Process');
  vi.runAllTimers();
  meter.called('first', 2, 'Process');
  vi.runAllTimers();
  const histograms = sent.flat().filter(({ type }) => type === 'histogram');
  expect(histograms.map(({ labels, values, counts }) => [labels?.['node'], values, counts])).toEqual([
    ['first', [7, 11, 1e9], [2, 1, 1]],
    ['first', [2], [1]],
  ]);
  expect(histograms[0]).toMatchObject({ name: 'millrace_graph_node_processing_time_us', bounds: NODE_TIME_BOUNDS_US });
  // Every second one of OVMS's.
  expect(NODE_TIME_BOUNDS_US).toEqual([10, 32, 104, 340, 1101, 3570, 11568, 37481, 121439, 393464, 1274823]);
});

it('tells drops by their cause', () => {
  meter.dropped('newest_input', 2);
  meter.dropped('queue_policy', 1);
  meter.dropped('newest_input', 3);
  vi.runAllTimers();
  expect(told()).toEqual([
    [
      ['millrace_graph_drops', 'newest_input', 5],
      ['millrace_graph_drops', 'queue_policy', 1],
    ],
  ]);
});

it('sends nothing once it is closed', () => {
  meter.called('first', 1, 'Process');
  meter.close();
  vi.runAllTimers();
  expect(sent).toEqual([]);
});
