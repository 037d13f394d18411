import { expect, it } from 'vitest';
import { textData } from '../tensor/bytes.ts';
import { typedData, type Tensor } from '../tensor/tensor.ts';
import { madeUpInputs, RequestSource, requestsOfFile, type InputOptions } from './requests.ts';

const metadata = [
  { name: 'x', datatype: 'FP32', shape: [-1, 2] },
  { name: 't', datatype: 'BYTES', shape: [2] },
];
const options = (more: Partial<InputOptions> = {}): InputOptions => ({
  shapes: new Map([['x', [3, 2]]]),
  fill: 'random',
  text: undefined,
  stringLength: 8,
  ...more,
});

it('makes inputs up: finite numbers, texts of a length, shapes as said', () => {
  const [x, t] = madeUpInputs(metadata, options()) as [Tensor, Tensor];
  expect(x.shape).toEqual([3, 2]);
  expect([...typedData(x)].every((value) => Number(value) >= 0 && Number(value) <= 1)).toBe(true);
  expect(new Set([...typedData(x)] as unknown[]).size).toBeGreaterThan(1);
  expect(textData(t).map((text) => text.length)).toEqual([8, 8]);
  const zero = madeUpInputs(metadata, options({ fill: 'zero', text: 'hi' })) as [Tensor, Tensor];
  expect([...typedData(zero[0])]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(textData(zero[1])).toEqual(['hi', 'hi']);
});

it('says which shape must be given, and which input does not exist', () => {
  expect(() => madeUpInputs(metadata, options({ shapes: new Map() }))).toThrow(
    'input "x" has shape [-1,2]: say --shape x:N,N',
  );
  expect(() => madeUpInputs(metadata, options({ shapes: new Map([['y', [1]]]) }))).toThrow(
    'the model has no input "y"; it has x, t',
  );
  expect(() => madeUpInputs([{ name: 'r', datatype: 'INVALID', shape: [1] }], options({ shapes: new Map() }))).toThrow(
    'input "r" has no datatype of its own',
  );
});

it("reads perf_analyzer's data files, steps of sequences too", () => {
  const file = {
    data: [{ x: [1, 2, 3, 4], t: ['a', 'b'] }, [{ x: { content: [[5, 6]], shape: [1, 2] }, t: ['c', 'd'] }]],
  };
  const requests = requestsOfFile(file, metadata, new Map());
  expect(requests.map(([x]) => [x?.shape, [...typedData(x as Tensor)]])).toEqual([
    [
      [2, 2],
      [1, 2, 3, 4],
    ],
    [
      [1, 2],
      [5, 6],
    ],
  ]);
  expect(() => requestsOfFile({ data: [{ y: [1] }] }, metadata, new Map())).toThrow(
    'data[0]: the model has no input "y"',
  );
  expect(() => requestsOfFile({ data: [] }, metadata, new Map())).toThrow('"data": a list of requests expected');
  expect(() => requestsOfFile({ data: [{ x: 3 }] }, metadata, new Map())).toThrow('data[0]."x"');
});

it('each worker goes through one sequence after another', () => {
  const source = new RequestSource([{ model: 'm', inputs: [] }], { length: 2, firstId: 7 });
  const seen = [0, 1, 0, 0, 1].map((worker) => source.next(worker).parameters);
  expect(seen.map((p) => [p?.['sequence_id'], p?.['sequence_start'], p?.['sequence_end']])).toEqual([
    [7n, true, false],
    [8n, true, false],
    [7n, false, true],
    [9n, true, false],
    [8n, false, true],
  ]);
});

it('sequences that are not done can be ended, and the next ones begin anew', () => {
  const source = new RequestSource([{ model: 'm', inputs: [] }], { length: 3, firstId: 7 });
  for (const worker of [0, 1, 0, 1, 1]) source.next(worker);
  expect(source.endings()).toMatchObject([
    [0, { id: '5', parameters: { sequence_id: 7n, sequence_start: false, sequence_end: true } }],
  ]);
  expect(source.endings()).toEqual([]);
  expect(source.next(0).parameters).toMatchObject({ sequence_id: 9n, sequence_start: true });
});

it('requests come in turn, each with its own id', () => {
  const source = new RequestSource(
    ['a', 'b'].map((model) => ({ model, inputs: [] })),
    undefined,
  );
  expect([0, 0, 0].map((worker) => source.next(worker))).toMatchObject([
    { model: 'a', id: '0' },
    { model: 'b', id: '1' },
    { model: 'a', id: '2' },
  ]);
});
