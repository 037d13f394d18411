import { describe, expect, test } from 'vitest';
import { runCalculator } from '../../graph/index.ts';
import { at, named, run } from './test-kit.ts';

describe('CountingSource', () => {
  test('counts in batches', async () => {
    const sidePackets = { MAX_COUNT: 2, BATCH_SIZE: 2, INITIAL_VALUE: 5, INCREMENT: 10 };
    expect(await run('CountingSource', { sidePackets, outputs: [''] })).toEqual({ '': at(5, 15, 25, 35) });
    expect(await run('CountingSource', { sidePackets: { MAX_COUNT: 0 }, outputs: [''] })).toEqual({ '': [] });
  });

  test.each([
    [{ ERROR_COUNT: 3 }, /ERROR_COUNT is 3/],
    [{ MAX_COUNT: 3, ERROR_ON_OPEN: true }, /ERROR_ON_OPEN/],
    [{ MAX_COUNT: 3, INCREMENT: 0 }, /INCREMENT is 0, at least 1 expected/],
    [{ INCREMENT: 1 }, /MAX_COUNT or ERROR_COUNT is required/],
  ])('fails with %j', async (sidePackets, message) => {
    await expect(run('CountingSource', { sidePackets, outputs: [''] })).rejects.toThrow(message);
  });
});

test.each([
  [{ OPTIONAL_VALUE: 1, DEFAULT_VALUE: 2 }, 1],
  [{ DEFAULT_VALUE: 2 }, 2],
  [{ OPTIONAL_VALUE: false, DEFAULT_VALUE: true }, false],
])('DefaultSidePacket of %j', async (sidePackets, expected) => {
  const { sidePackets: made } = await runCalculator(named('DefaultSidePacket'), {
    sidePackets,
    outputSidePackets: ['VALUE'],
  });
  expect(made).toEqual({ VALUE: expected });
});

describe('StringTo…', () => {
  const parse = async (kind: string, text: string) => {
    const node = { sidePackets: { '': text }, outputSidePackets: [''] };
    return (await runCalculator(named(`StringTo${kind}`), node)).sidePackets[''];
  };

  test.each([
    ['Int', ' -17 ', -17],
    ['Uint', '4294967295', 4294967295],
    ['Int64', '-9223372036854775808', -9223372036854775808n],
    ['Uint64', '18446744073709551615', 18446744073709551615n],
  ])('%s of "%s"', async (kind, text, expected) => {
    expect(await parse(kind, text)).toBe(expected);
  });

  test.each([
    ['Int32', '2147483648'],
    ['Uint', '-1'],
    ['Uint32', '1.5'],
    ['Int', ''],
    ['Uint64', '18446744073709551616'],
  ])('%s refuses "%s"', async (kind, text) => {
    await expect(parse(kind, text)).rejects.toThrow(/a whole number from .* expected/);
  });
});

test('Bypass passes what its options list and settles the rest', async () => {
  const node = { inputs: { A: at(1, 2), B: at(2) }, outputs: ['A', 'C'] };
  const options = { pass_input_stream: 'A:0', pass_output_stream: 'C' };
  expect(await run('Bypass', { ...node, options })).toEqual({ A: [], C: at(1, 2) });
  expect(await run('Bypass', node)).toEqual({ A: [], C: [] });
  const refused = [
    [{ pass_input_stream: 'A' }, /1 pass_input_stream for 0 pass_output_stream/],
    [{ pass_input_stream: 'X', pass_output_stream: 'C' }, /"X" is no input/],
    [{ pass_input_stream: 'A', pass_output_stream: 'B' }, /"B" is no output/],
  ] as const;
  for (const [wrong, message] of refused) {
    await expect(run('Bypass', { ...node, options: wrong })).rejects.toThrow(message);
  }
});

describe('Callback', () => {
  test('hands over the packet of its input, or those of all inputs', async () => {
    const taken: unknown[] = [];
    const take = (packets: unknown) => taken.push(packets);
    await runCalculator(named('Callback'), { inputs: { '': at(1) }, sidePackets: { CALLBACK: take } });
    await runCalculator(named('Callback'), {
      inputs: { '': at(2), ':1': [] },
      sidePackets: { VECTOR_CALLBACK: take },
    });
    expect(taken).toEqual([{ value: 1, timestamp: 1n }, [{ value: 2, timestamp: 2n }, undefined]]);
  });

  test('needs the one or the other; what it throws fails the run', async () => {
    const fails = () => {
      throw new Error('not wanted');
    };
    await expect(run('Callback', { inputs: { '': [] } })).rejects.toThrow(/CALLBACK or VECTOR_CALLBACK/);
    await expect(run('Callback', { inputs: { '': at(1) }, sidePackets: { CALLBACK: fails } })).rejects.toThrow(
      'not wanted',
    );
    await expect(run('Callback', { inputs: { '': [], ':1': [] }, sidePackets: { CALLBACK: fails } })).rejects.toThrow(
      /CALLBACK takes one input/,
    );
  });
});
