import { expect, test } from 'vitest';
import { at, run } from './test-kit.ts';

/** A clock that shows these times, one per look. */
const clockOf =
  (...times: bigint[]) =>
  () =>
    times.shift() ?? 0n;

test('ClockTimestamp tells when packets came', async () => {
  const sidePackets = { CLOCK: clockOf(1000n, 1007n) };
  expect(await run('ClockTimestamp', { inputs: { '': at(1, 2) }, outputs: [''], sidePackets })).toEqual({
    '': [
      [1, 1000n],
      [2, 1007n],
    ],
  });
  const { '': real } = await run('ClockTimestamp', { inputs: { '': at(1) }, outputs: [''] });
  expect(real?.[0]?.[1]).toBeTypeOf('bigint');
});

test('ClockLatency is the difference to the reference, which must be there', async () => {
  const inputs = { '': [[1, 107n]], ':1': [[1, 90n]], REFERENCE: [[1, 100n]] } as const;
  expect(await run('ClockLatency', { inputs, outputs: ['', ':1'] })).toEqual({ '': [[1, 7n]], ':1': [[1, -10n]] });
  await expect(run('ClockLatency', { inputs: { ...inputs, REFERENCE: [] }, outputs: ['', ':1'] })).rejects.toThrow(
    /REFERENCE has no packet/,
  );
});

test('PacketLatency: latency, average and histogram against the reference signal', async () => {
  const { '': latencies } = await run('PacketLatency', {
    inputs: { REFERENCE_SIGNAL: at(10, 20, 30), '': at(10, 20) },
    outputs: [''],
    sidePackets: { CLOCK: clockOf(1000n, 1004n, 1030n, 1040n, 1050n) },
    options: { num_intervals: 3, interval_size_usec: 4, packet_labels: 'result' },
  });
  const shared = { label: 'result', numIntervals: 3, intervalSizeUsec: 4 };
  expect(latencies).toEqual([
    [10, { ...shared, currentLatencyUsec: 4, sumLatencyUsec: 4, avgLatencyUsec: 4, counts: [0, 1, 0] }],
    [20, { ...shared, currentLatencyUsec: 30, sumLatencyUsec: 34, avgLatencyUsec: 17, counts: [0, 1, 1] }],
  ]);
});
