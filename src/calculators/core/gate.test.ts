import { describe, expect, test } from 'vitest';
import { runCalculator, type CalculatorCase } from '../../graph/index.ts';
import { at, named, run } from './test-kit.ts';

const passed = async (node: CalculatorCase) =>
  (await run('Gate', { ...node, inputs: { '': at(1, 2), ...node.inputs }, outputs: [''] }))['']?.map(([t]) => t);

describe('Gate', () => {
  test.each([
    ['the option allow', { options: { allow: true } }, [1, 2]],
    ['no control', {}, []],
    ['side packet ALLOW', { sidePackets: { ALLOW: true } }, [1, 2]],
    [
      'side packet ALLOW false, which beats the option',
      { sidePackets: { ALLOW: false }, options: { allow: true } },
      [],
    ],
    ['side packet DISALLOW', { sidePackets: { DISALLOW: true } }, []],
    ['side packet DISALLOW false', { sidePackets: { DISALLOW: false } }, [1, 2]],
    ['stream ALLOW, closed where it has no packet', { inputs: { ALLOW: [[1, true]] } }, [1]],
    ['stream ALLOW false', { inputs: { ALLOW: [[1, false]] } }, []],
    [
      'stream DISALLOW',
      {
        inputs: {
          DISALLOW: [
            [1, true],
            [2, false],
          ],
        },
      },
      [2],
    ],
    ['empty packets as allow', { inputs: { ALLOW: [[1, false]] }, options: { empty_packets_as_allow: true } }, [2]],
  ] as const satisfies readonly (readonly [string, CalculatorCase, readonly number[]])[])(
    '%s',
    async (_, node, expected) => {
      expect(await passed(node)).toEqual(expected);
    },
  );

  test.each([
    [
      {},
      [
        [2, false],
        [3, true],
      ],
    ],
    [
      { initial_gate_state: 'GATE_DISALLOW' },
      [
        [1, true],
        [2, false],
        [3, true],
      ],
    ],
    [
      { initial_gate_state: 'GATE_ALLOW' },
      [
        [2, false],
        [3, true],
      ],
    ],
  ])('STATE_CHANGE tells of changes, with %j', async (options, expected) => {
    const ALLOW = [
      [1, true],
      [2, false],
      [3, true],
      [4, true],
    ] as const;
    const { STATE_CHANGE } = await run('Gate', {
      inputs: { '': at(1, 2, 3, 4), ALLOW },
      outputs: ['', 'STATE_CHANGE'],
      options,
    });
    expect(STATE_CHANGE).toEqual(expected);
  });

  test.each([
    { inputs: { '': [], ALLOW: [], DISALLOW: [] }, outputs: [''] },
    { inputs: { '': [] }, sidePackets: { ALLOW: true, DISALLOW: true }, outputs: [''] },
    { inputs: { '': [], ALLOW: [] }, sidePackets: { ALLOW: true }, outputs: [''] },
    { inputs: { '': [], ':1': [] }, outputs: [''] },
  ])('refuses %j', async (node) => {
    await expect(runCalculator(named('Gate'), node)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

test('Merge needs an input and has one output', async () => {
  await expect(runCalculator(named('Merge'), { outputs: [''] })).rejects.toThrow(/input stream .* is required/);
  await expect(runCalculator(named('Merge'), { inputs: { '': [] }, outputs: ['', ':1'] })).rejects.toThrow(
    /output stream .* was not expected/,
  );
});
