import { anyPacket, defineCalculator, optional, PacketType, repeated } from '../../graph/index.ts';

/** Reads the time, in whole microseconds since 1970. */
export type Clock = () => bigint;

/** A side packet: tests give a clock of their own. */
export const clockPacket = new PacketType<Clock>('Clock', (value) => typeof value === 'function');
/** A time of the clock, in microseconds since 1970. */
export const clockTime = new PacketType<bigint>('absl::Time', (value) => typeof value === 'bigint');
/** A difference of two times, in microseconds. */
export const duration = new PacketType<bigint>('absl::Duration', (value) => typeof value === 'bigint');

/** The wall clock when the process began, moved on by the monotonic clock: it never goes back. */
export const monotonicClock: Clock = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000));

/**
 * Tells at what time of the clock each packet came.
 *
 * node { calculator: "ClockTimestampCalculator" input_stream: "frames" output_stream: "came_at" }
 */
export const clockTimestamp = defineCalculator({
  name: 'ClockTimestampCalculator',
  inputs: { '': anyPacket },
  outputs: { '': clockTime },
  inputSidePackets: { CLOCK: optional(clockPacket) },
  timestampOffset: 0,
  open({ sidePackets: { CLOCK: now = monotonicClock } }) {
    return {
      process({ outputs }) {
        outputs[''].send(now());
      },
    };
  },
});

/**
 * The time from the packet of REFERENCE to the packets of the other inputs, all times of ClockTimestampCalculator: how long
 * the part of the graph between them took.
 *
 * node { calculator: "ClockLatencyCalculator" input_stream: "done_at" input_stream: "REFERENCE:came_at"
 *        output_stream: "took" }
 */
export const clockLatency = defineCalculator({
  name: 'ClockLatencyCalculator',
  inputs: { '': repeated(clockTime), REFERENCE: clockTime },
  outputs: { '': repeated(duration) },
  timestampOffset: 0,
  contract({ inputs, outputs, fail }) {
    if (inputs.count('') !== outputs.count('')) fail('as many outputs as inputs beside REFERENCE are required');
  },
  open: () => ({
    process({ inputs, outputs }) {
      const reference = inputs.REFERENCE.packet;
      if (reference === undefined) throw new Error('REFERENCE has no packet at a time at which another input has one');
      inputs[''].forEach(({ packet }, at) => {
        if (packet !== undefined) outputs[''][at]?.send(packet.value - reference.value);
      });
    },
  }),
});
