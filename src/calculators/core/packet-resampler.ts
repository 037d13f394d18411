import { z } from 'zod';
import { anyPacket, defineCalculator, GraphError, sameAs, type Packet } from '../../graph/index.ts';

/** Periods that one packet may have filled. */
const MAX_GAP = 100_000;

/**
 * A constant rate: per period the packet nearest its time (the later one of two equally near), restamped; a period without
 * packets repeats the latest. Output k is at the first time plus round(k · 10^6 / rate).
 *
 * node { calculator: "PacketResamplerCalculator" input_stream: "frames" output_stream: "frames_30"
 *        options { [mediapipe.PacketResamplerCalculatorOptions.ext] { frame_rate: 30 } } }
 */
export const packetResampler = defineCalculator({
  name: 'PacketResamplerCalculator',
  options: z.object({
    frameRate: z.number().positive().describe('Packets per second.'),
    flushLastPacket: z.boolean().default(true).describe('The last packet closes its period when the input ends.'),
    baseTimestamp: z.int().optional().describe('Output times are this plus whole periods, microseconds.'),
    startTime: z.int().optional().describe('Nothing before this time, microseconds.'),
    endTime: z.int().optional().describe('Nothing from this time on, microseconds.'),
  }),
  inputs: { '*': anyPacket },
  outputs: { '*': anyPacket },
  measuresTime: true,
  contract({ inputs, outputs, fail }) {
    const [input] = inputs.all;
    const [output] = outputs.all;
    if (input === undefined || output === undefined || inputs.all.length + outputs.all.length > 2) {
      return fail('one input and one output are required');
    }
    output.type = sameAs(input.tag, input.index);
  },
  open({ options: { frameRate, flushLastPacket, baseTimestamp, startTime, endTime }, inputPorts, outputPorts }) {
    const [input] = inputPorts;
    const [output] = outputPorts;
    const period = 1e6 / frameRate;
    let first: bigint | undefined;
    let last: Packet | undefined;
    /** The period that is sent next. */
    let next = 0;
    const timeOf = (index: number) => (first ?? 0n) + BigInt(Math.round(index * period));
    const periodOf = (t: bigint) => Math.round(Number(t - (first ?? 0n)) / period);
    const send = (packet: Packet) => {
      const t = timeOf(next++);
      if ((startTime === undefined || t >= BigInt(startTime)) && (endTime === undefined || t < BigInt(endTime))) {
        output?.send(packet, t);
      }
    };
    return {
      process() {
        const packet = input?.packet;
        if (packet === undefined) return;
        first ??= firstTime(packet.timestamp, baseTimestamp, period);
        const index = periodOf(packet.timestamp);
        if (last !== undefined && index - next > MAX_GAP)
          throw gapError(last.timestamp, packet.timestamp, index - next);
        if (index >= next) {
          while (last !== undefined && index > next) send(last);
          const target = timeOf(next);
          if (packet.timestamp >= target) {
            const isNearer = last === undefined || packet.timestamp - target <= target - last.timestamp;
            send(isNearer || last === undefined ? packet : last);
          }
        }
        last = packet;
      },
      close() {
        if (flushLastPacket && last !== undefined && periodOf(last.timestamp) >= next) send(last);
      },
    };
  },
});

/** The time of output 0: the first packet's, moved onto the grid of `base` when there is one. */
function firstTime(t: bigint, base: number | undefined, period: number): bigint {
  if (base === undefined) return t;
  const periods = Math.round(Number(t - BigInt(base)) / period);
  return BigInt(base) + BigInt(Math.round(periods * period));
}

function gapError(from: bigint, to: bigint, periods: number): GraphError {
  return new GraphError(
    'INVALID_ARGUMENT',
    `the gap from ${from} to ${to} µs would be filled with ${periods} packets, at most ${MAX_GAP} expected`,
  );
}
