import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { counter, oneNode, slow, startGraph } from './test-kit.ts';

const starved =
  'max_queue_size: 2 input_stream: "a" input_stream: "c" node { calculator: "Copy" input_stream: "a" input_stream: "c" output_stream: "x" output_stream: "y" }';

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
    expect(run.queueSizes).toEqual([{ node: 'Slow', stream: 'c', size: 1, bytes: 0 }]);
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

describe('bytes in queues', () => {
  const sizeOf = (value: unknown) => (value as string).length;

  test('throttle everything that feeds the graph, until there is room', async () => {
    const { definition, waiting } = slow();
    const { run, add } = startGraph(
      'input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }',
      [definition],
      { sizeOf, maxQueueBytes: 10 },
    );
    add('a', 0, 'x'.repeat(100));
    await turn();
    expect([run.isThrottled(), waiting.length]).toEqual([false, 1]); // what is being processed is in no queue
    add('a', 1, 'x'.repeat(9));
    expect(run.isThrottled()).toBe(false);
    add('a', 2, 'x');
    expect([run.isThrottled(), run.isThrottled('a')]).toEqual([true, true]);
    const free = run.whenNotThrottled();
    waiting[0]?.();
    await free;
    run.cancel();
    await expect(run.waitUntilDone()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('that nothing can empty end the run', async () => {
    const { run, add } = startGraph(starved, [], { sizeOf, maxQueueBytes: 10 });
    add('a', 0, 'x'.repeat(9));
    await run.waitUntilIdle();
    add('a', 1, 'xx');
    await expect(run.waitUntilDone()).rejects.toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      fault: 'queue',
      message: expect.stringContaining(
        'stream "a" of node "Copy": 2 packets wait for packets of other streams that do not come; all queues hold 11 bytes',
      ) as string,
    });
  });

  test('count only while packets are queued', async () => {
    const { run, seen, add, finish } = startGraph(oneNode, [], { sizeOf, maxQueueBytes: 10, observe: ['b'] });
    for (let t = 0; t < 20; t++) {
      await run.whenNotThrottled();
      add('a', t, 'xxxxx');
    }
    await finish();
    expect([seen.length, run.isThrottled()]).toEqual([20, false]);
  });
});

test('a deadlock is not relieved for ever', async () => {
  const { run, add } = startGraph(starved, []);
  let t = 0;
  run.onError(() => {});
  while (t < 20_000) {
    await run.whenNotThrottled();
    if (run.checkPacket('a', 0, BigInt(t)) !== undefined) break;
    add('a', t++, 0);
  }
  expect(t).toBe(10_000);
  await expect(run.waitUntilDone()).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});
