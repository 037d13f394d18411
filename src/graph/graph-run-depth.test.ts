import { expect, test } from 'vitest';
import { anyPacket } from './packet-type.ts';
import { defineCalculator } from './calculator.ts';
import { startGraph } from './test-kit.ts';

const chain = (length: number) =>
  `input_stream: "s0" ${Array.from({ length }, (_, n) => `node { calculator: "Copy" input_stream: "s${n}" output_stream: "s${n + 1}" }`).join('\n')}`;

test('a bound passes through thousands of nodes', async () => {
  const length = 4000;
  const { run, seen, add, finish } = startGraph(chain(length), [], { observe: [`s${length}`] });
  await run.waitUntilIdle();
  run.setInputBound('s0', 5n);
  expect(run.isSettledPast(`s${length}`, 4n)).toBe(true);
  add('s0', 5);
  await finish();
  expect(seen).toEqual([`s${length}@5=5`]);
}, 60_000);

test('a batch of the largest size runs on a stack that is almost full', async () => {
  const calls: bigint[] = [];
  const count = defineCalculator({
    name: 'Count',
    inputs: { '': anyPacket },
    open: () => ({
      process: ({ timestamp }) => {
        calls.push(timestamp);
        // Deeper for each call that began within another.
        const depth = new Error().stack?.split('\n').length ?? 0;
        expect(depth).toBeLessThan(40);
      },
    }),
  });
  Error.stackTraceLimit = 100;
  const { add, finish } = startGraph(
    `input_stream: "a" node { calculator: "Count" input_stream: "a" input_stream_handler {
      input_stream_handler: "DefaultInputStreamHandler"
      options { [mediapipe.DefaultInputStreamHandlerOptions.ext] { batch_size: 1000 } } } }`,
    [count],
  );
  for (let t = 0; t < 1000; t++) add('a', t);
  await finish();
  expect(calls).toHaveLength(1000);
});
