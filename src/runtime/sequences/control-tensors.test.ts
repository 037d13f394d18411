import { expect, it } from 'vitest';
import { typedData, type Tensor } from '../../tensor/tensor.ts';
import { ControlTensors } from './control-tensors.ts';
import type { SequenceControl } from './sequence-options.ts';

const id = (datatype: SequenceControl['datatype']): SequenceControl => ({
  input: 'ID',
  kind: 'correlation_id',
  datatype,
  falseTrue: undefined,
});
const told = ({ name, datatype, shape, data, ...tensor }: Tensor): unknown[] => [
  name,
  datatype,
  shape,
  datatype === 'BYTES' ? Buffer.from(data).toString() : [...typedData({ ...tensor, name, datatype, shape, data })],
];

it.each([
  ['INT32', [5, 9]],
  ['FP32', [-1, 0.5]],
  ['BOOL', [0, 1]],
] as const)('flags of %s have their own values for false and true', (datatype, [no, yes]) => {
  const kinds = ['start', 'ready', 'end'] as const;
  const flags = kinds.map((kind) => ({ input: kind, kind, datatype, falseTrue: [no, yes] as const }));
  const tensors = new ControlTensors('m', flags, true);
  expect(tensors.of({ id: 1n, isStart: true, isEnd: false }).map(told)).toEqual([
    ['start', datatype, [1, 1], [yes]],
    ['ready', datatype, [1, 1], [yes]],
    ['end', datatype, [1, 1], [no]],
  ]);
  expect(tensors.none.map(told)).toEqual(kinds.map((kind) => [kind, datatype, [1, 1], [no]]));
  expect(tensors.hasReady).toBe(true);
});

it.each([
  ['INT32', 2n ** 31n - 1n, [2 ** 31 - 1]],
  ['UINT32', 2n ** 32n - 1n, [2 ** 32 - 1]],
  ['INT64', 2n ** 63n - 1n, [2n ** 63n - 1n]],
  ['UINT64', 2n ** 64n - 1n, [2n ** 64n - 1n]],
] as const)('an id of %s is at most %s', (datatype, largest, values) => {
  const tensors = new ControlTensors('m', [id(datatype)], false);
  const step = { isStart: false, isEnd: false };
  expect(tensors.of({ ...step, id: largest }).map(told)).toEqual([['ID', datatype, [1], values]]);
  for (const wrong of [largest + 1n, 'seven']) {
    expect(() => tensors.of({ ...step, id: wrong })).toThrow(
      `given, an integer of at most ${largest} expected for control input 'ID' of model 'm'`,
    );
  }
  expect(tensors.hasReady).toBe(false);
});

it('an id of BYTES is a text', () => {
  const tensors = new ControlTensors('m', [id('BYTES')], true);
  const step = { isStart: false, isEnd: false };
  expect(tensors.of({ ...step, id: 'é7' }).map(told)).toEqual([['ID', 'BYTES', [1, 1], '\u0003\0\0\0é7']]);
  expect(tensors.none.map(told)).toEqual([['ID', 'BYTES', [1, 1], '\0\0\0\0']]);
  expect(() => tensors.of({ ...step, id: 7n })).toThrow('the integer 7 given, a string expected');
});

it.each<[SequenceControl, string]>([
  [id('FP32'), 'datatype FP32 given, INT32, UINT32, INT64, UINT64 or STRING expected of a correlation id'],
  [id('INVALID'), 'datatype INVALID given'],
  [{ input: 'S', kind: 'start', datatype: 'INT64', falseTrue: [0, 1] }, 'INT64 given, INT32, FP32 or BOOL expected'],
])('a datatype that a control cannot have is refused (%#)', (control, text) => {
  expect(() => new ControlTensors('m', [control], true)).toThrow(text);
});
