import { describe, expect, test } from 'vitest';
import { runCalculator, Timestamp, type CalculatorCase } from '../../graph/index.ts';
import { at, named } from './test-kit.ts';

const SIDE = { '': 'value' };

describe('SidePacketToStream', () => {
  test.each([
    ['AT_PRESTREAM', {}, [Timestamp.PreStream]],
    ['AT_POSTSTREAM', {}, [Timestamp.PostStream]],
    ['AT_ZERO', {}, [0n]],
    ['AT_TIMESTAMP', { sidePackets: { ...SIDE, TIMESTAMP: 17 } }, [17n]],
    ['AT_TICK', { inputs: { TICK: at(3, 5) } }, [3n, 5n]],
    ['AT_FIRST_TICK', { inputs: { TICK: at(3, 5) } }, [3n]],
  ] as const satisfies readonly (readonly [string, CalculatorCase, readonly bigint[]])[])(
    '%s',
    async (tag, node, expected) => {
      const { outputs } = await runCalculator(named('SidePacketToStream'), {
        sidePackets: SIDE,
        outputs: [tag],
        ...node,
      });
      expect(outputs[tag]).toEqual(expected.map((timestamp) => ({ value: 'value', timestamp })));
    },
  );

  test('several side packets go to as many outputs', async () => {
    const node = { sidePackets: { '': 'a', ':1': 'b' }, outputs: ['AT_ZERO', 'AT_ZERO:1'] };
    const { outputs } = await runCalculator(named('SidePacketToStream'), node);
    expect([outputs['AT_ZERO'], outputs['AT_ZERO:1']]).toEqual([
      [{ value: 'a', timestamp: 0n }],
      [{ value: 'b', timestamp: 0n }],
    ]);
  });

  test.each([
    ['two kinds of output', { outputs: ['AT_ZERO', 'AT_PRESTREAM'] }],
    ['no output', { outputs: [] }],
    ['AT_TICK without TICK', { outputs: ['AT_TICK'] }],
    ['AT_FIRST_TICK without TICK', { outputs: ['AT_FIRST_TICK'] }],
    ['TICK without use', { inputs: { TICK: [] }, outputs: ['AT_ZERO'] }],
    ['AT_TIMESTAMP without TIMESTAMP', { outputs: ['AT_TIMESTAMP'] }],
    ['TIMESTAMP without use', { sidePackets: { ...SIDE, TIMESTAMP: 1 }, outputs: ['AT_ZERO'] }],
    ['more outputs than side packets', { outputs: ['AT_ZERO', 'AT_ZERO:1'] }],
    ['fewer outputs than side packets', { sidePackets: { '': 1, ':1': 2 }, outputs: ['AT_ZERO'] }],
  ] as const satisfies readonly (readonly [string, CalculatorCase])[])('refuses %s', async (_, node) => {
    await expect(runCalculator(named('SidePacketToStream'), { sidePackets: SIDE, ...node })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});
