import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { GraphError } from './graph-error.ts';
import { counter, number, recorder, oneNode, startGraph } from './test-kit.ts';
import { Timestamp } from './timestamp.ts';

describe('packets', () => {
  test('come out in order, in the same turn of the event loop', async () => {
    const { seen, add, finish } = startGraph(oneNode, [], { observe: ['b'] });
    add('a', 0);
    add('a', 7);
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual(['b@0=0', 'b@7=7']);
    await finish();
  });

  test('the event loop gets its turn while there is work', async () => {
    const graph = startGraph(
      'node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }',
      [counter],
      {
        observe: ['c'],
        sidePackets: { n: 1000 },
      },
    );
    let turns = 0;
    const done = graph.run.waitUntilDone().then(() => (turns = -turns));
    while (turns >= 0 && turns < 1000) {
      await turn();
      if (turns >= 0) turns++;
    }
    await done;
    expect(-turns).toBeGreaterThanOrEqual(5);
    expect(graph.seen).toHaveLength(1000);
  });

  test('are let go of when the last node is done with them', async () => {
    const { run, add, idle, finish } = startGraph(oneNode, []);
    for (let t = 0; t < 5; t++) add('a', t, { big: true });
    await idle();
    expect(run.queueSizes).toEqual([{ node: 'Copy', stream: 'a', size: 0, bytes: 0 }]);
    await finish();
  });

  test.each([
    ['an unknown stream', 'zz', 0n, 1, 'NOT_FOUND', false],
    ['a stream that is no input', 'b', 0n, 1, 'NOT_FOUND', false],
    ['a timestamp that is not above the last', 'a', 5n, 1, 'INVALID_ARGUMENT', true],
    ['a timestamp that no packet may have', 'a', Timestamp.Done, 1, 'INVALID_ARGUMENT', true],
    ['a value of a wrong type', 'a', 9n, 'text', 'INVALID_ARGUMENT', true],
  ])('%s is refused', async (_, stream, timestamp, value, code, fails) => {
    const typed = defineCalculator({ name: 'Typed', inputs: { '': number }, open: () => {} });
    const graph = startGraph(`${oneNode} node { calculator: "Typed" input_stream: "a" }`, [typed]);
    graph.add('a', 5);
    expect(graph.run.checkPacket(stream, value, timestamp)).toMatchObject({ code });
    await graph.idle();
    expect(() => graph.run.addPacket(stream, { value, timestamp })).toThrow(expect.objectContaining({ code }));
    if (fails) await expect(graph.idle()).rejects.toThrow(expect.objectContaining({ code }));
    else await graph.finish();
  });

  test('for an input that was closed are refused and fail the run, as the real engine records it', async () => {
    const { run, add } = startGraph(oneNode, [], { observe: ['b'] });
    run.closeInput('a');
    expect(() => add('a', 1)).toThrow('expected timestamp is Timestamp::Done() but received 1');
    await expect(run.waitUntilDone()).rejects.toThrow('Timestamp::Done()');
  });

  test('for a run that has ended are dropped silently, until the end has been waited for', async () => {
    const { run, seen, add, idle, finish } = startGraph(oneNode, [], { observe: ['b'] });
    add('a', 0);
    run.closeAllInputs();
    await idle();
    add('a', 1);
    await finish();
    expect(() => add('a', 2)).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION' }));
    expect(seen).toEqual(['b@0=0']);
  });

  test('PostStream is refused after other packets', () => {
    const { add } = startGraph(oneNode, []);
    add('a', 0);
    expect(() => add('a', Timestamp.PostStream)).toThrow(GraphError);
  });
});

describe('bounds', () => {
  test('tell observers what is settled', async () => {
    const { run, seen, add, idle, finish } = startGraph(
      'input_stream: "a" input_stream: "c" node { calculator: "Copy" input_stream: "a" input_stream: "c" output_stream: "x" output_stream: "y" }',
      [],
      { observe: ['x', 'y'] },
    );
    add('a', 3);
    await idle();
    expect(seen).toEqual([]);
    run.setInputBound('c', 4n);
    await idle();
    expect(seen).toEqual(['x@3=3']);
    expect([run.isSettledPast('y', 3n), run.isSettledPast('y', 4n)]).toEqual([true, false]);
    expect(() => run.setInputBound('c', 3n)).toThrow(GraphError);
    await finish();
  });

  test('a node that processes bounds is called for times without packets', async () => {
    const calls: string[] = [];
    const { run, finish } = startGraph('input_stream: "a" node { calculator: "R" input_stream: "a" }', [
      recorder('R', calls, true),
    ]);
    run.setInputBound('a', 10n);
    await run.waitUntilIdle();
    await finish();
    expect(calls).toEqual(['9 a=-', 'close']);
  });
});
