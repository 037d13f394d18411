import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { anyPacket, sameAs } from './packet-type.ts';
import { describeCall, recorder, slow, startGraph } from './test-kit.ts';

const parallel = (n: number) =>
  `input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" max_in_flight: ${n} }`;

describe('max_in_flight', () => {
  test('lets calls overlap, shows their results in the order of their inputs', async () => {
    const { definition, waiting } = slow();
    const { run, seen, add, finish } = startGraph(parallel(3), [definition], { observe: ['b'] });
    for (const t of [0, 1, 2, 3]) add('a', t);
    await turn();
    expect(waiting).toHaveLength(3);
    waiting[2]?.();
    waiting[1]?.();
    await turn();
    expect([seen, waiting.length, run.isSettledPast('b', 0n)]).toEqual([[], 3, false]);
    waiting[0]?.();
    await turn();
    expect([seen, waiting.length]).toEqual([['b@0=0', 'b@1=1', 'b@2=2'], 4]);
    waiting[3]?.();
    await finish();
    expect(seen).toEqual(['b@0=0', 'b@1=1', 'b@2=2', 'b@3=3']);
  });

  test('each call sees its own packet and time', async () => {
    const calls: string[] = [];
    const late = defineCalculator({
      name: 'Late',
      inputs: { '*': anyPacket },
      outputs: { '': anyPacket },
      timestampOffset: 0,
      open: () => ({
        async process(context) {
          await turn();
          calls.push(describeCall(context));
          context.outputs[''].send(context.timestamp);
        },
      }),
    });
    const { seen, add, finish } = startGraph(
      'input_stream: "a" input_stream: "c" node { calculator: "Late" input_stream: "a" input_stream: "c" output_stream: "b" max_in_flight: 2 }',
      [late],
      { observe: ['b'] },
    );
    for (const t of [0, 1, 2]) add('a', t);
    for (const t of [1, 3]) add('c', t, -t);
    await finish();
    expect(calls).toEqual(['0 a=0 c=-', '1 a=1 c=-1', '2 a=2 c=-', '3 a=- c=-3']);
    expect(seen).toEqual(['b@0=0', 'b@1=1', 'b@2=2', 'b@3=3']);
  });

  test('closes once, after the last call', async () => {
    const { definition, waiting } = slow();
    const calls: string[] = [];
    const { run, add } = startGraph(`${parallel(2)} node { calculator: "R" input_stream: "b" }`, [
      definition,
      recorder('R', calls),
    ]);
    add('a', 0);
    add('a', 1);
    run.closeAllInputs();
    await turn();
    waiting[1]?.();
    await turn();
    expect(calls).toEqual([]);
    waiting[0]?.();
    await run.waitUntilDone();
    expect(calls).toEqual(['0 b=0', '1 b=1', 'close']);
  });

  test('explicit bounds never go back', async () => {
    const bounds: bigint[] = [];
    const bounder = defineCalculator({
      name: 'Bounder',
      inputs: { '': anyPacket },
      outputs: { '': sameAs('') },
      open: () => ({
        async process({ inputs, outputs, timestamp }) {
          for (let n = Number(timestamp % 3n); n >= 0; n--) await turn();
          if (timestamp % 4n === 0n) outputs[''].setBound(timestamp + 1n);
          else if (inputs[''].packet !== undefined) outputs[''].send(inputs[''].packet);
        },
      }),
    });
    const watch = defineCalculator({
      name: 'Watch',
      inputs: { '': anyPacket },
      processTimestampBounds: true,
      open: () => ({
        process({ timestamp }) {
          bounds.push(timestamp);
        },
      }),
    });
    const { add, finish } = startGraph(
      'input_stream: "a" node { calculator: "Bounder" input_stream: "a" output_stream: "b" max_in_flight: 5 } node { calculator: "Watch" input_stream: "b" }',
      [bounder, watch],
    );
    for (let t = 0; t < 20; t++) add('a', t);
    await finish();
    expect(bounds).toEqual(Array.from({ length: 20 }, (_, t) => BigInt(t)));
  });

  test('a failing call ends the run; what was sent by others is dropped', async () => {
    const failing = defineCalculator({
      name: 'Failing',
      inputs: { '': anyPacket },
      outputs: { '': sameAs('') },
      open: () => ({
        async process({ inputs, outputs, timestamp }) {
          await turn();
          if (timestamp === 0n) throw new Error('broken');
          if (inputs[''].packet !== undefined) outputs[''].send(inputs[''].packet);
        },
      }),
    });
    const { run, seen, add } = startGraph(
      'input_stream: "a" node { calculator: "Failing" input_stream: "a" output_stream: "b" max_in_flight: 2 }',
      [failing],
      { observe: ['b'] },
    );
    add('a', 0);
    add('a', 1);
    await expect(run.waitUntilDone()).rejects.toThrow('Process() for node "Failing" failed: broken');
    expect(seen).toEqual([]);
  });

  test('cannot be joined with batches', () => {
    const graph = `input_stream: "a" node { calculator: "Copy" input_stream: "a" output_stream: "b" max_in_flight: 2
      input_stream_handler { options { [mediapipe.DefaultInputStreamHandlerOptions.ext] { batch_size: 2 } } } }`;
    expect(() => startGraph(graph, [])).toThrow(/max_in_flight 2 and batch_size 2.*one of them/);
  });
});

describe('an executor limits the calls of its nodes that are under way', () => {
  const nodes = (executor: string) =>
    ['b', 'c', 'd'].map(
      (out) => `node { calculator: "Slow" input_stream: "a" output_stream: "${out}" ${executor} max_in_flight: 2 }`,
    );
  const pool = (name: string, threads: number) =>
    `executor { name: "${name}" type: "ThreadPoolExecutor" options { [mediapipe.ThreadPoolExecutorOptions.ext] { num_threads: ${threads} } } }`;

  test.each([
    ['a named one', `input_stream: "a" ${pool('few', 2)} ${nodes('executor: "few"').join(' ')}`, 2],
    ['the default one', `input_stream: "a" num_threads: 4 ${nodes('').join(' ')}`, 4],
    [
      'the application thread',
      `input_stream: "a" executor { type: "ApplicationThreadExecutor" } ${nodes('').join(' ')}`,
      1,
    ],
    ['without a limit', `input_stream: "a" ${nodes('').join(' ')}`, 6],
  ])('%s', async (_, graph, most) => {
    const { definition, waiting } = slow();
    const { run, seen, add } = startGraph(graph, [definition], { observe: ['b', 'c', 'd'] });
    for (let t = 0; t < 4; t++) add('a', t);
    run.closeAllInputs();
    await turn();
    let counted = 0;
    while (counted < 12) {
      expect(waiting.length - counted).toBeLessThanOrEqual(most);
      if (counted === 0) expect(waiting).toHaveLength(most);
      waiting[counted++]?.();
      await turn();
    }
    await run.waitUntilDone();
    expect(seen).toHaveLength(12);
    expect(seen.filter((packet) => packet.startsWith('d'))).toEqual(['d@0=0', 'd@1=1', 'd@2=2', 'd@3=3']);
  });
});
