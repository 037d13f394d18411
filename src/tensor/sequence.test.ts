import { expect, it } from 'vitest';
import { Uint64, type ParameterValue } from './parameters.ts';
import { sequenceStep } from './sequence.ts';

it.each<[ParameterValue | undefined, bigint | string | undefined]>([
  [undefined, undefined],
  [0n, undefined],
  ['', undefined],
  [new Uint64(0n), undefined],
  [7n, 7n],
  [-1n, 2n ** 64n - 1n],
  [new Uint64(2n ** 63n), 2n ** 63n],
  ['seven', 'seven'],
  ['7', '7'],
  ['é'.repeat(64), 'é'.repeat(64)],
])('sequence_id %s is %s', (given, id) => {
  const parameters = given === undefined ? {} : { sequence_id: given };
  expect(sequenceStep(parameters)).toEqual({ id, isStart: false, isEnd: false });
});

it('flags are booleans', () => {
  expect(sequenceStep({ sequence_start: true, sequence_end: true })).toMatchObject({ isStart: true, isEnd: true });
});

it.each<[Record<string, ParameterValue>, string]>([
  [{ sequence_id: 1.5 }, "parameter 'sequence_id': 1.5 given, an integer or a string expected"],
  [{ sequence_id: true }, "parameter 'sequence_id': true given, an integer or a string expected"],
  [{ sequence_start: 1n }, "parameter 'sequence_start': 1 given, a boolean expected"],
  [{ sequence_end: 'yes' }, 'parameter \'sequence_end\': "yes" given, a boolean expected'],
  [{ sequence_id: 'é'.repeat(65) }, 'string correlation ID cannot be longer than 128 characters'],
])('is refused (%#)', (parameters, text) => {
  expect(() => sequenceStep(parameters)).toThrow(text);
});
