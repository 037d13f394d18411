import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { counter, slow, startGraph } from './test-kit.ts';

describe('throttling', () => {
  const limited =
    'max_queue_size: 2 input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }';

  test('a full queue holds the input back until it has room', async () => {
    const { definition, waiting } = slow();
    const { run, add } = startGraph(limited, [definition]);
    await run.waitUntilIdle();
    for (const t of [0, 1, 2]) add('a', t);
    expect(run.isThrottled('a')).toBe(true);
    let isFree = false;
    const free = run.whenNotThrottled().then(() => (isFree = true));
    await turn();
    expect(isFree).toBe(false);
    waiting[0]?.();
    await free;
    expect(run.isThrottled()).toBe(false);
    run.cancel();
  });

  const starved =
    'max_queue_size: 2 input_stream: "a" input_stream: "c" node { calculator: "Copy" input_stream: "a" input_stream: "c" output_stream: "x" output_stream: "y" }';

  test('a deadlock is relieved by a larger queue', async () => {
    const { run, seen, add, finish } = startGraph(starved, [], { observe: ['x'] });
    for (let t = 0; t < 9; t++) {
      await run.whenNotThrottled();
      add('a', t);
    }
    await finish();
    expect(seen).toHaveLength(9);
  });

  test('or reported', async () => {
    const { run, add } = startGraph(`report_deadlock: true ${starved}`, []);
    add('a', 0);
    add('a', 1);
    await run.whenNotThrottled();
    expect(() => add('a', 2)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    await expect(run.waitUntilDone()).rejects.toThrow(/deadlock due to input throttling for input stream: "a"/);
  });

  test('sources wait while a queue or the output is full', async () => {
    const { definition, waiting } = slow();
    const { run } = startGraph(
      'max_queue_size: 1 node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" } node { calculator: "Slow" input_stream: "c" output_stream: "b" }',
      [definition, counter],
      { sidePackets: { n: 100 } },
    );
    await sleep(2);
    expect(run.queueSizes).toEqual([{ node: 'Slow', stream: 'c', size: 1 }]);
    run.setOutputBlocked(true);
    waiting[0]?.();
    await sleep(2);
    expect(run.queueSizes[0]?.size).toBe(0);
    run.setOutputBlocked(false);
    await sleep(2);
    expect(run.queueSizes[0]?.size).toBe(1);
    run.cancel();
  });
});
