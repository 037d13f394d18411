import { z } from 'zod';
import {
  anyPacket,
  defineCalculator,
  enumOption,
  mergeOptions,
  optional,
  sameAs,
  Timestamp,
  type OutputPort,
  type Packet,
} from '../../graph/index.ts';
import { copyHeaders } from './headers.ts';
import { int, optionFields } from './packet-types.ts';

const thinnerOptions = z.object({
  thinnerType: enumOption({ ASYNC: 1, SYNC: 2 }).default('ASYNC').describe('ASYNC or SYNC.'),
  period: z.int().min(1).default(1).describe('Microseconds; the side packet PERIOD beats it.'),
  startTime: z.int().optional().describe('Nothing before this time, microseconds; SYNC counts periods from it.'),
  endTime: z.int().optional().describe('Nothing from this time on, microseconds.'),
  syncOutputTimestamps: z.boolean().default(true).describe('SYNC stamps packets with the centre of their period.'),
});

/**
 * Thins a stream. ASYNC: packets at least `period` apart. SYNC: per period the packet nearest its centre (the later one of
 * two equally near), stamped with the centre unless `sync_output_timestamps` is off. Side packet OPTIONS: fields that replace
 * those of the node's options.
 *
 * node { calculator: "PacketThinnerCalculator" input_stream: "frames" output_stream: "few"
 *        options { [mediapipe.PacketThinnerCalculatorOptions.ext] { thinner_type: ASYNC period: 100000 } } }
 */
export const packetThinner = defineCalculator({
  name: 'PacketThinnerCalculator',
  options: thinnerOptions,
  inputs: { '': anyPacket },
  outputs: { '': sameAs('') },
  inputSidePackets: { PERIOD: optional(int), OPTIONS: optional(optionFields) },
  measuresTime: true,
  open({ options: own, sidePackets, outputs, inputPorts, outputPorts }) {
    copyHeaders(inputPorts, outputPorts);
    const options = sidePackets.OPTIONS === undefined ? own : mergeOptions(thinnerOptions, own, sidePackets.OPTIONS);
    const period = BigInt(sidePackets.PERIOD ?? options.period);
    const start = options.startTime === undefined ? Timestamp.Min : BigInt(options.startTime);
    const end = options.endTime === undefined ? Timestamp.Max : BigInt(options.endTime);
    const thinner =
      options.thinnerType === 'ASYNC'
        ? thinAsync(outputs[''], period)
        : thinSync(outputs[''], period, BigInt(options.startTime ?? 0), options.syncOutputTimestamps);
    return {
      process({ inputs }) {
        const { packet } = inputs[''];
        if (packet !== undefined && packet.timestamp >= start && packet.timestamp < end) thinner.take(packet);
      },
      close: () => thinner.end(),
    };
  },
});

interface Thinner {
  take(packet: Packet): void;
  end(): void;
}

function thinAsync(output: OutputPort, period: bigint): Thinner {
  let next: bigint = Timestamp.Min;
  return {
    take(packet) {
      if (packet.timestamp < next) return;
      next = packet.timestamp + period;
      output.send(packet);
      output.setBound(next);
    },
    end() {},
  };
}

function thinSync(output: OutputPort, period: bigint, start: bigint, restamp: boolean): Thinner {
  let kept: Packet | undefined;
  const centreOf = (t: bigint) => {
    const shifted = 2n * (t - start) + period;
    const double = 2n * period;
    const index = shifted >= 0n ? shifted / double : -((-shifted + double - 1n) / double);
    return start + index * period;
  };
  const distance = ({ timestamp }: Packet) => {
    const away = timestamp - centreOf(timestamp);
    return away < 0n ? -away : away;
  };
  const send = (packet: Packet) => output.send(packet, restamp ? centreOf(packet.timestamp) : packet.timestamp);
  return {
    take(packet) {
      const isSamePeriod = kept !== undefined && centreOf(kept.timestamp) === centreOf(packet.timestamp);
      if (kept !== undefined && !isSamePeriod) send(kept);
      if (kept === undefined || !isSamePeriod || distance(packet) <= distance(kept)) kept = packet;
      const bound = restamp ? centreOf(kept.timestamp) : kept.timestamp;
      if (bound > output.bound) output.setBound(bound);
    },
    end() {
      if (kept !== undefined) send(kept);
    },
  };
}
