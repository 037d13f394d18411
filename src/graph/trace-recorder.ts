import type { Phase } from './graph-error.ts';
import type { Packet } from './packet.ts';
import { TRACE_CAPACITY } from './profiler-config.ts';
import type { GraphRunOptions } from './run-core.ts';
import { isRangeTimestamp, timestampName } from './timestamp.ts';
import type { ValidatedGraph } from './validated-graph.ts';

/** An event of the Chrome trace event format, as `chrome://tracing` and Perfetto read it. Times in µs. */
export interface ChromeEvent {
  readonly name: string;
  /** X: a call with its duration; i: a packet; M: a row's name or place. */
  readonly ph: 'X' | 'i' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly s?: 't';
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly traceEvents: readonly ChromeEvent[];
  readonly displayTimeUnit: 'ms';
  readonly otherData: { readonly droppedEvents: number };
}

/** A call of a calculator, or a packet that became visible (no phase). */
interface TraceEvent {
  readonly row: number;
  readonly name: string;
  readonly phase: Phase | undefined;
  readonly timestamp: bigint;
  /** As `performance.now()`, in ms. */
  readonly at: number;
  readonly microseconds: number;
}

/** The row of what the application feeds; the nodes' rows follow in topological order. */
const INPUTS_ROW = 0;

/**
 * Records one run of a graph: every call of a calculator with its phase, input timestamp and duration, every packet with its
 * stream and timestamp. Of more than `capacity` events the newest are kept. Pass `hooks` to the `GraphRun`.
 */
export class TraceRecorder {
  readonly hooks: Required<Pick<GraphRunOptions, 'onNodeRun' | 'onPackets'>>;
  readonly #graph: ValidatedGraph;
  readonly #capacity: number;
  readonly #events: TraceEvent[] = [];
  readonly #startedAt = performance.now();
  #count = 0;

  constructor(graph: ValidatedGraph, capacity: number = TRACE_CAPACITY) {
    this.#graph = graph;
    this.#capacity = capacity;
    const nodeRows = new Map(graph.nodes.map((node) => [node.name, node.order + 1]));
    const streamRows = new Map(
      graph.nodes.flatMap((node) => node.outputs.map(({ name }) => [name, node.order + 1] as const)),
    );
    this.hooks = {
      onNodeRun: (node, microseconds, phase, timestamp) => {
        const at = performance.now() - microseconds / 1000;
        this.#add({ row: nodeRows.get(node) ?? INPUTS_ROW, name: phase, phase, timestamp, at, microseconds });
      },
      onPackets: (stream, packets) => this.#addPackets(streamRows.get(stream) ?? INPUTS_ROW, stream, packets),
    };
  }

  /** What was recorded so far; times count from the recorder's making. */
  toChromeTrace(): ChromeTrace {
    const from = this.#count % this.#capacity;
    const isFull = this.#count > this.#capacity;
    const events = isFull ? [...this.#events.slice(from), ...this.#events.slice(0, from)] : this.#events;
    return {
      traceEvents: [...this.#rows(), ...events.map((event) => this.#chromeEvent(event))],
      displayTimeUnit: 'ms',
      otherData: { droppedEvents: Math.max(0, this.#count - this.#capacity) },
    };
  }

  #addPackets(row: number, name: string, packets: readonly Packet[]): void {
    const at = performance.now();
    for (const { timestamp } of packets) this.#add({ row, name, phase: undefined, timestamp, at, microseconds: 0 });
  }

  #add(event: TraceEvent): void {
    this.#events[this.#count++ % this.#capacity] = event;
  }

  #rows(): ChromeEvent[] {
    const rows = [{ row: INPUTS_ROW, name: 'graph inputs' }];
    for (const node of this.#graph.nodes) rows.push({ row: node.order + 1, name: node.name });
    const common = { ph: 'M', pid: process.pid } as const;
    return rows.flatMap(({ row: tid, name }) => [
      { ...common, name: 'thread_name', tid, args: { name } },
      { ...common, name: 'thread_sort_index', tid, args: { sort_index: tid } },
    ]);
  }

  #chromeEvent({ row: tid, name, phase, timestamp, at, microseconds }: TraceEvent): ChromeEvent {
    const common = { name, pid: process.pid, tid, ts: (at - this.#startedAt) * 1000 };
    const time = isRangeTimestamp(timestamp) ? Number(timestamp) : timestampName(timestamp);
    if (phase === undefined) return { ...common, ph: 'i', s: 't', cat: 'packet', args: { timestamp: time } };
    return { ...common, ph: 'X', cat: 'calculator', dur: microseconds, args: { input_timestamp: time } };
  }
}
