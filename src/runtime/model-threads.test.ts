import { expect, it } from 'vitest';
import { modelThreads } from './model-threads.ts';

it.each([
  ['is told nothing', undefined, 4, 4, 0],
  ['is to use all processors', 4, 4, 4, 0],
  ['is to use more than there are', 8, 4, 8, 0],
  ['is to use one of one', 1, 1, 1, 0],
  ['is to use one of four', 1, 4, 1, 4],
  ['is to use two of five', 2, 5, 2, 2],
  ['is to use three of four', 3, 4, 3, 1],
])('a model that %s', (_, wanted, processors, intraOpThreads, inferenceThreads) => {
  expect(modelThreads(wanted, processors)).toEqual({ intraOpThreads, inferenceThreads });
});
