import { z } from 'zod';
import {
  anyPacket,
  defineCalculator,
  GraphError,
  optional,
  PacketType,
  sameAs,
  Timestamp,
  type Packet,
} from '../../graph/index.ts';
import { JitteredSampler } from './jittered-sampler.ts';
import { string } from './packet-types.ts';

/** Periods that one packet may have filled. */
const MAX_GAP = 100_000;

/** Above it periods would be shorter than the unit of timestamps. */
const MAX_RATE = 1e6;

/** What is known of a video before its frames; a packet at PreStream. */
const videoHeader = new PacketType<{ readonly frameRate: number }>('VideoHeader', (value) => {
  const rate: unknown = (value as { readonly frameRate?: unknown } | null)?.frameRate;
  return typeof rate === 'number' && rate > 0 && rate <= MAX_RATE;
});

/**
 * A constant rate: per period the packet nearest its time (the later one of two equally near), restamped; a period without
 * packets repeats the latest. Output k is at the first time plus round(k · 10^6 / rate). With `jitter` output times are drawn by
 * chance around the periods, of which the first begins with the first packet; with `jitter_with_reflection` each period has
 * exactly one, the last, which the end cuts short, by one of its packets at its own time. The rate may come with the video: a
 * packet of VIDEO_HEADER at PreStream.
 *
 * node { calculator: "PacketResamplerCalculator" input_stream: "frames" output_stream: "frames_30"
 *        options { [mediapipe.PacketResamplerCalculatorOptions.ext] { frame_rate: 30 } } }
 */
export const packetResampler = defineCalculator({
  name: 'PacketResamplerCalculator',
  options: z.object({
    frameRate: z.number().positive().max(MAX_RATE).describe('Packets per second.'),
    useInputFrameRate: z
      .boolean()
      .default(false)
      .describe('Packets per second are what VIDEO_HEADER says, where it says so.'),
    maxFrameRate: z.number().positive().optional().describe('Not more packets per second than this.'),
    jitter: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe('Outputs are up to this share of a period early or late, by chance from the side packet SEED.'),
    jitterWithReflection: z
      .boolean()
      .default(false)
      .describe('What jitter moves out of its period is reflected into it.'),
    flushLastPacket: z.boolean().default(true).describe('The last packet closes its period when the input ends.'),
    baseTimestamp: z.int().optional().describe('Output times are this plus whole periods, microseconds.'),
    startTime: z.int().optional().describe('Nothing before this time, microseconds.'),
    endTime: z.int().optional().describe('Nothing from this time on, microseconds.'),
  }),
  inputs: { '*': anyPacket, VIDEO_HEADER: optional(videoHeader) },
  outputs: { '*': anyPacket },
  inputSidePackets: { SEED: optional(string) },
  measuresTime: true,
  contract({ options: { jitter }, inputs, outputs, inputSidePackets, fail }) {
    if (jitter > 0 !== inputSidePackets.has('SEED'))
      fail('jitter needs a side packet SEED; without jitter there is none');
    const [input, ...others] = inputs.all.filter(({ tag }) => tag !== 'VIDEO_HEADER');
    const [output] = outputs.all;
    if (input === undefined || output === undefined || others.length > 0 || outputs.all.length > 1) {
      return fail('one input and one output are required');
    }
    output.type = sameAs(input.tag, input.index);
  },
  open({ options, inputPorts, outputPorts, sidePackets }) {
    const input = inputPorts.find(({ tag }) => tag !== 'VIDEO_HEADER');
    const [output] = outputPorts;
    const start = options.startTime === undefined ? Timestamp.Min : BigInt(options.startTime);
    const end = options.endTime === undefined ? Timestamp.PostStream : BigInt(options.endTime);
    const send = (packet: Packet, t: bigint) => {
      if (t >= start && t < end) output?.send(packet, t);
    };
    const samplerAt = (frameRate: number) => {
      const period = 1e6 / Math.min(frameRate, options.maxFrameRate ?? Infinity);
      return options.jitter > 0
        ? new JitteredSampler(period, options.jitter, sidePackets.SEED ?? '', options.jitterWithReflection)
        : new SteadySampler(period, options.baseTimestamp, options.flushLastPacket);
    };
    let sampler = samplerAt(options.frameRate);
    let last: bigint | undefined;
    return {
      process({ inputs }) {
        const header = inputs.VIDEO_HEADER?.packet;
        if (header !== undefined && options.useInputFrameRate) sampler = samplerAt(header.value.frameRate);
        const packet = input?.packet;
        if (packet === undefined) return;
        const periods = sampler.periodsUntil(packet.timestamp);
        if (last !== undefined && periods > MAX_GAP) throw gapError(last, packet.timestamp, periods);
        sampler.take(packet, send);
        last = packet.timestamp;
      },
      close() {
        sampler.flush(send);
      },
    };
  },
});

type Send = (packet: Packet, t: bigint) => void;

/** One output per period: the packet nearest its time. */
class SteadySampler {
  readonly #periodUs: number;
  readonly #base: number | undefined;
  readonly #flushes: boolean;
  #first: bigint | undefined;
  #last: Packet | undefined;
  /** The period that is sent next. */
  #next = 0;

  constructor(periodUs: number, base: number | undefined, flushes: boolean) {
    this.#periodUs = periodUs;
    this.#base = base;
    this.#flushes = flushes;
  }

  /** Periods from the output that is due next to `t`. */
  periodsUntil(t: bigint): number {
    return this.#first === undefined ? 0 : this.#periodOf(t) - this.#next;
  }

  take(packet: Packet, send: Send): void {
    this.#first ??= firstTime(packet.timestamp, this.#base, this.#periodUs);
    const index = this.#periodOf(packet.timestamp);
    const last = this.#last;
    this.#last = packet;
    if (index < this.#next) return;
    while (last !== undefined && index > this.#next) this.#send(last, send);
    const target = this.#timeOf(this.#next);
    if (packet.timestamp < target) return;
    const isNearer = last === undefined || packet.timestamp - target <= target - last.timestamp;
    this.#send(isNearer || last === undefined ? packet : last, send);
  }

  /** The input has ended: the last packet closes its period. */
  flush(send: Send): void {
    if (!this.#flushes) return;
    if (this.#last !== undefined && this.#periodOf(this.#last.timestamp) >= this.#next) this.#send(this.#last, send);
  }

  #send(packet: Packet, send: Send): void {
    send(packet, this.#timeOf(this.#next++));
  }

  #timeOf(index: number): bigint {
    return (this.#first ?? 0n) + BigInt(Math.round(index * this.#periodUs));
  }

  #periodOf(t: bigint): number {
    return Math.round(Number(t - (this.#first ?? 0n)) / this.#periodUs);
  }
}

/** The time of output 0: the first packet's, moved onto the grid of `base` when there is one. */
function firstTime(t: bigint, base: number | undefined, period: number): bigint {
  if (base === undefined) return t;
  const periods = Math.round(Number(t - BigInt(base)) / period);
  return BigInt(base) + BigInt(Math.round(periods * period));
}

function gapError(from: bigint, to: bigint, periods: number): GraphError {
  return new GraphError(
    'INVALID_ARGUMENT',
    `the gap from ${from} to ${to} µs would be filled with ${Math.round(periods)} packets, at most ${MAX_GAP} expected`,
  );
}
