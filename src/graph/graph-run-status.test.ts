import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCalculator, optional } from './calculator.ts';
import { counter, number, startGraph } from './test-kit.ts';
import { defineStatusHandler } from './status-handler.ts';

/** A maker of the side packet N from its options, plus side packet ADD. */
const makeNumber = defineCalculator({
  name: 'MakeNumber',
  options: z.object({ value: z.int().default(1) }),
  inputSidePackets: { ADD: optional(number) },
  outputSidePackets: { '': number },
  open({ options, sidePackets, outputSidePackets }) {
    outputSidePackets[''].set(options.value + (sidePackets.ADD ?? 0));
  },
});
const count = 'node { calculator: "Counter" input_side_packet: "COUNT:n" output_stream: "c" }';

describe('makers of side packets in their older forms', () => {
  test.each([
    [
      'packet_generator',
      'packet_generator { packet_generator: "MakeNumber" input_side_packet: "ADD:two" output_side_packet: "n" options { [x.Options.ext] { value: 3 } } }',
      5,
    ],
    [
      'external_input',
      'packet_generator { packet_generator: "MakeNumber" external_input: "ADD:two" output_side_packet: "n" }',
      3,
    ],
    [
      'packet_factory',
      'packet_factory { packet_factory: "MakeNumber" external_output: "n" options { [x.Options.ext] { value: 4 } } }',
      4,
    ],
  ])('%s runs before the nodes that need it', async (_, maker, value) => {
    const { run, seen } = startGraph(`${maker} ${count}`, [counter, makeNumber], {
      observe: ['c'],
      sidePackets: { two: 2 },
    });
    await run.waitUntilDone();
    expect([seen.length, run.outputSidePacket('n')]).toEqual([value, value]);
  });

  test('must have been registered, as calculators without streams', () => {
    const unknown = 'packet_generator { packet_generator: "MakeNumbers" output_side_packet: "n" }';
    expect(() => startGraph(unknown, [makeNumber])).toThrow(
      /no calculator is named "MakeNumbers"; did you mean "MakeNumber"/,
    );
    expect(() => startGraph('packet_generator { output_stream: "n" }', [])).toThrow(
      /packet_generator has no field "output_stream"/,
    );
  });
});

describe('status handlers', () => {
  function watcher() {
    const told: string[] = [];
    const handler = defineStatusHandler({
      name: 'Watcher',
      options: z.object({ prefix: z.string().default('') }),
      inputSidePackets: { N: number },
      beforeRun: ({ options, error }) => void told.push(`${options.prefix}before ${error?.code ?? 'OK'}`),
      afterRun: ({ sidePackets, error }) => void told.push(`after ${error?.code ?? 'OK'} n=${sidePackets.N}`),
    });
    return { told, statusHandlers: [handler] };
  }
  const handled = (name = 'n') =>
    `status_handler { status_handler: "Watcher" input_side_packet: "N:${name}" options { [x.WatcherOptions.ext] { prefix: "> " } } }`;

  test('hear of the run before it begins and after it has ended', async () => {
    const { told, statusHandlers } = watcher();
    const { run } = startGraph(`${handled()} ${count}`, [counter], { statusHandlers, sidePackets: { n: 1 } });
    expect(told).toEqual(['> before OK']);
    await run.waitUntilDone();
    expect(told).toEqual(['> before OK', 'after OK n=1']);
  });

  test('hear what failed it', async () => {
    const { told, statusHandlers } = watcher();
    const { run } = startGraph(`${handled()} input_stream: "a"`, [], { statusHandlers, sidePackets: { n: 1 } });
    run.cancel();
    await expect(run.waitUntilDone()).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(told).toEqual(['> before OK', 'after CANCELLED n=1']);
  });

  test('are skipped with an error when a side packet is missing', async () => {
    const { told, statusHandlers } = watcher();
    const { run } = startGraph(`${handled('other')} ${count}`, [counter], { statusHandlers, sidePackets: { n: 1 } });
    await expect(run.waitUntilDone()).rejects.toThrow(/Skipping run of status handler "Watcher": side packet "other"/);
    expect(told).toEqual([]);
  });

  test('fail the run by what they throw', async () => {
    const handler = defineStatusHandler({
      name: 'Failing',
      inputSidePackets: {},
      afterRun() {
        throw new Error('no good');
      },
    });
    const { run } = startGraph(`status_handler { status_handler: "Failing" } ${count}`, [counter], {
      statusHandlers: [handler],
      sidePackets: { n: 1 },
    });
    await expect(run.waitUntilDone()).rejects.toThrow('status handler "Failing" failed: no good');
  });

  test('fail the run when they are asynchronous: nobody would wait for them', async () => {
    const handler = defineStatusHandler({
      name: 'Late',
      afterRun: (async () => Promise.reject(new Error('late'))) as () => void,
    });
    const { run } = startGraph(`status_handler { status_handler: "Late" } ${count}`, [counter], {
      statusHandlers: [handler],
      sidePackets: { n: 1 },
    });
    await expect(run.waitUntilDone()).rejects.toThrow('"Late" failed: afterRun returned a promise');
  });

  test('have names of their own', () => {
    const { statusHandlers } = watcher();
    expect(() => startGraph(count, [], { statusHandlers: [...statusHandlers, ...watcher().statusHandlers] })).toThrow(
      'two status handlers are named "Watcher"',
    );
  });

  test('are checked with the graph', () => {
    const { statusHandlers } = watcher();
    const start = (text: string) => () => startGraph(text, [], { statusHandlers });
    expect(start('status_handler { status_handler: "Watch" }')).toThrow(
      /test.pbtxt:1: status_handler "Watch": no .* "Watcher"/,
    );
    expect(start('status_handler { status_handler: "Watcher" }')).toThrow(/tag "N" is required/);
    expect(
      start('status_handler { status_handler: "Watcher" input_side_packet: "N:n" options { [x.O.ext] { pre: 1 } } }'),
    ).toThrow(/has no field "pre"/);
  });
});
