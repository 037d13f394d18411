import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { counter, oneNode, slow, startGraph, type TestRun } from './test-kit.ts';

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

describe('adding while a node is blocked', () => {
  const graph = (limit: number) =>
    `max_queue_size: ${limit} input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }`;
  /** Adds `n` packets, one per turn, and lets the node go on only then. Returns how many were refused. */
  async function addMany({ run, finish }: TestRun, waiting: (() => void)[], n: number): Promise<number> {
    let refused = 0;
    for (let t = 0; t < n; t++) {
      await turn();
      try {
        run.addPacketIfNotFull('a', { value: t, timestamp: BigInt(t) });
      } catch (error) {
        expect(error).toMatchObject({
          code: 'UNAVAILABLE',
          message: expect.stringContaining('throttled') as string,
        });
        refused++;
      }
    }
    await letEnd(finish(), waiting);
    return refused;
  }

  test('only where there is room: all but the one in work and the one that waits are refused, in each run', async () => {
    for (const _ of [1, 2]) {
      const { definition, waiting } = slow();
      const started = startGraph(graph(1), [definition], { observe: ['b'] });
      expect(await addMany(started, waiting, 20)).toBe(18);
      expect(started.seen).toEqual(['b@0=0', 'b@1=1']);
    }
  });

  test('without a limit none is refused', async () => {
    const { definition, waiting } = slow();
    const started = startGraph(graph(-1), [definition], { observe: ['b'] });
    expect(await addMany(started, waiting, 20)).toBe(0);
    expect(started.seen).toHaveLength(20);
  });

  test('with waits none is refused and all arrive', async () => {
    const { definition, waiting } = slow();
    const { run, seen, add, finish } = startGraph(graph(1), [definition], { observe: ['b'] });
    const feeding = (async () => {
      for (let t = 0; t < 20; t++) {
        await run.whenNotThrottled();
        add('a', t);
      }
      await finish();
    })();
    await letEnd(feeding, waiting);
    expect(seen).toHaveLength(20);
  });

  test('an input may have a limit of its own', async () => {
    const { definition, waiting } = slow();
    const started = startGraph(graph(1), [definition]);
    started.run.setInputMaxQueueSize('a', 5);
    expect(await addMany(started, waiting, 20)).toBe(14);
    const other = startGraph(graph(1), [slow().definition]).run;
    expect(() => other.setInputMaxQueueSize('a', 0)).toThrow(/stream "a": a queue of 0 packets, at least 1 or -1/);
    expect(() => other.setInputMaxQueueSize('b', 1)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });

  test('a queue that is longer than its new limit holds its input back', async () => {
    const { definition, waiting } = slow();
    const { run, add, finish } = startGraph(graph(100), [definition]);
    await run.waitUntilIdle();
    for (let t = 0; t < 5; t++) add('a', t);
    expect(run.isThrottled('a')).toBe(false);
    run.setInputMaxQueueSize('a', 2);
    expect(run.isThrottled('a')).toBe(true);
    run.setInputMaxQueueSize('a', -1);
    expect(run.isThrottled('a')).toBe(false);
    await letEnd(finish(), waiting);
  });

  test('a run that has failed says why', () => {
    const { run } = startGraph(oneNode, []);
    run.cancel();
    expect(() => run.addPacketIfNotFull('a', { value: 0, timestamp: 0n })).toThrow(/was cancelled/);
  });
});

/** Lets a slow node go on until `end`. */
async function letEnd(end: Promise<void>, waiting: (() => void)[]): Promise<void> {
  let hasEnded = false;
  const ended = end.finally(() => (hasEnded = true));
  while (!hasEnded) {
    waiting.splice(0).forEach((go) => go());
    await turn();
  }
  await ended;
}
