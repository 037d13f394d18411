import { z } from 'zod';
import {
  anyPacket,
  defineCalculator,
  enumOption,
  GraphError,
  mergeOptions,
  optional,
  PacketType,
  sameAs,
  Timestamp,
  type InputPort,
  type OutputPort,
  type Packet,
} from '../../graph/index.ts';
import { JitteredSampler, randomNumbers } from './jittered-sampler.ts';
import { ReproducibleSampler } from './reproducible-sampler.ts';
import { optionFields, string } from './packet-types.ts';

/** Periods that one packet may have filled. */
const MAX_GAP = 100_000;

/** Above it periods would be shorter than the unit of timestamps. */
const MAX_RATE = 1e6;

interface VideoHeader {
  /** Frames per second. */
  readonly frameRate: number;
}

/** What is known of a video before its frames: a packet at PreStream, or a stream's header. */
const videoHeader = new PacketType<VideoHeader>('VideoHeader', (value) => {
  const rate: unknown = (value as { readonly frameRate?: unknown } | null)?.frameRate;
  return typeof rate === 'number' && rate > 0 && rate <= MAX_RATE;
});

const resamplerOptions = z.object({
  frameRate: z
    .number()
    .positive()
    .max(MAX_RATE)
    .optional()
    .describe('Packets per second; required, here or in OPTIONS.'),
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
  reproducibleSampling: z
    .boolean()
    .default(false)
    .describe('The same, with periods from time 0 on, so that it does not matter where the stream begins.'),
  flushLastPacket: z.boolean().default(true).describe('The last packet closes its period when the input ends.'),
  baseTimestamp: z.int().optional().describe('Output times are this plus whole periods, microseconds.'),
  startTime: z.int().optional().describe('Nothing before this time, microseconds.'),
  endTime: z.int().optional().describe('Nothing from this time on, microseconds.'),
  roundLimits: z.boolean().default(false).describe('start_time and end_time let half a period more through.'),
  outputHeader: enumOption({ NONE: 0, PASS_HEADER: 1, UPDATE_VIDEO_HEADER: 2 })
    .default('NONE')
    .describe("The output's header: none, the input's, or that with the new rate."),
});

type ResamplerOptions = z.infer<typeof resamplerOptions>;

/**
 * A constant rate: per period the packet nearest its time (the later one of two equally near), restamped; a period without
 * packets repeats the latest. Output k is at the first time plus round(k · 10^6 / rate). With `jitter` output times are drawn by
 * chance around the periods, of which the first begins with the first packet; with `jitter_with_reflection` each period has
 * exactly one, the last, which the end cuts short, by one of its packets at its own time; with `reproducible_sampling` by its last one. The rate may come with the video: a
 * packet of VIDEO_HEADER at PreStream, which goes out with the new rate where there is an output VIDEO_HEADER. Side packet
 * OPTIONS: fields that replace those of the node's options.
 *
 * node { calculator: "PacketResamplerCalculator" input_stream: "frames" output_stream: "frames_30"
 *        options { [mediapipe.PacketResamplerCalculatorOptions.ext] { frame_rate: 30 } } }
 */
export const packetResampler = defineCalculator({
  name: 'PacketResamplerCalculator',
  options: resamplerOptions,
  inputs: { '*': anyPacket, VIDEO_HEADER: optional(videoHeader) },
  outputs: { '*': anyPacket, VIDEO_HEADER: optional(videoHeader) },
  inputSidePackets: { SEED: optional(string), OPTIONS: optional(optionFields) },
  measuresTime: true,
  contract({ options: { jitter, frameRate, maxFrameRate }, inputs, outputs, inputSidePackets, fail }) {
    if (frameRate === undefined && !inputSidePackets.has('OPTIONS')) fail('frame_rate is required');
    if (jitter > 0 && !inputSidePackets.has('SEED')) fail(SEEDLESS);
    if (jitter === 0 && inputSidePackets.has('SEED') && !inputSidePackets.has('OPTIONS')) fail(SEEDLESS);
    if (outputs.has('VIDEO_HEADER') && maxFrameRate !== undefined) {
      fail('an output VIDEO_HEADER does not go with max_frame_rate');
    }
    const [input, ...others] = inputs.all.filter(isData);
    const [output, ...more] = outputs.all.filter(isData);
    if (input === undefined || output === undefined || others.length > 0 || more.length > 0) {
      return fail('one input and one output are required');
    }
    output.type = sameAs(input.tag, input.index);
  },
  open({ options: own, inputPorts, outputPorts, sidePackets }) {
    const options = sidePackets.OPTIONS === undefined ? own : mergeOptions(resamplerOptions, own, sidePackets.OPTIONS);
    if (options.jitter > 0 && sidePackets.SEED === undefined) throw new GraphError('INVALID_ARGUMENT', SEEDLESS);
    const input = inputPorts.find(isData) as InputPort;
    const output = outputPorts.find(isData) as OutputPort;
    let rate = rateOf(options, options.frameRate);
    let sampler = samplerOf(options, rate, sidePackets.SEED ?? '');
    let send = limited(options, rate, output);
    passHeader(options, rate, input, output);
    let header: VideoHeader = { frameRate: rate };
    let isHeaderSent = false;
    let last: bigint | undefined;
    return {
      process({ inputs, outputs }) {
        const given = inputs.VIDEO_HEADER?.packet;
        if (given !== undefined && options.useInputFrameRate) {
          rate = rateOf(options, given.value.frameRate);
          sampler = samplerOf(options, rate, sidePackets.SEED ?? '');
          send = limited(options, rate, output);
        }
        if (given !== undefined) header = { ...given.value, frameRate: rate };
        const { packet } = input;
        if (packet === undefined) return;
        if (!isHeaderSent) outputs.VIDEO_HEADER?.send(header, Timestamp.PreStream);
        isHeaderSent = true;
        const periods = sampler.periodsUntil(packet.timestamp);
        if (last !== undefined && periods > MAX_GAP) throw gapError(last, packet.timestamp, periods);
        sampler.take(packet, send);
        last = packet.timestamp;
        if (sampler.bound > output.bound) output.setBound(sampler.bound);
      },
      close() {
        sampler.flush(send);
      },
    };
  },
});

const SEEDLESS = 'jitter needs a side packet SEED; without jitter there is none';

const isData = ({ tag }: { readonly tag: string }): boolean => tag !== 'VIDEO_HEADER';

function rateOf({ maxFrameRate = Infinity }: ResamplerOptions, frameRate: number | undefined): number {
  if (frameRate === undefined)
    throw new GraphError('INVALID_ARGUMENT', 'OPTIONS has no frame_rate, and the node neither');
  return Math.min(frameRate, maxFrameRate);
}

function samplerOf(
  options: ResamplerOptions,
  rate: number,
  seed: string,
): SteadySampler | JitteredSampler | ReproducibleSampler {
  const { jitter, jitterWithReflection, reproducibleSampling, baseTimestamp, flushLastPacket } = options;
  const period = 1e6 / rate;
  if (jitter > 0 && reproducibleSampling) {
    const random = randomNumbers(seed);
    return new ReproducibleSampler(period, jitter, (below) => Math.floor(random() * below));
  }
  return jitter > 0
    ? new JitteredSampler(period, jitter, seed, jitterWithReflection)
    : new SteadySampler(period, baseTimestamp, flushLastPacket);
}

/** Sends what is within start_time and end_time. */
function limited({ startTime, endTime, roundLimits }: ResamplerOptions, rate: number, output: OutputPort): Send {
  const margin = roundLimits ? BigInt(Math.trunc(Math.trunc(1e6 / rate) / 2)) : 0n;
  const start = startTime === undefined ? Timestamp.Min : BigInt(startTime) - margin;
  const end = endTime === undefined ? Timestamp.PostStream : BigInt(endTime) + margin;
  return (packet, t) => {
    if (t >= start && t < end) output.send(packet, t);
  };
}

function passHeader({ outputHeader }: ResamplerOptions, frameRate: number, input: InputPort, output: OutputPort): void {
  const { header } = input;
  if (header === undefined || outputHeader === 'NONE') return;
  if (outputHeader === 'PASS_HEADER') return output.setHeader(header);
  if (!videoHeader.accepts(header)) {
    throw new GraphError(
      'INVALID_ARGUMENT',
      'output_header: UPDATE_VIDEO_HEADER needs an input whose header has a frameRate',
    );
  }
  output.setHeader({ ...(header as VideoHeader), frameRate });
}

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

  /** The time of the output that is due next. */
  get bound(): bigint {
    return this.#first === undefined ? Timestamp.Min : this.#timeOf(this.#next);
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
