import { describe, expect, test } from 'vitest';
import { defineCalculator } from './calculator.ts';
import { anyPacket } from './packet-type.ts';
import { counter, number, startGraph } from './test-kit.ts';

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

  test('what is given under the name of a side packet that a node makes is left out', async () => {
    const maker = defineCalculator({
      name: 'Maker',
      outputSidePackets: { N: number },
      open({ outputSidePackets }) {
        outputSidePackets.N.set(2);
      },
    });
    const { run, seen } = startGraph(
      `node { calculator: "Maker" output_side_packet: "N:n" } ${sideGraph}`,
      [counter, maker],
      { observe: ['c'], sidePackets: { n: 5, unknown: 1 } },
    );
    await run.waitUntilDone();
    expect(seen).toEqual(['c@0=0', 'c@1=1']);
    expect(() => run.outputSidePacket('unknown')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  });
});
