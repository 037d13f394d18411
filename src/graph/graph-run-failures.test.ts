import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { GraphError } from './graph-error.ts';
import { GraphRun } from './graph-run.ts';
import { anyPacket } from './packet-type.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { copy, recorder, slow, oneNode, startGraph } from './test-kit.ts';
import { validateGraph } from './validate-graph.ts';

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
    expect(() => add('a', 1)).toThrow(/ended; Graph has errors/);
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
    const run = new GraphRun(validateGraph(parseGraphConfig(oneNode), new CalculatorRegistry([copy])));
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
