import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator, optional } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphError } from './graph-error.ts';
import { GraphRun } from './graph-run.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { validateGraph } from './validate-graph.ts';
import { anyPacket, PacketType, sameAs } from './packet-type.ts';
import { copy, recorder, startGraph } from './test-kit.ts';
import { Timestamp } from './timestamp.ts';

const one = 'input_stream: "a" node { calculator: "Copy" input_stream: "a" output_stream: "b" }';
const number = new PacketType<number>('number', (value) => typeof value === 'number');

/** Counts 0, 1, 2 … at those timestamps up to `count`. */
const counter = defineCalculator({
  name: 'Counter',
  inputSidePackets: { COUNT: number, START: optional(anyPacket) },
  outputs: { '': anyPacket },
  open({ sidePackets }) {
    let next = 0;
    return {
      process({ outputs, stop }) {
        outputs[''].send(next, BigInt(next));
        if (++next === sidePackets.COUNT) stop();
      },
    };
  },
});

/** Answers when told to. */
function slow() {
  const waiting: (() => void)[] = [];
  const definition = defineCalculator({
    name: 'Slow',
    inputs: { '': anyPacket },
    outputs: { '': sameAs('') },
    timestampOffset: 0,
    open: () => ({
      async process({ inputs, outputs }) {
        const { packet } = inputs[''];
        await new Promise<void>((resolve) => waiting.push(resolve));
        if (packet !== undefined) outputs[''].send(packet);
      },
    }),
  });
  return { definition, waiting };
}

describe('packets', () => {
  test('come out in order, in the same turn of the event loop', async () => {
    const { seen, add, finish } = startGraph(one, [], { observe: ['b'] });
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
    const { run, add, idle, finish } = startGraph(one, []);
    for (let t = 0; t < 5; t++) add('a', t, { big: true });
    await idle();
    expect(run.queueSizes).toEqual([{ node: 'Copy', stream: 'a', size: 0 }]);
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
    const graph = startGraph(`${one} node { calculator: "Typed" input_stream: "a" }`, [typed]);
    graph.add('a', 5);
    expect(graph.run.checkPacket(stream, value, timestamp)).toMatchObject({ code });
    await graph.idle();
    expect(() => graph.run.addPacket(stream, { value, timestamp })).toThrow(expect.objectContaining({ code }));
    if (fails) await expect(graph.idle()).rejects.toThrow(expect.objectContaining({ code }));
    else await graph.finish();
  });

  test('for a closed stream are dropped silently', async () => {
    const { run, seen, add, finish } = startGraph(one, [], { observe: ['b'] });
    add('a', 0);
    run.closeInput('a');
    add('a', 1);
    await finish();
    expect(seen).toEqual(['b@0=0']);
  });

  test('PostStream is refused after other packets', () => {
    const { add } = startGraph(one, []);
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

describe('failures', () => {
  const failing = (phase: 'open' | 'process' | 'close', isAsync = false) => {
    const raise = () => {
      if (isAsync) return Promise.reject(new Error('broken'));
      throw new Error('broken');
    };
    return defineCalculator({
      name: 'Failing',
      inputs: { '': anyPacket },
      open() {
        if (phase === 'open') return raise();
        return { process: phase === 'process' ? raise : () => {}, close: phase === 'close' ? raise : () => {} };
      },
    });
  };
  const graph = 'input_stream: "a" node { calculator: "Failing" name: "N" input_stream: "a" }';

  test.each([
    ['open', false],
    ['process', false],
    ['process', true],
    ['close', false],
    ['close', true],
  ] as const)('in %s (async: %s) end the run with the text', async (phase, isAsync) => {
    const { run, add, finish } = startGraph(graph, [failing(phase, isAsync)]);
    const told: GraphError[] = [];
    run.onError((error) => told.push(error));
    add('a', 0);
    const name = { open: 'Open', process: 'Process', close: 'Close' }[phase];
    await expect(finish()).rejects.toMatchObject({
      code: 'UNKNOWN',
      message: `CalculatorGraph::Run() failed: \nCalculator::${name}() for node "N" failed: broken`,
    });
    expect(told).toHaveLength(1);
    expect(() => add('a', 1)).toThrow(/Graph has errors/);
  });

  test('close every open node once', async () => {
    const calls: string[] = [];
    const { add, idle } = startGraph(`${graph} node { calculator: "R" input_stream: "a" }`, [
      failing('process'),
      recorder('R', calls),
    ]);
    await idle();
    add('a', 0);
    await expect(idle()).rejects.toThrow('broken');
    expect(calls.filter((call) => call === 'close')).toHaveLength(1);
  });

  test('in an observer end the run', async () => {
    const run = new GraphRun(validateGraph(parseGraphConfig(one), new CalculatorRegistry([copy])));
    let count = 0;
    run.observe('b', () => {
      if (++count === 2) throw new Error('enough');
    });
    run.start();
    expect(() => run.observe('b', () => {})).toThrow(/too late/);
    for (const t of [0n, 1n, 2n]) run.addPacket('a', { value: t, timestamp: t });
    await expect(run.waitUntilDone()).rejects.toThrow('observer of stream "b" failed: enough');
    expect(count).toBe(2);
  });

  test('keep the code that was thrown', async () => {
    const coded = defineCalculator({
      name: 'Coded',
      inputs: { '': anyPacket },
      open: () => ({
        process() {
          throw new GraphError('NOT_FOUND', 'no such model');
        },
      }),
    });
    const { add, idle } = startGraph('input_stream: "a" node { calculator: "Coded" input_stream: "a" }', [coded]);
    add('a', 0);
    await expect(idle()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('cancel', () => {
  test('drops queued work, waits for a running call, and aborts its signal', async () => {
    const { definition, waiting } = slow();
    let signal: AbortSignal | undefined;
    const watch = defineCalculator({
      name: 'Watch',
      inputs: { '': anyPacket },
      open(context) {
        signal = context.signal;
      },
    });
    const { run, seen, add } = startGraph(
      'input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" } node { calculator: "Watch" input_stream: "b" }',
      [definition, watch],
      { observe: ['b'] },
    );
    add('a', 0);
    add('a', 1);
    await turn();
    let isDone = false;
    const done = run.waitUntilDone().finally(() => (isDone = true));
    done.catch(() => {});
    run.cancel();
    expect(signal?.aborted).toBe(true);
    await turn();
    expect(isDone).toBe(false);
    waiting[0]?.();
    await expect(done).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(seen).toEqual([]);
    expect(waiting).toHaveLength(1);
  });
});

describe('asynchronous calls', () => {
  test('of one node never overlap and keep their order', async () => {
    const { definition, waiting } = slow();
    const { seen, add, finish } = startGraph(
      'input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" }',
      [definition],
      { observe: ['b'] },
    );
    for (const t of [0, 1]) add('a', t);
    await turn();
    expect(waiting).toHaveLength(1);
    waiting[0]?.();
    await turn();
    expect([seen, waiting.length]).toEqual([['b@0=0'], 2]);
    waiting[1]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'b@1=1']);
  });

  test('do not hold up other nodes', async () => {
    const { definition, waiting } = slow();
    const { seen, add, finish } = startGraph(
      `${one} node { calculator: "Slow" input_stream: "a" output_stream: "c" }`,
      [definition],
      { observe: ['b', 'c'] },
    );
    add('a', 0);
    await turn();
    expect(seen).toEqual(['b@0=0']);
    waiting[0]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'c@0=0']);
  });
});

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

describe('sources', () => {
  const layered = `
    node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "late" source_layer: 1 }
    node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "p" }
    node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "q" }`;

  test('run in turn within a layer, one layer after another, and the run ends by itself', async () => {
    const { run, seen } = startGraph(layered, [counter], { observe: ['late', 'p', 'q'], sidePackets: { n: 2 } });
    await run.waitUntilDone();
    expect(seen).toEqual(['p@0=0', 'q@0=0', 'p@1=1', 'q@1=1', 'late@0=0', 'late@1=1']);
  });

  test('a source that cannot open holds later layers back: a deadlock', async () => {
    const maker = defineCalculator({
      name: 'Maker',
      outputSidePackets: { N: number },
      outputs: { '': anyPacket },
      open: () => ({
        process({ outputSidePackets, stop }) {
          outputSidePackets.N.set(1);
          stop();
        },
      }),
    });
    const { run } = startGraph(
      `node { calculator: "Maker" output_stream: "m" output_side_packet: "N:n" source_layer: 1 }
       node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }`,
      [counter, maker],
    );
    await expect(run.waitUntilDone()).rejects.toThrow(/deadlock: node "Counter" of source layer 0 cannot open/);
  });

  test('end when asked to', async () => {
    const { run, seen } = startGraph(layered, [counter], { observe: ['p', 'late'], sidePackets: { n: 1e9 } });
    await sleep(5);
    run.closeAllPacketSources();
    await run.waitUntilDone();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.some((packet) => packet.startsWith('late'))).toBe(false);
  });

  test('a node that is no source may stop them', async () => {
    const stopper = defineCalculator({
      name: 'Stopper',
      inputs: { '': anyPacket },
      open: () => ({
        process({ timestamp, stop }) {
          if (timestamp === 3n) stop();
        },
      }),
    });
    const { run } = startGraph(`${layered} node { calculator: "Stopper" input_stream: "p" }`, [counter, stopper], {
      sidePackets: { n: 1e9 },
    });
    await run.waitUntilDone();
  });
});

describe('side packets and services', () => {
  const sideGraph = 'node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }';

  test('a missing or wrong side packet keeps the run from starting', () => {
    expect(() => startGraph(sideGraph, [counter])).toThrow(/Side packet "n" is required/);
    expect(() => startGraph(sideGraph, [counter], { sidePackets: { n: 'x' } })).toThrow(/"string", but "number"/);
  });

  test('a side packet that a node makes opens the nodes that wait for it', async () => {
    const maker = defineCalculator({
      name: 'Maker',
      inputs: { '': anyPacket },
      outputSidePackets: { N: number },
      open: () => ({
        process({ outputSidePackets }) {
          outputSidePackets.N.set(2);
        },
      }),
    });
    const graph = startGraph(
      `input_stream: "a" node { calculator: "Maker" input_stream: "a" output_side_packet: "N:n" } ${sideGraph}`,
      [counter, maker],
      { observe: ['c'] },
    );
    await graph.idle();
    expect(() => graph.run.outputSidePacket('n')).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    graph.add('a', 0);
    await graph.idle();
    expect(graph.seen).toEqual(['c@0=0', 'c@1=1']);
    expect(graph.run.outputSidePacket('n')).toBe(2);
    graph.add('a', 1);
    await expect(graph.idle()).rejects.toThrow(/"n" was already set/);
  });

  test('a service that a calculator needs must be there', async () => {
    const needy = defineCalculator({
      name: 'Needy',
      services: ['clock'],
      outputs: { '': anyPacket },
      open: ({ service }) => ({
        process({ outputs, stop }) {
          outputs[''].send(service<() => number>('clock')(), 0n);
          stop();
        },
      }),
    });
    const graph = 'node { calculator: "Needy" output_stream: "o" }';
    expect(() => startGraph(graph, [needy])).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION' }));
    const { run, seen } = startGraph(graph, [needy], { services: new Map([['clock', () => 7]]), observe: ['o'] });
    await run.waitUntilDone();
    expect(seen).toEqual(['o@0=7']);
  });
});

test('what nodes cost is reported', async () => {
  const nodes: string[] = [];
  const { add, finish } = startGraph(one, [], {
    onNodeRun: (node, microseconds) => microseconds >= 0 && nodes.push(node),
  });
  add('a', 0);
  await finish();
  expect(nodes).toEqual(['Copy', 'Copy', 'Copy']);
});

test('a loop over a back edge computes running sums', async () => {
  const delay = defineCalculator({
    name: 'Delay',
    inputs: { '': anyPacket },
    outputs: { '': anyPacket },
    open({ outputs }) {
      outputs[''].send(0, 0n);
      return {
        process({ inputs, outputs, timestamp }) {
          outputs[''].send(inputs[''].packet?.value, timestamp + 1n);
        },
      };
    },
  });
  const sum = defineCalculator({
    name: 'Sum',
    inputs: { A: number, B: number },
    outputs: { '': number },
    inputPolicy: 'EarlyCloseInputStreamHandler',
    open: () => ({
      process({ inputs, outputs }) {
        outputs[''].send((inputs.A.packet?.value ?? 0) + (inputs.B.packet?.value ?? 0));
      },
    }),
  });
  const { seen, add, finish } = startGraph(
    'input_stream: "a" node { calculator: "Sum" input_stream: "A:a" input_stream: "B:old" input_stream_info { tag_index: "B" back_edge: true } output_stream: "sum" } node { calculator: "Delay" input_stream: "sum" output_stream: "old" }',
    [delay, sum],
    { observe: ['sum'] },
  );
  for (let t = 0; t < 4; t++) add('a', t, t + 1);
  await finish();
  expect(seen).toEqual(['sum@0=1', 'sum@1=3', 'sum@2=6', 'sum@3=10']);
});
