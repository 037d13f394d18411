/**
 * What the graph engine itself costs: node invocations per second of a chain and of a diamond that joins again, the memory
 * of idle runs, and what a graph around a model adds to the model's own time. One process, one core.
 *
 *     npm run bench:engine
 */
import { readFile } from 'node:fs/promises';
import { builtinCalculators } from '../src/calculators/index.ts';
import {
  CalculatorRegistry,
  GraphRun,
  parseGraphConfig,
  validateGraph,
  type ValidatedGraph,
} from '../src/graph/index.ts';
import { modelOverhead } from './model-overhead.ts';

/** What the engine is meant to reach. */
const TARGETS = { chain: 1_000_000, diamond: 500_000, idleRunBytes: 50_000, modelOverhead: 0.03 };

const IDLE_RUNS = 10_000;
const PACKETS = 100_000;
/** Fed in one go between two waits, fewer than a queue holds. */
const BURST = 50;
const ROUNDS = 5;

const registry = new CalculatorRegistry(builtinCalculators);

/** s0 → s1 → … → s10. */
const chain = validate(await readFile(new URL('graphs/chain/graph.pbtxt', import.meta.url), 'utf8'));

/** One stream splits into two branches, which a node with the Default policy joins. */
const diamond = validate(
  [
    'input_stream: "s0"',
    passThrough('input_stream: "s0" output_stream: "a"'),
    passThrough('input_stream: "a" output_stream: "left"'),
    passThrough('input_stream: "a" output_stream: "right"'),
    passThrough('input_stream: "left" input_stream: "right" output_stream: "s1" output_stream: "s2"'),
  ].join('\n'),
);

function passThrough(streams: string): string {
  return `node { calculator: "PassThroughCalculator" ${streams} }`;
}

function validate(text: string): ValidatedGraph {
  return validateGraph(parseGraphConfig(text), registry);
}

/** Node invocations per second: the best of some rounds, the first of which warm up. */
async function invocationsPerSecond(graph: ValidatedGraph): Promise<number> {
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const run = new GraphRun(graph);
    run.start();
    await run.waitUntilIdle();
    const begun = process.cpuUsage();
    for (let t = 0; t < PACKETS;) {
      for (const end = t + BURST; t < end; t++) run.addPacket('s0', { value: t, timestamp: BigInt(t) });
      await run.waitUntilIdle();
    }
    const { user, system } = process.cpuUsage(begun);
    run.closeAllInputs();
    await run.waitUntilDone();
    best = Math.max(best, (PACKETS * graph.nodes.length * 1e6) / (user + system));
  }
  return best;
}

/** Bytes of heap that one started run holds. Needs `--expose-gc`. */
async function idleRunBytes(graph: ValidatedGraph): Promise<number> {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run node with --expose-gc');
  collect();
  const before = process.memoryUsage().heapUsed;
  const runs = Array.from({ length: IDLE_RUNS }, () => new GraphRun(graph));
  for (const run of runs) run.start();
  await Promise.all(runs.map((run) => run.waitUntilIdle()));
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / runs.length;
  for (const run of runs) run.cancel();
  return bytes;
}

const format = (figure: number): string => figure.toFixed(figure < 100 ? 2 : 0);

const results = [
  ['chain of 10 nodes, node invocations/s', await invocationsPerSecond(chain), TARGETS.chain, 'least'],
  ['diamond of 4 nodes, node invocations/s', await invocationsPerSecond(diamond), TARGETS.diamond, 'least'],
  ['idle run of 10 nodes, bytes', await idleRunBytes(chain), TARGETS.idleRunBytes, 'most'],
  [
    'one-model graph, time beside a run of 5 ms, %',
    100 * (await modelOverhead(registry)),
    100 * TARGETS.modelOverhead,
    'most',
  ],
] as const;
for (const [what, measured, target, bound] of results) {
  const isMet = bound === 'least' ? measured >= target : measured <= target;
  console.log(`${isMet ? 'ok  ' : 'MISS'} ${what}: ${format(measured)} (at ${bound} ${target})`);
  if (!isMet) process.exitCode = 1;
}
