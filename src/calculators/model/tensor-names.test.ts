import { describe, expect, it } from 'vitest';
import { namingFault, wire, type TensorNames } from './tensor-names.ts';

const none: TensorNames = { side: 'input', map: [], order: [] };

describe('namingFault', () => {
  it.each<[string, Partial<TensorNames>, string[], RegExp | undefined]>([
    ['tags that are names', {}, ['A', 'B'], undefined],
    ['a map', { map: [{ key: 'A', value: 'a' }] }, ['A'], undefined],
    ['an order list for a vector', { order: ['a', 'b'] }, ['OVTENSORS'], undefined],
    ['both', { map: [{ key: 'A', value: 'a' }], order: ['a'] }, ['A'], /exclude each other/],
    ['a vector without order', {}, ['OVTENSORS'], /input_order_list must name them in order/],
    ['a map for a tag that is not there', { map: [{ key: 'SIGNL', value: 'a' }] }, ['SIGNAL'], /did you mean "SIGNAL"/],
  ])('%s', (_, names, tags, fault) => {
    const found = namingFault({ ...none, ...names }, tags);
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });
});

describe('wire', () => {
  it('uses the map, then the tag itself', () => {
    const names = { ...none, map: [{ key: 'A', value: 'first' }] };
    expect(wire(names, ['A', 'B'], ['first', 'B'], 'm')).toEqual([
      { port: 0, isVector: false, tensors: ['first'] },
      { port: 1, isVector: false, tensors: ['B'] },
    ]);
  });

  it('names the tensor that the model lacks and those it has', () => {
    expect(() => wire(none, ['X'], ['A', 'B'], 'm')).toThrow(
      'model "m" has no input "X" (stream tag "X"); it has "A", "B"',
    );
  });
});
