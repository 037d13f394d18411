import { z } from 'zod';
import {
  anyPacket,
  defineCalculator,
  mergeOptions,
  nextTimestamp,
  optional,
  repeated,
  sameAs,
  Timestamp,
  type OutputPort,
  type Packet,
} from '../../graph/index.ts';
import { dropCounter } from './drop-service.ts';
import { copyHeaders } from './headers.ts';
import { bool, int, optionFields } from './packet-types.ts';

const limits = z.object({
  maxInFlight: z.int().min(1).default(1).describe('Packets being worked on at once.'),
  maxInQueue: z.int().min(0).default(0).describe('Packets waiting; when there are more, the oldest is dropped.'),
  inFlightTimeout: z.int().min(0).default(0).describe('Microseconds after which a packet counts as lost; 0: never.'),
});

/**
 * Drops packets so that at most `max_in_flight` are being worked on between its output and FINISHED, a back edge; the
 * newest `max_in_queue` wait. Further data streams are thinned alike. ALLOW tells what was decided for each time.
 * OPTIONS, a side packet or a stream whose packets count from when they come, has fields that replace those of the node's
 * options; the side packet MAX_IN_FLIGHT replaces that one.
 *
 * node { calculator: "FlowLimiterCalculator" input_stream: "frames" input_stream: "FINISHED:result"
 *        input_stream_info { tag_index: "FINISHED" back_edge: true } output_stream: "some_frames" }
 */
export const flowLimiter = defineCalculator({
  name: 'FlowLimiterCalculator',
  options: limits,
  inputs: { '': repeated(anyPacket), FINISHED: anyPacket, OPTIONS: optional(optionFields) },
  outputs: { '': repeated(anyPacket), ALLOW: optional(bool) },
  inputSidePackets: { MAX_IN_FLIGHT: optional(int), OPTIONS: optional(optionFields) },
  inputPolicy: 'ImmediateInputStreamHandler',
  processTimestampBounds: true,
  contract({ inputs, outputs, fail }) {
    if (inputs.count('') !== outputs.count('')) fail('a flow limiter has as many data outputs as data inputs');
    for (const output of outputs) if (output.tag === '') output.type = sameAs('', output.index);
  },
  open({ options: own, inputs, outputs, sidePackets, hasService, service }) {
    const drop = dropCounter({ hasService, service });
    copyHeaders(inputs[''], outputs['']);
    let options = sidePackets.OPTIONS === undefined ? own : mergeOptions(limits, own, sidePackets.OPTIONS);
    if (sidePackets.MAX_IN_FLIGHT !== undefined) {
      options = { ...options, maxInFlight: Number(sidePackets.MAX_IN_FLIGHT) };
    }
    const queues: Packet[][] = inputs[''].map(() => []);
    const inFlight: bigint[] = [];
    const decisions = new Decisions();

    return {
      process({ timestamp, inputs: { '': data, FINISHED, OPTIONS }, outputs: { '': sent, ALLOW } }) {
        const [main] = data;
        const [output] = sent;
        const [queue] = queues;
        if (main === undefined || output === undefined || queue === undefined) return;
        const decide = (isAllowed: boolean, t: bigint) => {
          ALLOW?.send(isAllowed, t);
          if (data.length > 1) decisions.add(t, isAllowed);
        };

        if (OPTIONS?.packet !== undefined) options = mergeOptions(limits, options, OPTIONS.packet.value);
        if (FINISHED.timestamp === timestamp) removeBefore(inFlight, timestamp + 1n);
        data.forEach(({ packet }, at) => {
          if (packet !== undefined) queues[at]?.push(packet);
        });
        if (options.inFlightTimeout > 0 && main.timestamp === timestamp && timestamp < Timestamp.Max) {
          removeBefore(inFlight, timestamp - BigInt(options.inFlightTimeout));
        }
        while (inFlight.length < options.maxInFlight) {
          const packet = queue.shift();
          if (packet === undefined) break;
          output.send(packet);
          decide(true, packet.timestamp);
          inFlight.push(packet.timestamp);
        }
        while (queue.length > options.maxInQueue) {
          const dropped = queue.shift();
          if (dropped === undefined) continue;
          decide(false, dropped.timestamp);
          drop(1);
        }
        const bound = queue[0]?.timestamp ?? nextTimestamp(main.timestamp);
        raise(output, bound);
        if (ALLOW !== undefined && queue.length === 0) raise(ALLOW, bound);

        const settled = output.bound;
        for (let at = 1; at < data.length; at++) {
          const waiting = queues[at];
          const other = sent[at];
          const input = data[at];
          if (waiting === undefined || other === undefined || input === undefined) continue;
          for (let packet = waiting[0]; packet !== undefined && packet.timestamp < settled; packet = waiting[0]) {
            waiting.shift();
            if (decisions.at(packet.timestamp)) other.send(packet);
            else drop(1);
          }
          raise(other, waiting[0]?.timestamp ?? nextTimestamp(input.timestamp));
        }
        decisions.forgetBefore(
          leastOf(data.map((input, at) => queues[at]?.[0]?.timestamp ?? nextTimestamp(input.timestamp))),
        );
      },
    };
  },
});

/** Removes the entries below `t` from an ascending list. */
function removeBefore(list: bigint[], t: bigint): void {
  while (list[0] !== undefined && list[0] < t) list.shift();
}

const leastOf = (times: readonly bigint[]): bigint =>
  times.reduce((least, t) => (t < least ? t : least), Timestamp.Done);

function raise(output: OutputPort, bound: bigint): void {
  if (bound <= output.bound) return;
  if (bound > Timestamp.Max) output.close();
  else output.setBound(bound);
}

/** What was decided for the main stream's packets; a decision holds until the next, and before the first all is allowed. */
class Decisions {
  /** Ascending. */
  readonly #list: { readonly timestamp: bigint; readonly isAllowed: boolean }[] = [];

  add(timestamp: bigint, isAllowed: boolean): void {
    this.#list.push({ timestamp, isAllowed });
  }

  at(timestamp: bigint): boolean {
    return this.#list.findLast((decision) => decision.timestamp <= timestamp)?.isAllowed ?? true;
  }

  /** Nothing before `t` will be asked for. */
  forgetBefore(t: bigint): void {
    while (this.#list[1] !== undefined && this.#list[1].timestamp <= t) this.#list.shift();
  }
}
