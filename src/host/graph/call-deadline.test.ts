import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { anyPacket, defineCalculator, runCalculator, sameAs, type CalculatorInstance } from '../../graph/index.ts';
import { withCallDeadline } from './call-deadline.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => vi.useRealTimers());

const never = (): Promise<void> => new Promise(() => {});

async function outcome(instance: CalculatorInstance, ms: number, open = (): Promise<void> => Promise.resolve()) {
  const definition = defineCalculator({
    name: 'X',
    inputs: { '': anyPacket },
    outputs: { '': sameAs('') },
    open: () => open().then(() => instance),
  });
  const running = runCalculator(withCallDeadline(definition, ms), { inputs: { '': [[1, 'a']] }, outputs: [''] }).then(
    ({ outputs }) => outputs[''],
    (error: Error) => ({ text: error.message, reason: (error.cause as { reason?: string }).reason }),
  );
  await new Promise(setImmediate);
  await vi.advanceTimersByTimeAsync(ms);
  return running;
}

test.each(['process', 'close'] as const)('a %s that never settles fails the run with the reason', async (call) => {
  expect(await outcome({ [call]: never }, 100)).toEqual({
    text: expect.stringContaining(`${call} did not end within 100 ms (call_deadline_ms)`) as string,
    reason: 'CALL_TIMED_OUT',
  });
});

test('so does an open', async () => {
  expect(await outcome({}, 100, never)).toMatchObject({ text: expect.stringContaining('open did not end') as string });
});

test('calls that end in time are as they were, and leave no timer', async () => {
  const process: CalculatorInstance['process'] = async ({ inputPorts, outputPorts }) => {
    await new Promise(setImmediate);
    outputPorts[0]?.send(inputPorts[0]?.packet?.value);
  };
  expect(await outcome({ process }, 100)).toEqual([{ value: 'a', timestamp: 1n }]);
  expect(vi.getTimerCount()).toBe(0);
});

test('0 is no limit', () => {
  const definition = defineCalculator({ name: 'X', open: () => undefined });
  expect(withCallDeadline(definition, 0)).toBe(definition);
});
