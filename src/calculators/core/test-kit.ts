import {
  CalculatorRegistry,
  GraphRun,
  parseGraphConfig,
  runCalculator,
  validateGraph,
  type CalculatorCase,
  type CalculatorDefinition,
} from '../../graph/index.ts';
import { coreCalculators } from './index.ts';

export const registry = new CalculatorRegistry(coreCalculators);

/** A core calculator by its name without `Calculator`. For tests. */
export function named(name: string): CalculatorDefinition {
  const found = registry.get(`${name}Calculator`);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

/** Runs one node; its outputs as `[timestamp, value]`. */
export async function run(name: string, run: CalculatorCase): Promise<Record<string, [number, unknown][]>> {
  const { outputs } = await runCalculator(named(name), run);
  return Object.fromEntries(
    Object.entries(outputs).map(([port, packets]) => [port, packets.map((p) => [Number(p.timestamp), p.value])]),
  );
}

/** Packets whose values are their times. */
export const at = (...times: number[]) => times.map((t) => [t, t] as const);

export interface LiveGraph {
  readonly run: GraphRun;
  /** What came on the observed streams, as `stream@time=value`. */
  readonly seen: string[];
  /** Adds a packet and waits until the graph is idle. */
  readonly add: (stream: string, timestamp: number, value: unknown) => Promise<void>;
  /** Raises an input's bound and waits until the graph is idle. */
  readonly settle: (stream: string, bound: number) => Promise<void>;
  readonly finish: () => Promise<void>;
}

/** Starts a graph of core calculators and those given. */
export function start(
  text: string,
  observe: readonly string[],
  {
    sidePackets = {},
    calculators = [],
    bounds = false,
    services = new Map(),
  }: {
    readonly sidePackets?: Readonly<Record<string, unknown>>;
    readonly calculators?: readonly CalculatorDefinition[];
    /** Also note settled times without packets, as `stream@time=undefined`. */
    readonly bounds?: boolean;
    readonly services?: ReadonlyMap<string, unknown>;
  } = {},
): LiveGraph {
  const known = new CalculatorRegistry([...coreCalculators, ...calculators]);
  const run = new GraphRun(validateGraph(parseGraphConfig(text, 'test.pbtxt'), known), { services });
  const seen: string[] = [];
  for (const stream of observe) {
    const note = ({ timestamp, value }: { timestamp: bigint; value: unknown }) =>
      seen.push(`${stream}@${timestamp}=${String(value)}`);
    run.observe(stream, note, { bounds });
  }
  run.start(new Map(Object.entries(sidePackets)));
  return {
    run,
    seen,
    async add(stream, timestamp, value) {
      run.addPacket(stream, { value, timestamp: BigInt(timestamp) });
      await run.waitUntilIdle();
    },
    async settle(stream, bound) {
      run.setInputBound(stream, BigInt(bound));
      await run.waitUntilIdle();
    },
    async finish() {
      run.closeAllInputs();
      await run.waitUntilDone();
    },
  };
}
