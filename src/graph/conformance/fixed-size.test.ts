import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from '../calculator.ts';
import { anyPacket } from '../packet-type.ts';
import { recorder, slow, startGraph } from '../test-kit.ts';

const fixedSize = 'input_stream_handler { input_stream_handler: "FixedSizeInputStreamHandler" }';

/** Resolves once `condition` holds, looked at in each turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

describe('FixedSize before a slow node', () => {
  test('gives the newest packet; what was dropped is settled only with the next output', async () => {
    const { definition, waiting } = slow();
    const calls: string[] = [];
    const { run, add, finish } = startGraph(
      `input_stream: "a" node { calculator: "Slow" input_stream: "a" output_stream: "b" ${fixedSize} }
       node { calculator: "R" input_stream: "b" }`,
      [definition, recorder('R', calls, true)],
    );
    add('a', 0);
    await until(() => waiting.length === 1);
    for (const t of [1, 2, 3]) add('a', t);
    waiting[0]?.();
    await until(() => waiting.length === 2);
    expect([calls, run.droppedPackets]).toEqual([['0 b=0'], 2]);
    waiting[1]?.();
    await finish();
    expect(calls).toEqual(['0 b=0', '3 b=3', 'close']);
  });

  // A queue of 2 is full and cut at once: the source must go on all the same.
  test.each([2, 100])('with a source ten times as fast, queues of %i: 0, 9, 19 … 99', async (maxQueueSize) => {
    let sent = 0;
    const taken: number[] = [];
    /** Sends ten packets for each that the sink has begun with. */
    const source = defineCalculator({
      name: 'Source',
      outputs: { '': anyPacket },
      open: () => ({
        async process({ outputs, stop }) {
          await until(() => sent === 0 || taken.length > Math.floor(sent / 10));
          outputs[''].send(sent, BigInt(sent));
          if (++sent === 100) stop();
        },
      }),
    });
    const sink = defineCalculator({
      name: 'Sink',
      inputs: { '': anyPacket },
      open: () => ({
        async process({ inputs }) {
          const { value } = inputs[''].packet ?? {};
          taken.push(value as number);
          await until(() => sent >= Math.min(100, taken.length * 10));
          await turn(); // the last one is on its way
        },
      }),
    });
    const { run } = startGraph(
      `max_queue_size: ${maxQueueSize} node { calculator: "Source" output_stream: "s" }
       node { calculator: "Sink" input_stream: "s" ${fixedSize} }`,
      [source, sink],
    );
    await run.waitUntilDone();
    expect(taken).toEqual([0, ...Array.from({ length: 10 }, (_, ten) => ten * 10 + 9)]);
    expect(run.droppedPackets).toBe(100 - taken.length);
  });

  test('three writers stay aligned, whatever their pace', async () => {
    const calls: string[] = [];
    const { run, add, finish } = startGraph(
      `input_stream: "a" input_stream: "b" input_stream: "c"
       node { calculator: "R" input_stream: "a" input_stream: "b" input_stream: "c" ${fixedSize} }`,
      [recorder('R', calls)],
    );
    const write = async (stream: string, turns: number) => {
      for (let t = 0; t < 30; t++) {
        for (let n = 0; n < (t * turns) % 4; n++) await turn();
        add(stream, t);
      }
    };
    await Promise.all([write('a', 1), write('b', 2), write('c', 3)]);
    await finish();
    const times = calls.slice(0, -1).map((call) => Number.parseInt(call));
    expect(calls.slice(0, -1)).toEqual(times.map((t) => `${t} a=${t} b=${t} c=${t}`));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBe(29);
    expect(run.droppedPackets).toBeGreaterThan(0);
    expect(3 * times.length + run.droppedPackets).toBe(90);
  });
});
