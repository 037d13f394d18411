import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Packet } from './packet.ts';
import type { PollOptions } from './poller.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphRun } from './graph-run.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import type { GraphRunOptions } from './run-core.ts';
import { copy, counter, oneNode, slow, startGraph } from './test-kit.ts';
import { validateGraph } from './validate-graph.ts';

const counting = 'node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }';
const copied = `${counting} node { calculator: "Copy" input_stream: "c" output_stream: "b" }`;

/** A run that has started, with a poller per stream. */
function polled(text: string, streams: readonly string[], options: PollOptions = {}, runOptions: GraphRunOptions = {}) {
  const run = new GraphRun(validateGraph(parseGraphConfig(text), new CalculatorRegistry([copy, counter])), runOptions);
  const pollers = streams.map((stream) => run.poll(stream, options));
  run.start(text.includes('COUNT') ? new Map([['n', 1000]]) : undefined);
  return { run, pollers, next: () => pollers[0]?.next() as Promise<Packet | undefined> };
}

const settle = async () => {
  for (let turns = 0; turns < 20; turns++) await turn();
};

describe('a poller', () => {
  test.each([-1, 1, 2, 3, 4, 5, 6, 7, 8, 9])('gives 1000 packets in order, then nothing; limit %i', async (limit) => {
    const { run, next } = polled(copied, ['b'], { maxQueueSize: limit });
    for (let n = 0; n < 1000; n++) expect(await next()).toEqual({ value: n, timestamp: BigInt(n) });
    expect(await next()).toBeUndefined();
    await run.waitUntilDone();
    expect(await next()).toBeUndefined();
  });

  test('shares the stream with others, read in turn', async () => {
    const { run, pollers } = polled(copied, ['b', 'c'], { maxQueueSize: 1 });
    for (let n = 0; n < 1000; n++) {
      const packets = await Promise.all(pollers.map((poller) => poller.next()));
      expect(packets.map((packet) => packet?.value)).toEqual([n, n]);
    }
    expect(await Promise.all(pollers.map((poller) => poller.next()))).toEqual([undefined, undefined]);
    await run.waitUntilDone();
  });

  test('of a loop, whose node never closes, says that the run has ended', async () => {
    const loop = `input_stream: "a" node { calculator: "Copy" input_stream: "a" input_stream: "back"
      input_stream_info { tag_index: ":1" back_edge: true } output_stream: "b" output_stream: "back" }`;
    const { run, pollers, next } = polled(loop, ['b'], { bounds: true });
    const waiting = next();
    run.closeAllInputs();
    await run.waitUntilDone();
    expect(await waiting).toBeUndefined();
    expect(await pollers[0]?.next()).toBeUndefined();
  });

  test('with bounds gives empty packets where time is settled without one', async () => {
    const { run, next } = polled(oneNode, ['b'], { bounds: true });
    const read: (readonly [unknown, bigint | undefined])[] = [];
    const readOne = async () => {
      const packet = await next();
      read.push([packet?.value, packet?.timestamp]);
    };
    for (const t of [1n, 51n, 101n]) {
      run.addPacket('a', { value: Number(t), timestamp: t });
      await readOne();
      for (const later of [10n, 20n]) {
        run.setInputBound('a', t + later);
        await readOne();
      }
    }
    run.closeAllInputs();
    await readOne();
    expect(read).toEqual([
      [1, 1n],
      [undefined, 10n],
      [undefined, 20n],
      [51, 51n],
      [undefined, 60n],
      [undefined, 70n],
      [101, 101n],
      [undefined, 110n],
      [undefined, 120n],
      [undefined, undefined],
    ]);
  });

  test('that is full holds back what feeds its stream, until it is read; nothing spins meanwhile', async () => {
    let calls = 0;
    const { run, next } = polled(copied, ['b'], { maxQueueSize: 2 }, { onNodeRun: () => calls++ });
    await settle();
    await run.waitUntilIdle();
    const before = calls;
    await settle();
    expect(calls).toBe(before);
    for (const value of [0, 1]) expect(await next()).toMatchObject({ value });
    await settle();
    expect(calls).toBeGreaterThan(before);
    expect(calls).toBeLessThan(before + 10);
    run.cancel();
    await expect(run.waitUntilDone()).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('holds graph inputs back alike, also with report_deadlock', async () => {
    const { run, next } = polled(`report_deadlock: true ${oneNode}`, ['b'], { maxQueueSize: 1 });
    const add = (t: bigint) => run.addPacketIfNotFull('a', { value: t, timestamp: t });
    add(0n);
    await run.waitUntilIdle();
    expect(() => add(1n)).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    const isFree = run.whenNotThrottled();
    expect(await next()).toEqual({ value: 0n, timestamp: 0n });
    await isFree;
    add(1n);
    run.closeAllInputs();
    expect([await next(), await next()]).toEqual([{ value: 1n, timestamp: 1n }, undefined]);
  });

  test('gives what it has when the run fails, then nothing', async () => {
    const { run, next } = polled(oneNode, ['b']);
    run.addPacket('a', { value: 'x', timestamp: 0n });
    await run.waitUntilIdle();
    run.cancel();
    expect([await next(), await next()]).toEqual([{ value: 'x', timestamp: 0n }, undefined]);
    const waiting = polled(oneNode, ['b']);
    const packet = waiting.next();
    waiting.run.cancel();
    expect(await packet).toBeUndefined();
  });

  test('is made before the start, for a stream of the graph', () => {
    const { run } = polled(oneNode, ['b']);
    expect(() => run.poll('b')).toThrow(/stream "b" is polled too late/);
    const unstarted = new GraphRun(validateGraph(parseGraphConfig(oneNode), new CalculatorRegistry([copy])));
    expect(() => unstarted.poll('x')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});

describe('a paused run', () => {
  test('begins nothing until it goes on, whatever it is fed', async () => {
    const { run, seen, add, finish } = startGraph(oneNode, [], { observe: ['b'] });
    await run.waitUntilIdle();
    run.pause();
    add('a', 0);
    add('a', 1);
    await settle();
    expect(seen).toEqual([]);
    run.resume();
    await run.waitUntilIdle();
    expect(seen).toEqual(['b@0=0', 'b@1=1']);
    await finish();
  });

  test('lets the call under way end', async () => {
    const { definition, waiting } = slow();
    const graph = 'input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }';
    const { run, seen, add, finish } = startGraph(graph, [definition], { observe: ['b'] });
    add('a', 0);
    add('a', 1);
    await settle();
    run.pause();
    waiting[0]?.();
    await settle();
    expect([seen, waiting.length]).toEqual([['b@0=0'], 1]);
    run.resume();
    await settle();
    waiting[1]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'b@1=1']);
  });

  test('ends at resume when it has nothing left, at once when it is cancelled', async () => {
    const { run, finish } = startGraph(oneNode, []);
    run.pause();
    let hasEnded = false;
    const end = finish().then(() => (hasEnded = true));
    await settle();
    expect(hasEnded).toBe(false);
    run.resume();
    await end;

    const other = startGraph(oneNode, []);
    other.run.pause();
    other.add('a', 0);
    await settle();
    other.run.cancel();
    other.run.pause(); // too late
    await expect(other.run.waitUntilDone()).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
