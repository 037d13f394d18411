import { expect, test } from 'vitest';
import { runCalculator } from '../../graph/index.ts';
import { passThrough } from './pass-through.ts';

test('copies packets by tag and index', async () => {
  const { outputs } = await runCalculator(passThrough, {
    inputs: { '': [[0, 'a']], 'T:0': [[0, 'b']], 'T:1': [[5, 'c']] },
    outputs: ['', 'T:0', 'T:1'],
  });
  expect(outputs).toEqual({
    '': [{ value: 'a', timestamp: 0n }],
    'T:0': [{ value: 'b', timestamp: 0n }],
    'T:1': [{ value: 'c', timestamp: 5n }],
  });
});

test('copies side packets', async () => {
  const { sidePackets } = await runCalculator(passThrough, { sidePackets: { A: 7 }, outputSidePackets: ['A'] });
  expect(sidePackets).toEqual({ A: 7 });
});
