import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { anyPacket } from './packet-type.ts';
import { counter, number, recorder, startGraph } from './test-kit.ts';

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

  test('a source without process closes, as does one with only side packets', async () => {
    const calls: string[] = [];
    const idleSource = defineCalculator({
      name: 'IdleSource',
      outputs: { '': anyPacket },
      open: () => ({
        close() {
          calls.push('close');
        },
      }),
    });
    const { run } = startGraph(
      'node { calculator: "IdleSource" output_stream: "o" } node { calculator: "R" input_stream: "o" }',
      [idleSource, recorder('R', calls)],
    );
    await run.waitUntilDone();
    expect(calls).toEqual(['close', 'close']);
  });

  test('get one call also when they are asked to end before they began', async () => {
    const { run, seen } = startGraph(layered, [counter], { observe: ['p', 'q', 'late'], sidePackets: { n: 1e9 } });
    run.closeAllPacketSources();
    await run.waitUntilDone();
    expect(seen).toEqual(['p@0=0', 'q@0=0', 'late@0=0']);
  });
});
