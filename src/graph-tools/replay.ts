import {
  GraphError,
  GraphRun,
  parseGraphConfig,
  parseTagMap,
  validateGraph,
  type CalculatorRegistry,
  type GraphConfig,
  type Packet,
  type ValidatedGraph,
} from '../graph/index.ts';
import { messageOf } from '../base/errors.ts';
import { printTimestamp, toTimestamp } from './packet-times.ts';

/** A value with its type: int, bool, float, double, string or floats. */
export type TypedValue = readonly [type: string, value: unknown];
/** Microseconds, or a special timestamp. */
export type CaseTime = number | string;
export type Counts = Readonly<Record<string, number>>;

export interface CaseFailure {
  /** As in MediaPipe's Python binding: ValueError for INVALID_ARGUMENT, RuntimeError for anything else. */
  readonly class: 'ValueError' | 'RuntimeError';
  readonly message: string;
}

/**
 * A graph and what is done with it, step by step: `["start"]`, `["add", stream, type, value, timestamp]`, `["idle"]`,
 * `["close", stream]`, `["close_all"]`, `["done"]`, `["side", name, type]`.
 */
export interface GraphCase {
  readonly name: string;
  /** The graph file's text. */
  readonly graph: string;
  readonly side?: Readonly<Record<string, TypedValue>>;
  /** `ADD_IF_NOT_FULL`: adding to a throttled stream is an error instead of a wait. */
  readonly add_mode?: string;
  readonly observe?: readonly (readonly [stream: string, type: string, bounds?: 'bounds'])[];
  readonly steps: readonly (readonly [op: string, ...args: unknown[]])[];
}

/** What came of a case; the form in which MediaPipe's own engine was recorded. */
export interface CaseOutcome {
  /** Per observed stream; the value null is an empty packet: the stream is settled up to that time. */
  readonly streams?: Readonly<Record<string, readonly (readonly [CaseTime, unknown])[]>>;
  /** Per step: packets seen so far after `idle` and `done`, a side packet's value after `side`, or the failure. */
  readonly log?: readonly (readonly [op: string, outcome: 'ok' | 'error', detail: unknown])[];
  /** The graph was refused. */
  readonly error?: CaseFailure & { readonly at: 'initialize' };
  /** Why the case was given up. */
  readonly aborts?: string;
}

const MAX_CASE_MS = 20_000;
const MESSAGE_LENGTH = 600;

/** Runs a case on this engine. A case that does not end within 20 s is given up. */
export async function replayCase(replayed: GraphCase, registry: CalculatorRegistry): Promise<CaseOutcome> {
  let config: GraphConfig;
  let graph: ValidatedGraph;
  try {
    config = parseGraphConfig(replayed.graph);
  } catch (error) {
    // MediaPipe's parser gives no status.
    return { error: { at: 'initialize', ...failureOf(error), class: 'RuntimeError' } };
  }
  try {
    graph = validateGraph(withKnownOutputs(config), registry);
  } catch (error) {
    return { error: { at: 'initialize', ...failureOf(error) } };
  }
  const replay = new Replay(graph, replayed);
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<CaseOutcome>((resolve) => {
    timer = setTimeout(() => resolve({ aborts: `it did not end within ${MAX_CASE_MS / 1000} s` }), MAX_CASE_MS);
  });
  try {
    return await Promise.race([replay.run(), tooLong]);
  } finally {
    clearTimeout(timer);
    replay.cancel();
  }
}

/** The runs of one case, one after another: `start` after the first begins a new one. */
class Replay {
  readonly #graph: ValidatedGraph;
  readonly #case: GraphCase;
  readonly #streams: Record<string, [CaseTime, unknown][]> = {};
  #run: GraphRun;
  #isStarted = false;
  #hasFailed = false;

  constructor(graph: ValidatedGraph, replayed: GraphCase) {
    this.#graph = graph;
    this.#case = replayed;
    this.#run = new GraphRun(graph);
    for (const [stream] of replayed.observe ?? []) this.#streams[stream] = [];
  }

  async run(): Promise<CaseOutcome> {
    const log: (readonly [string, 'ok' | 'error', unknown])[] = [];
    for (const [op, ...args] of this.#case.steps) {
      try {
        log.push([op, 'ok', await this.#step(op, args)]);
      } catch (error) {
        log.push([op, 'error', failureOf(error)]);
      }
    }
    return { streams: this.#streams, log };
  }

  cancel(): void {
    this.#run.cancel();
  }

  async #step(op: string, args: readonly unknown[]): Promise<unknown> {
    const run = this.#run;
    switch (op) {
      case 'start':
        this.#start();
        return null;
      case 'add':
        await this.#add(args as [string, string, unknown, CaseTime]);
        return null;
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
      case 'side':
        return fromValue(args[1] as string, run.outputSidePacket(args[0] as string));
      default:
        throw new GraphError('INVALID_ARGUMENT', `no step is named "${op}"`);
    }
  }

  #start(): void {
    if (this.#isStarted) this.#run = new GraphRun(this.#graph);
    this.#isStarted = true;
    this.#hasFailed = false;
    this.#run.onError(() => (this.#hasFailed = true));
    for (const [stream, type, bounds] of this.#case.observe ?? []) {
      const seen = ({ value, timestamp }: Packet) => {
        this.#streams[stream]?.push([JSON.parse(printTimestamp(timestamp)) as CaseTime, fromValue(type, value)]);
      };
      this.#run.observe(stream, seen, { bounds: bounds === 'bounds' });
    }
    this.#run.start(new Map(Object.entries(this.#case.side ?? {}).map(([name, typed]) => [name, toValue(typed)])));
  }

  async #add([stream, type, value, time]: [string, string, unknown, CaseTime]): Promise<void> {
    const run = this.#run;
    const hadFailed = this.#hasFailed;
    const packet = { value: toValue([type, value]), timestamp: toTimestamp(time) };
    if (this.#case.add_mode === 'ADD_IF_NOT_FULL') return run.addPacketIfNotFull(stream, packet);
    if (run.isThrottled(stream)) await run.whenNotThrottled();
    try {
      run.addPacket(stream, packet);
    } catch (error) {
      // MediaPipe reports a timestamp's fault with the next call.
      if (hadFailed || !(error instanceof GraphError) || error.fault !== 'timestamp') throw error;
    }
  }

  #counts(): Counts {
    return Object.fromEntries(Object.entries(this.#streams).map(([name, seen]) => [name, seen.length]));
  }
}

/** MediaPipe does not mind an `output_stream` of the graph that no node makes. */
function withKnownOutputs(config: GraphConfig): GraphConfig {
  const nameOf = (entry: string) => entry.slice(entry.lastIndexOf(':') + 1);
  const made = new Set([...config.inputStream, ...config.node.flatMap((node) => node.outputStream)].map(nameOf));
  const isMalformed = (entry: string) => parseTagMap([entry], []).length === 0;
  return {
    ...config,
    outputStream: config.outputStream.filter((entry) => made.has(nameOf(entry)) || isMalformed(entry)),
  };
}

function failureOf(error: unknown): CaseFailure {
  const isArgument = error instanceof GraphError && error.code === 'INVALID_ARGUMENT';
  const message = messageOf(error).replaceAll('\n', ' ').slice(0, MESSAGE_LENGTH);
  return { class: isArgument ? 'ValueError' : 'RuntimeError', message };
}

/** Ints travel as bigint here, so that an int is not a float. */
function toValue([type, value]: TypedValue): unknown {
  return type === 'int' ? BigInt(value as number) : value;
}

/** As the recorder printed it: floats to six places. */
function fromValue(type: string, value: unknown): unknown {
  if (value === undefined) return null;
  if (type === 'any') return '?';
  if (type === 'float') return sixPlaces(value as number);
  if (type === 'floats') return Array.from(value as Iterable<number>, sixPlaces);
  return typeof value === 'bigint' ? Number(value) : value;
}

const sixPlaces = (value: number): number => Number(Math.fround(value).toFixed(6));
