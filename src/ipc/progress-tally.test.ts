import { expect, test } from 'vitest';
import { tensorOf } from '../tensor/tensor.ts';
import { HeadReader, HeadWriter } from './head.ts';
import { ProgressTally, readProgress } from './progress-tally.ts';

const request = {
  servable: 'g',
  version: '1',
  id: '',
  inputs: [tensorOf('in', 'FP32', [2], Float32Array.of(1, 2))],
  outputs: [],
};

function written(tally: ProgressTally) {
  const writer = new HeadWriter().start();
  tally.write(writer, { packets: 7, bytes: 2 ** 33 });
  return readProgress(new HeadReader(Buffer.from(writer.finish()), 0));
}

test('what became of requests is told once: all give credit back, only those taken count as such', () => {
  const tally = new ProgressTally();
  expect(tally.isEmpty).toBe(true);
  tally.taken(request, 3);
  tally.dropped(2, request);
  tally.dropped(4);
  tally.settled(request);
  expect(tally.isEmpty).toBe(false);
  const queue = { packets: 7, bytes: 2 ** 33 };
  expect(written(tally)).toEqual({
    messages: 3,
    bytes: 3 * (256 + 8),
    progress: { accepted: 1, packetsIn: 3, packetsDropped: 6, queue },
  });
  expect(written(tally)).toEqual({
    messages: 0,
    bytes: 0,
    progress: { accepted: 0, packetsIn: 0, packetsDropped: 0, queue },
  });
});
