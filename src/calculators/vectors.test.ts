import { expect, test } from 'vitest';
import { CalculatorRegistry, runCalculator, type CalculatorCase } from '../graph/index.ts';
import { tensorOf } from '../tensor/tensor.ts';
import { messageVectorCalculators } from './vectors.ts';

const registry = new CalculatorRegistry(messageVectorCalculators);

async function run(name: string, node: CalculatorCase): Promise<Record<string, unknown[]>> {
  const definition = registry.get(name);
  if (definition === undefined) throw new Error(`no ${name}`);
  const { outputs } = await runCalculator(definition, node);
  return Object.fromEntries(
    Object.entries(outputs).map(([port, packets]) => [port, packets.map(({ value }) => value)]),
  );
}

const tensor = (name: string) => tensorOf(name, 'FP32', [1], new Float32Array([1]));
const point = (x: number) => ({ x, y: 0, z: 0 });

test('vectors of tensors', async () => {
  const [a, b] = [tensor('a'), tensor('b')];
  expect(
    await run('ConcatenateTensorVectorCalculator', { inputs: { '': [[0, [a]]], ':1': [[0, b]] }, outputs: [''] }),
  ).toEqual({
    '': [[a, b]],
  });
  const options = { ranges: { begin: 1, end: 2 }, element_only: true };
  expect(await run('SplitTensorVectorCalculator', { inputs: { '': [[0, [a, b]]] }, outputs: [''], options })).toEqual({
    '': [b],
  });
});

test('lists of landmarks join and split, vectors of lists keep them whole', async () => {
  const list = [point(1), point(2)];
  const node = { inputs: { '': [[0, list]], ':1': [[0, [point(3)]]] }, outputs: [''] } as const;
  expect(await run('ConcatenateNormalizedLandmarkListCalculator', node)).toEqual({ '': [[...list, point(3)]] });
  expect(await run('ConcatenateNormalizedLandmarkListVectorCalculator', node)).toEqual({ '': [[list, [point(3)]]] });
  const options = {
    ranges: [
      { begin: 1, end: 2 },
      { begin: 0, end: 1 },
    ],
    combine_outputs: true,
  };
  expect(
    await run('SplitNormalizedLandmarkListCalculator', { inputs: { '': [[0, list]] }, outputs: [''], options }),
  ).toEqual({ '': [list.toReversed()] });
  expect(
    await run('BeginLoopNormalizedLandmarkListVectorCalculator', {
      inputs: { ITERABLE: [[0, [list, []]]] },
      outputs: ['ITEM', 'BATCH_END'],
    }),
  ).toMatchObject({ ITEM: [list, []] });
});
