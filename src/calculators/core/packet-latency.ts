import { z } from 'zod';
import { anyPacket, defineCalculator, optional, PacketType, repeated } from '../../graph/index.ts';
import { clockPacket, monotonicClock } from './clock.ts';

/** How late a stream's packets came, up to the one at hand. All times in microseconds. */
export interface PacketLatency {
  readonly label: string;
  readonly currentLatencyUsec: number;
  readonly avgLatencyUsec: number;
  readonly sumLatencyUsec: number;
  /** Packets by latency: interval i is [i · size, (i + 1) · size), the last one is open. */
  readonly counts: readonly number[];
  readonly numIntervals: number;
  readonly intervalSizeUsec: number;
}

export const packetLatencyPacket = new PacketType<PacketLatency>(
  'PacketLatency',
  (value) => typeof value === 'object' && value !== null && 'currentLatencyUsec' in value,
);

/**
 * How much later than the reference signal the packets of other streams come, by the clock: a packet at the first
 * reference's timestamp plus t is due t after that one came. Packets before the first reference are not counted.
 *
 * node { calculator: "PacketLatencyCalculator" input_stream: "result" input_stream: "REFERENCE_SIGNAL:frames"
 *        output_stream: "latency"
 *        options { [mediapipe.PacketLatencyCalculatorOptions.ext] { num_intervals: 10 interval_size_usec: 10000 } } }
 */
export const packetLatency = defineCalculator({
  name: 'PacketLatencyCalculator',
  options: z.object({
    numIntervals: z.int().min(1).default(10).describe('Intervals of the histogram.'),
    intervalSizeUsec: z.int().min(1).default(10_000).describe('Their width, microseconds.'),
    resetDurationUsec: z.int().min(0).default(0).describe('Counts begin anew after so many microseconds; 0: never.'),
    packetLabels: z.array(z.string()).default([]).describe('A label per input; the names of the streams unless given.'),
  }),
  inputs: { '': repeated(anyPacket), REFERENCE_SIGNAL: anyPacket },
  outputs: { '': repeated(packetLatencyPacket) },
  inputSidePackets: { CLOCK: optional(clockPacket) },
  inputPolicy: 'ImmediateInputStreamHandler',
  measuresTime: true,
  contract({ inputs, outputs, options, fail }) {
    const count = inputs.count('');
    if (count !== outputs.count('')) fail('as many outputs as inputs beside REFERENCE_SIGNAL are required');
    const labels = options.packetLabels.length;
    if (labels > 0 && labels !== count) fail(`${labels} packet_labels for ${count} streams`);
  },
  open({ options, inputs: { '': streams }, sidePackets: { CLOCK: now = monotonicClock } }) {
    const { packetLabels, numIntervals, intervalSizeUsec } = options;
    const labels = streams.map(({ name }, at) => packetLabels[at] ?? name);
    const fresh = () => labels.map(() => ({ sum: 0, count: 0, counts: Array<number>(numIntervals).fill(0) }));
    let statistics = fresh();
    let lastReset = 0n;
    /** A packet's timestamp plus this is when it is due. */
    let dueOffset: bigint | undefined;
    return {
      process({ inputs: { '': streams, REFERENCE_SIGNAL }, outputs, timestamp }) {
        const time = now();
        if (dueOffset === undefined) {
          if (REFERENCE_SIGNAL.packet === undefined) return;
          dueOffset = time - timestamp;
          lastReset = time;
        }
        if (options.resetDurationUsec > 0 && time - lastReset >= BigInt(options.resetDurationUsec)) {
          statistics = fresh();
          lastReset = time;
        }
        const latency = Number(time - dueOffset - timestamp);
        if (latency < 0) return;
        streams.forEach(({ packet }, at) => {
          const seen = statistics[at];
          if (packet === undefined || seen === undefined) return;
          const interval = Math.min(Math.floor(latency / intervalSizeUsec), numIntervals - 1);
          seen.counts[interval] = (seen.counts[interval] ?? 0) + 1;
          seen.sum += latency;
          seen.count++;
          outputs[''][at]?.send({
            label: labels[at] ?? '',
            currentLatencyUsec: latency,
            avgLatencyUsec: Math.floor(seen.sum / seen.count),
            sumLatencyUsec: seen.sum,
            counts: [...seen.counts],
            numIntervals,
            intervalSizeUsec,
          });
        });
      },
    };
  },
});
