import {
  anyPacket,
  defineCalculator,
  nextTimestamp,
  optional,
  type CalculatorDefinition,
  type PacketType,
} from '../../graph/index.ts';
import { clonePorts, linkClones, sendClones } from './clones.ts';
import { timestamp as timestampType } from './packet-types.ts';

/**
 * Makes a calculator that sends the items of a collection one by one, on a clock of its own that begins at 0. CLONE inputs
 * are repeated beside each item; BATCH_END carries the collection's timestamp at the last item's time. TICK, of no effect
 * here, is what older graphs have.
 *
 * node { calculator: "BeginLoopFloatCalculator" input_stream: "ITERABLE:values" input_stream: "CLONE:frame"
 *        output_stream: "ITEM:value" output_stream: "CLONE:frame_again" output_stream: "BATCH_END:end" }
 */
export function defineBeginLoop<T>(
  name: string,
  item: PacketType<T>,
  iterable: PacketType<Iterable<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { ITERABLE: iterable, CLONE: clonePorts, TICK: optional(anyPacket) },
    outputs: { ITEM: item, CLONE: clonePorts, BATCH_END: timestampType },
    processTimestampBounds: true,
    contract: linkClones,
    open() {
      let clock = 0n;
      return {
        process({ inputs, outputs, outputPorts, timestamp }) {
          const start = clock;
          for (const value of inputs.ITERABLE.packet?.value ?? []) {
            outputs.ITEM.send(value, clock);
            sendClones(inputs.CLONE, outputs.CLONE, clock);
            clock++;
          }
          if (clock === start) {
            clock++; // an empty collection uses up one tick
            for (const output of outputPorts) output.setBound(clock);
          }
          outputs.BATCH_END.send(timestamp, clock - 1n);
        },
      };
    },
  });
}

/**
 * Makes a calculator that collects ITEM packets until BATCH_END, and sends the collection at the time that it carries.
 *
 * node { calculator: "EndLoopFloatCalculator" input_stream: "ITEM:result" input_stream: "BATCH_END:end"
 *        output_stream: "ITERABLE:results" }
 */
export function defineEndLoop<T>(
  name: string,
  item: PacketType<T>,
  iterable: PacketType<Iterable<T>>,
): CalculatorDefinition {
  return defineCalculator({
    name,
    inputs: { ITEM: item, BATCH_END: timestampType },
    outputs: { ITERABLE: iterable },
    open() {
      let items: T[] | undefined;
      return {
        process({ inputs: { ITEM, BATCH_END }, outputs: { ITERABLE } }) {
          if (ITEM.packet !== undefined) (items ??= []).push(ITEM.packet.value);
          if (BATCH_END.packet === undefined) return;
          const outer = BATCH_END.packet.value;
          if (items === undefined) ITERABLE.setBound(nextTimestamp(outer));
          else ITERABLE.send(items, outer);
          items = undefined;
        },
      };
    },
  });
}
