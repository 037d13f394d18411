import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCalculator, type CalculatorDefinition } from './calculator.ts';
import { CalculatorRegistry } from './calculator-registry.ts';
import { createGraphConfig } from './graph-config.ts';
import { GraphRun } from './graph-run.ts';
import { anyPacket } from './packet-type.ts';
import { validateGraph } from './validate-graph.ts';

/** Cases drawn per property; a failure names the seed to repeat it. */
const RUNS = 60;
const TIMEOUT_MS = 60_000;

/** A node of a random graph: reads earlier streams, makes stream `n<its place>`. */
interface RandomNode {
  /** Places among the graph inputs and the nodes before. */
  readonly reads: readonly number[];
  readonly seed: number;
  /** Settles its output at each input timestamp, also without a packet. */
  readonly hasOffset: boolean;
  readonly isAsync: boolean;
  readonly maxInFlight: number;
  /** Options of a FixedSize policy, for the graphs that have those. */
  readonly fixedSize: {
    readonly trigger_queue_size: number;
    readonly target_queue_size: number;
    readonly fixed_min_size: boolean;
  };
}

interface RandomGraph {
  readonly inputs: number;
  readonly nodes: readonly RandomNode[];
  readonly maxQueueSize: number;
}

/** A packet on its way into the graph: at `t` on input number `input`. */
interface Fed {
  readonly input: number;
  readonly t: number;
}

const graphs: fc.Arbitrary<RandomGraph> = fc
  .record({ inputs: fc.integer({ min: 1, max: 3 }), count: fc.integer({ min: 1, max: 8 }) })
  .chain(({ inputs, count }) =>
    fc.record({
      inputs: fc.constant(inputs),
      maxQueueSize: fc.constantFrom(-1, 1, 2, 3, 5, 100),
      nodes: fc.tuple(
        ...Array.from({ length: count }, (_, at) =>
          fc.record({
            reads: fc.uniqueArray(fc.nat(inputs + at - 1), { minLength: 1, maxLength: 3 }),
            seed: fc.nat(1000),
            hasOffset: fc.boolean(),
            isAsync: fc.boolean(),
            maxInFlight: fc.integer({ min: 1, max: 3 }),
            fixedSize: fc.record({
              trigger_queue_size: fc.integer({ min: 2, max: 4 }),
              target_queue_size: fc.integer({ min: 1, max: 2 }),
              fixed_min_size: fc.boolean(),
            }),
          }),
        ),
      ),
    }),
  );

/** Per graph input (three at most) the times of its packets, ascending. */
const feeds = fc.array(
  fc.uniqueArray(fc.nat(20), { maxLength: 12 }).map((times) => times.sort((a, b) => a - b)),
  { minLength: 3, maxLength: 3 },
);

const cases = fc.record({ graph: graphs, times: feeds }).chain(({ graph, times }) => {
  const fed = times.slice(0, graph.inputs).flatMap((list, input) => list.map((t): Fed => ({ input, t })));
  // An order of arrival: which input is next, and whether the run comes to rest before.
  const orders = fc.tuple(arrivalOrder(fed), arrivalOrder(fed));
  return fc.record({ graph: fc.constant(graph), orders });
});

function arrivalOrder(fed: readonly Fed[]): fc.Arbitrary<Order> {
  const keys = fc.array(fc.record({ key: fc.nat(), waits: fc.boolean() }), {
    minLength: fed.length,
    maxLength: fed.length,
  });
  return keys.map((drawn) => {
    // The inputs take turns as drawn; within an input the order of time stays.
    const turns = fed.map(({ input }, at) => ({ input, ...drawn[at] })).sort((a, b) => (a.key ?? 0) - (b.key ?? 0));
    const queues = [0, 1, 2].map((input) => fed.filter((packet) => packet.input === input));
    return turns.flatMap(({ input, waits = false }) => {
      const next = queues[input]?.shift();
      return next === undefined ? [] : [{ ...next, waits }];
    });
  });
}

const streamName = ({ inputs }: RandomGraph, at: number) => (at < inputs ? `i${at}` : `n${at - inputs}`);

/** What a node makes of an input set; nothing for one set in three. Depends on its arguments alone. */
function outcome(seed: number, t: number, values: readonly (string | undefined)[]): string | undefined {
  if ((seed + t * 7) % 3 === 0) return undefined;
  let hash = seed;
  for (const char of `${t}:${values.join(',')}`) hash = (hash * 31 + char.charCodeAt(0)) % 1_000_003;
  return `${seed}/${hash}`;
}

/** What the graph is to yield, worked out time by time without any engine: packets as `t=value` by stream. */
function expected(graph: RandomGraph, fed: readonly Fed[]): Record<string, string[]> {
  const streams = Array.from({ length: graph.inputs + graph.nodes.length }, (_, at) => ({ at, seen: [] as string[] }));
  for (let t = 0; t <= 20; t++) {
    const values: (string | undefined)[] = [];
    for (const stream of streams) {
      const node = graph.nodes[stream.at - graph.inputs];
      let value: string | undefined;
      if (node === undefined) {
        if (fed.some((packet) => packet.input === stream.at && packet.t === t)) value = `${stream.at}@${t}`;
      } else {
        const given = node.reads.map((at) => values[at]);
        if (given.some((item) => item !== undefined)) value = outcome(node.seed, t, given);
      }
      values.push(value);
      if (value !== undefined) stream.seen.push(`${t}=${value}`);
    }
  }
  return Object.fromEntries(streams.map(({ at, seen }) => [streamName(graph, at), seen]));
}

/** What happened in a run, by node or stream. */
class RunLog {
  readonly opened: string[] = [];
  readonly closed: string[] = [];
  readonly streams: Record<string, string[]> = {};
  /** Input timestamps of each node's calls. */
  readonly times: Record<string, bigint[]> = {};
  /** Packets that nodes got, by node and stream. */
  readonly got: Record<string, number> = {};
}

function operation(name: string, hasOffset: boolean, log: RunLog, failAt: number): CalculatorDefinition {
  return defineCalculator({
    name,
    options: z.object({ seed: z.int(), isAsync: z.boolean() }),
    inputs: { '*': anyPacket },
    outputs: { '': anyPacket },
    ...(hasOffset ? { timestampOffset: 0 } : {}),
    open({ node, options: { seed, isAsync } }) {
      log.opened.push(node);
      return {
        process({ inputPorts, outputs, timestamp }) {
          (log.times[node] ??= []).push(timestamp);
          const values = inputPorts.map((port) => {
            if (port.packet === undefined) return undefined;
            const key = `${node} ${port.name}`;
            log.got[key] = (log.got[key] ?? 0) + 1;
            return port.packet.value as string;
          });
          const finish = () => {
            if (Number(timestamp) === failAt) throw new Error('drawn to fail');
            const value = outcome(seed, Number(timestamp), values);
            if (value !== undefined) outputs[''].send(value, timestamp);
          };
          if (!isAsync) return finish();
          return later(seed % 3).then(finish);
        },
        close() {
          log.closed.push(node);
        },
      };
    },
  });
}

async function later(turns: number): Promise<void> {
  for (let n = 0; n < turns; n++) await turn();
}

/** What a run of a random graph may have besides. */
interface Variation {
  /** Calls at this time fail. */
  readonly failAt?: number;
  /** Nodes drop packets by their FixedSize policies. */
  readonly drops?: boolean;
}

function start(
  graph: RandomGraph,
  { failAt = -1, drops = false }: Variation = {},
): { readonly run: GraphRun; readonly log: RunLog } {
  const log = new RunLog();
  const registry = new CalculatorRegistry([
    operation('Settling', true, log, failAt),
    operation('Free', false, log, failAt),
  ]);
  const inputStream = Array.from({ length: graph.inputs }, (_, at) => streamName(graph, at));
  const node = graph.nodes.map(({ reads, seed, hasOffset, isAsync, maxInFlight, fixedSize }, at) => ({
    name: `node${at}`,
    calculator: hasOffset ? 'Settling' : 'Free',
    inputStream: reads.map((read) => streamName(graph, read)),
    outputStream: [`n${at}`],
    options: [{ type: '', fields: { seed, is_async: isAsync } }],
    maxInFlight,
    ...(drops
      ? { inputStreamHandler: { handler: 'FixedSizeInputStreamHandler', options: [{ type: '', fields: fixedSize }] } }
      : {}),
  }));
  const config = createGraphConfig({ inputStream, node, maxQueueSize: graph.maxQueueSize });
  const run = new GraphRun(validateGraph(config, registry));
  for (let at = 0; at < graph.inputs + graph.nodes.length; at++) {
    const name = streamName(graph, at);
    const seen: string[] = (log.streams[name] = []);
    run.observe(name, ({ timestamp, value }) => seen.push(`${timestamp}=${value as string}`));
  }
  run.start();
  return { run, log };
}

type Order = readonly (Fed & { readonly waits: boolean })[];

/** Adds all packets; `obeys` throttling: then each only when its stream has room. */
async function feed(run: GraphRun, graph: RandomGraph, order: Order, obeys = false): Promise<void> {
  for (const { input, t, waits } of order) {
    const stream = streamName(graph, input);
    if (waits) await run.waitUntilIdle();
    while (obeys && run.isThrottled(stream)) await run.whenNotThrottled();
    run.addPacket(stream, { value: `${input}@${t}`, timestamp: BigInt(t) });
  }
  run.closeAllInputs();
  await run.waitUntilDone();
}

const isIncreasing = (times: readonly bigint[]) => times.every((t, at) => at === 0 || t > (times[at - 1] ?? 0n));

describe('of any graph under the Default policy', () => {
  test(
    'outputs are those of the model, whatever the order in which packets arrive, throttled or not',
    async () => {
      const property = fc.asyncProperty(cases, async ({ graph, orders }) => {
        for (const order of orders) {
          for (const obeys of [false, true]) {
            const { run, log } = start(graph);
            await feed(run, graph, order, obeys);
            expect(log.streams).toEqual(expected(graph, order));
          }
        }
      });
      await fc.assert(property, { numRuns: RUNS });
    },
    TIMEOUT_MS,
  );

  test(
    'times increase on each stream and in each node, no packet is lost, nodes open and close once',
    async () => {
      const property = fc.asyncProperty(cases, async ({ graph, orders: [order] }) => {
        const { run, log } = start(graph);
        await feed(run, graph, order);
        for (const seen of Object.values(log.streams)) {
          expect(isIncreasing(seen.map((packet) => BigInt(packet.split('=')[0] ?? '')))).toBe(true);
        }
        for (const times of Object.values(log.times)) expect(isIncreasing(times)).toBe(true);
        graph.nodes.forEach(({ reads }, at) => {
          for (const read of reads) {
            const name = streamName(graph, read);
            expect(log.got[`node${at} ${name}`] ?? 0).toBe(log.streams[name]?.length);
          }
        });
        const names = graph.nodes.map((_, at) => `node${at}`);
        expect([log.opened.toSorted(), log.closed.toSorted()]).toEqual([names, names]);
        expect(run.queueSizes.every(({ size }) => size === 0)).toBe(true);
      });
      await fc.assert(property, { numRuns: RUNS });
    },
    TIMEOUT_MS,
  );

  test(
    'when a node fails or the run is cancelled, each node that has opened closes once',
    async () => {
      const drawn = fc.record({ drawn: cases, failAt: fc.nat(20), cancels: fc.boolean() });
      const property = fc.asyncProperty(
        drawn,
        async ({
          drawn: {
            graph,
            orders: [order],
          },
          failAt,
          cancels,
        }) => {
          const { run, log } = start(graph, { failAt: cancels ? -1 : failAt });
          const feeding = feed(run, graph, order).catch(() => {});
          if (cancels) {
            await later(failAt % 4);
            run.cancel();
          }
          await feeding;
          await run.waitUntilDone().catch(() => {});
          expect(log.closed.toSorted()).toEqual(log.opened.toSorted());
          // What was seen before is what would have been seen without the failure.
          const whole = expected(graph, order);
          for (const [name, seen] of Object.entries(log.streams))
            expect(whole[name]?.slice(0, seen.length)).toEqual(seen);
        },
      );
      await fc.assert(property, { numRuns: RUNS });
    },
    TIMEOUT_MS,
  );
});

describe('of any graph under FixedSize policies', () => {
  test(
    'no packet is lost without a count, times increase, throttled inputs go on',
    async () => {
      const property = fc.asyncProperty(cases, fc.boolean(), async ({ graph, orders: [order] }, obeys) => {
        const { run, log } = start(graph, { drops: true });
        await feed(run, graph, order, obeys);
        const sent = graph.nodes.flatMap(({ reads }) => reads.map((at) => log.streams[streamName(graph, at)] ?? []));
        const got = Object.values(log.got).reduce((sum, count) => sum + count, 0);
        expect(got + run.droppedPackets).toBe(sent.flat().length);
        for (const times of Object.values(log.times)) expect(isIncreasing(times)).toBe(true);
        expect(log.closed.toSorted()).toEqual(graph.nodes.map((_, at) => `node${at}`));
        expect(run.queueSizes.every(({ size }) => size === 0)).toBe(true);
      });
      await fc.assert(property, { numRuns: RUNS });
    },
    TIMEOUT_MS,
  );
});
