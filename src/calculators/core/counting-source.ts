import { defineCalculator, optional } from '../../graph/index.ts';
import { bool, int } from './packet-types.ts';

/**
 * A source of whole numbers at the times that they name: INITIAL_VALUE (0), then INCREMENT (1) more each time, BATCH_SIZE
 * (1) of them per call, for MAX_COUNT calls. For tests: fails after ERROR_COUNT calls, or at once with ERROR_ON_OPEN.
 *
 * node { calculator: "CountingSourceCalculator" input_side_packet: "MAX_COUNT:how_many" output_stream: "numbers" }
 */
export const countingSource = defineCalculator({
  name: 'CountingSourceCalculator',
  outputs: { '': int },
  inputSidePackets: {
    MAX_COUNT: optional(int),
    ERROR_COUNT: optional(int),
    ERROR_ON_OPEN: optional(bool),
    BATCH_SIZE: optional(int),
    INITIAL_VALUE: optional(int),
    INCREMENT: optional(int),
  },
  contract({ inputSidePackets, fail }) {
    if (inputSidePackets.has('MAX_COUNT') || inputSidePackets.has('ERROR_COUNT')) return;
    fail('a side packet MAX_COUNT or ERROR_COUNT is required');
  },
  open({ sidePackets }) {
    if (sidePackets.ERROR_ON_OPEN === true) throw new Error('ERROR_ON_OPEN is true');
    const whole = (tag: keyof typeof sidePackets, least: number, otherwise: number) => {
      const value = Number(sidePackets[tag] ?? otherwise);
      if (value < least) throw new RangeError(`${tag} is ${value}, at least ${least} expected`);
      return value;
    };
    const calls = whole('MAX_COUNT', 0, Infinity);
    const callsBeforeError = whole('ERROR_COUNT', 0, Infinity);
    const batchSize = whole('BATCH_SIZE', 1, 1);
    const increment = whole('INCREMENT', 1, 1);
    let value = whole('INITIAL_VALUE', -Infinity, 0);
    let called = 0;
    return {
      process({ outputs, stop }) {
        if (called >= callsBeforeError) throw new Error(`ERROR_COUNT is ${callsBeforeError}`);
        if (called++ >= calls) return stop();
        for (let at = 0; at < batchSize; at++, value += increment) outputs[''].send(value, BigInt(value));
      },
    };
  },
});
