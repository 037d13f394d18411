import type { Phase } from './graph-error.ts';
import type { Packet } from './packet.ts';
import { TRACE_CAPACITY } from './profiler-config.ts';
import type { GraphRunOptions } from './run-core.ts';
import { isRangeTimestamp, Timestamp, timestampName } from './timestamp.ts';
import type { ValidatedGraph } from './validated-graph.ts';

/** An event of the Chrome trace event format, as `chrome://tracing` and Perfetto read it. Times in µs. */
export interface ChromeEvent {
  readonly name: string;
  /** X: a call with its duration; i: a packet, or a queue that is full or no longer; C: a queue's length; M: a row's name or place. */
  readonly ph: 'X' | 'i' | 'C' | 'M';
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

/** A call of a calculator (its phase), a packet that became visible, or a queue's length. */
interface TraceEvent {
  readonly row: number;
  readonly name: string;
  readonly kind: Phase | 'packet' | 'queue' | 'throttled' | 'unthrottled';
  /** Of the call or packet. */
  readonly timestamp: bigint;
  /** Packets in the queue. */
  readonly size?: number;
  /** As `performance.now()`, in ms. */
  readonly at: number;
  readonly microseconds: number;
}

/** The row of what the application feeds; the nodes' rows follow in topological order. */
const INPUTS_ROW = 0;

/**
 * Records one run of a graph: every call of a calculator with its phase, input timestamp and duration, every packet with its
 * stream and timestamp, the length of every input's queue as it changes, and when a full one holds back what feeds it. Of more than `capacity` events the newest are kept. Pass `hooks` to the `GraphRun`.
 */
export class TraceRecorder {
  readonly hooks: Required<Pick<GraphRunOptions, 'onNodeRun' | 'onPackets' | 'onQueue'>>;
  readonly #graph: ValidatedGraph;
  readonly #capacity: number;
  readonly #events: TraceEvent[] = [];
  readonly #startedAt = performance.now();
  #count = 0;
  /** By node and stream. */
  readonly #queues = new Map<string, { readonly size: number; readonly isFull: boolean }>();

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
        this.#add({ row: nodeRows.get(node) ?? INPUTS_ROW, name: phase, kind: phase, timestamp, at, microseconds });
      },
      onQueue: (node, stream, size, isFull) =>
        this.#addQueue(nodeRows.get(node) ?? INPUTS_ROW, `${node} ${stream}`, size, isFull),
      onPackets: (stream, packets) => this.#addPackets(streamRows.get(stream) ?? INPUTS_ROW, stream, packets),
    };
  }

  /** What was recorded so far; times count from the recorder's making. */
  toChromeTrace(): ChromeTrace {
    const from = this.#count % this.#capacity;
    const isFull = this.#count > this.#capacity;
    const events = isFull ? [...this.#events.slice(from), ...this.#events.slice(0, from)] : this.#events;
    const lanes = this.#lanes(events);
    return {
      traceEvents: [
        ...this.#rows(new Set(lanes)),
        ...events.map((event, at) => this.#chromeEvent(event, lanes[at] ?? event.row)),
      ],
      displayTimeUnit: 'ms',
      otherData: { droppedEvents: Math.max(0, this.#count - this.#capacity) },
    };
  }

  #addPackets(row: number, name: string, packets: readonly Packet[]): void {
    const at = performance.now();
    for (const { timestamp } of packets) this.#add({ row, name, kind: 'packet', timestamp, at, microseconds: 0 });
  }

  #addQueue(row: number, name: string, size: number, isFull: boolean): void {
    const before = this.#queues.get(name) ?? { size: 0, isFull: false };
    if (before.size === size && before.isFull === isFull) return;
    this.#queues.set(name, { size, isFull });
    const event = { row, name, timestamp: Timestamp.Unset, size, at: performance.now(), microseconds: 0 };
    if (before.size !== size) this.#add({ ...event, kind: 'queue' });
    if (before.isFull !== isFull) this.#add({ ...event, kind: isFull ? 'throttled' : 'unthrottled' });
  }

  #add(event: TraceEvent): void {
    this.#events[this.#count++ % this.#capacity] = event;
  }

  /** The row of each event: calls that overlap (`max_in_flight`) get rows of their own, that of the node first. */
  #lanes(events: readonly TraceEvent[]): number[] {
    const rows = this.#graph.nodes.length + 1;
    const busyUntil = new Map<number, number>();
    const lanes = events.map(({ row }) => row);
    const calls = events.flatMap(({ kind }, at) => (isCall(kind) ? [at] : []));
    for (const at of calls.toSorted((a, b) => (events[a]?.at ?? 0) - (events[b]?.at ?? 0))) {
      const event = events[at] as TraceEvent;
      let lane = event.row;
      while ((busyUntil.get(lane) ?? -Infinity) > event.at) lane += rows;
      busyUntil.set(lane, event.at + event.microseconds / 1000);
      lanes[at] = lane;
    }
    return lanes;
  }

  /** Names and places of the rows in use, and of every node. */
  #rows(inUse: ReadonlySet<number>): ChromeEvent[] {
    const names = new Map([[INPUTS_ROW, 'graph inputs']]);
    for (const node of this.#graph.nodes) names.set(node.order + 1, node.name);
    const rows = names.size;
    for (const tid of inUse) names.set(tid, names.get(tid % rows) ?? '');
    const common = { ph: 'M', pid: process.pid } as const;
    return Array.from(names).flatMap(([tid, name]) => [
      { ...common, name: 'thread_name', tid, args: { name } },
      { ...common, name: 'thread_sort_index', tid, args: { sort_index: tid % rows } },
    ]);
  }

  #chromeEvent({ name, kind, timestamp, size = 0, at, microseconds }: TraceEvent, tid: number): ChromeEvent {
    const common = { name, pid: process.pid, tid, ts: (at - this.#startedAt) * 1000 };
    const time = isRangeTimestamp(timestamp) ? Number(timestamp) : timestampName(timestamp);
    switch (kind) {
      case 'queue':
        return { ...common, name: `queue ${name}`, ph: 'C', cat: 'queue', args: { packets: size } };
      case 'throttled':
      case 'unthrottled':
        return { ...common, name: `${kind} ${name}`, ph: 'i', s: 't', cat: 'queue', args: { packets: size } };
      case 'packet':
        return { ...common, ph: 'i', s: 't', cat: 'packet', args: { timestamp: time } };
      case 'Open':
      case 'Process':
      case 'Close':
        return { ...common, ph: 'X', cat: 'calculator', dur: microseconds, args: { input_timestamp: time } };
    }
  }
}

function isCall(kind: TraceEvent['kind']): boolean {
  return kind === 'Open' || kind === 'Process' || kind === 'Close';
}
