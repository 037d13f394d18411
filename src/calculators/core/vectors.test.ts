import { describe, expect, test } from 'vitest';
import { runCalculator, type CalculatorCase } from '../../graph/index.ts';
import { at, named, run } from './test-kit.ts';

describe('Concatenate…Vector', () => {
  test('joins values and vectors in the order of inputs, skipping what is absent', async () => {
    const inputs = {
      '': [[0, ['a', 'b']]],
      ':1': at(),
      ':2': [
        [0, 'c'],
        [1, 'd'],
      ],
    } as const;
    expect(await run('ConcatenateStringVector', { inputs, outputs: [''] })).toEqual({
      '': [
        [0, ['a', 'b', 'c']],
        [1, ['d']],
      ],
    });
    const options = { only_emit_if_all_present: true };
    expect(await run('ConcatenateStringVector', { inputs, outputs: [''], options })).toEqual({ '': [] });
  });

  test('takes vectors of any length', async () => {
    const long = new Float32Array(300_000).fill(1);
    const { '': joined } = await run('ConcatenateFloatVector', {
      inputs: { '': [[0, long]], ':1': [[0, 2]] },
      outputs: [''],
    });
    expect(joined?.[0]?.[1]).toHaveLength(300_001);
  });
});

describe('Split…Vector', () => {
  const ranges = [
    { begin: 0, end: 1 },
    { begin: 2, end: 4 },
  ];
  const inputs = { '': [[5, [1n, 2n, 3n, 4n, 5n]]] } as const;

  test('gives ranges, elements, or one vector of all ranges', async () => {
    const split = (outputs: string[], options: CalculatorCase['options']) =>
      run('SplitUint64tVector', { inputs, outputs, ...(options && { options }) });
    expect(await split(['', ':1'], { ranges })).toEqual({ '': [[5, [1n]]], ':1': [[5, [3n, 4n]]] });
    expect(await split([''], { ranges: ranges.toReversed(), combine_outputs: true })).toEqual({
      '': [[5, [3n, 4n, 1n]]],
    });
    expect(await split([''], { ranges: { begin: 1, end: 2 }, element_only: true })).toEqual({ '': [[5, 2n]] });
  });

  test.each([
    ['ranges that overlap', { combine_outputs: true, ranges: [{ end: 2 }, { begin: 1, end: 3 }] }],
    ['no ranges', {}],
    ['elements of longer ranges', { element_only: true, ranges: { end: 2 } }],
    ['more ranges than outputs', { ranges }],
  ])('refuses %s', async (_, options) => {
    const node = { inputs: { '': [] }, outputs: [''], options };
    await expect(runCalculator(named('SplitFloatVector'), node)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a vector that is too short fails the run', async () => {
    await expect(
      run('SplitFloatVector', { inputs: { '': [[0, [1]]] }, outputs: [''], options: { ranges: { begin: 0, end: 2 } } }),
    ).rejects.toThrow(/at least 2 elements expected, 1 given/);
  });
});

describe('Get…VectorItem', () => {
  const VECTOR = [
    [0, ['a', 'b']],
    [1, ['c', 'd']],
  ] as const;

  test('INDEX beats item_index', async () => {
    const result = await run('GetStringVectorItem', {
      inputs: { VECTOR, INDEX: [[1, 1]] },
      outputs: ['ITEM'],
      options: { item_index: 0 },
    });
    expect(result['ITEM']).toEqual([
      [0, 'a'],
      [1, 'd'],
    ]);
  });

  test('a place beyond the end fails, or gives nothing if so asked', async () => {
    const node = { inputs: { VECTOR }, outputs: ['ITEM'] };
    const get = (options: CalculatorCase['options']) =>
      run('GetStringVectorItem', { ...node, ...(options && { options }) });
    await expect(get({ item_index: 2 })).rejects.toThrow(/item 2 wanted of a vector of 2 elements/);
    expect(await get({ item_index: 2, output_empty_on_oob: true })).toEqual({ ITEM: [] });
    await expect(get({})).rejects.toThrow(/INDEX or item_index is required/);
  });
});

describe('Clip…VectorSize', () => {
  test('keeps the first elements; the side packet beats the option', async () => {
    const node = {
      inputs: {
        '': [
          [0, [1, 2, 3]],
          [1, [4]],
        ],
      },
      outputs: [''],
      options: { max_vec_size: 2 },
    } as const;
    expect(await run('ClipIntVectorSize', node)).toEqual({
      '': [
        [0, [1, 2]],
        [1, [4]],
      ],
    });
    const { '': clipped } = await run('ClipIntVectorSize', { ...node, sidePackets: { '': 1 } });
    expect(clipped?.[0]).toEqual([0, [1]]);
    await expect(run('ClipIntVectorSize', { ...node, options: { max_vec_size: 0 } })).rejects.toThrow(/max_vec_size/);
  });
});

test('vector sizes, indices and merged values', async () => {
  const VECTOR = [[3, [true, false, true]]] as const;
  expect(await run('BoolVectorSize', { inputs: { VECTOR }, outputs: ['SIZE'] })).toEqual({ SIZE: [[3, 3]] });
  expect(await run('BoolVectorIndices', { inputs: { VECTOR }, outputs: ['INDICES'] })).toEqual({
    INDICES: [[3, [0, 1, 2]]],
  });
  expect(await run('MergeFloatsToVector', { inputs: { '': at(1), ':1': at(1, 2) }, outputs: [''] })).toEqual({
    '': [
      [1, [1, 1]],
      [2, [2]],
    ],
  });
});

test('MakePair joins packets, one of which may be missing', async () => {
  const { '': pairs } = await run('MakePair', { inputs: { '': at(1), ':1': at(1, 2) }, outputs: [''] });
  expect(pairs).toEqual([
    [
      1,
      [
        { timestamp: 1n, value: 1 },
        { timestamp: 1n, value: 1 },
      ],
    ],
    [2, [undefined, { timestamp: 2n, value: 2 }]],
  ]);
});

test('DequantizeByteArray spreads bytes over the range', async () => {
  const node = {
    inputs: { ENCODED: [[1, Uint8Array.of(0x7f, 0xff, 0x00, 0x01)]] },
    outputs: ['FLOAT_VECTOR'],
  } as const;
  const options = { max_quantized_value: 2, min_quantized_value: -2 };
  const { FLOAT_VECTOR } = await run('DequantizeByteArray', { ...node, options });
  const numbers = Array.from(FLOAT_VECTOR?.[0]?.[1] as Float32Array, (number) => number.toFixed(6));
  expect(numbers).toEqual(['-0.000031', '2.007813', '-1.992188', '-1.976501']);
  await expect(run('DequantizeByteArray', { ...node, options: { max_quantized_value: 1 } })).rejects.toThrow(
    /min_quantized_value/,
  );
  await expect(
    run('DequantizeByteArray', { ...node, options: { max_quantized_value: 1, min_quantized_value: 1 } }),
  ).rejects.toThrow(/must be greater/);
});
