import type { Phase } from '../../graph/index.ts';
import type { MetricUpdate } from '../../ipc/metric-update.ts';

/** How long counts gather before the front hears of them. */
const FLUSH_MS = 250;

/**
 * Why a packet was dropped: a newer request took its place in front of the graph (`input_policy: "newest"`), an input
 * policy inside the graph kept only the newest of a queue (`FixedSizeInputStreamHandler`), or a flow limiter held it back.
 */
export type DropCause = 'newest_input' | 'queue_policy' | 'flow_limiter';

/**
 * Upper bounds of the buckets of a node's times in microseconds: every second one of OVMS's, 10 µs to 1.3 s. A graph has a hundred
 * nodes, and each is a histogram.
 */
export const NODE_TIME_BOUNDS_US: readonly number[] = Array.from({ length: 11 }, (_, i) =>
  Math.floor(10 * 1.8 ** (2 * i)),
);

/** Calls and their time by bucket; the last one is beyond all bounds. */
class NodeTimes {
  readonly #calls = new Float64Array(NODE_TIME_BOUNDS_US.length + 1);
  readonly #microseconds = new Float64Array(NODE_TIME_BOUNDS_US.length + 1);

  add(microseconds: number): void {
    let bucket = 0;
    while (bucket < NODE_TIME_BOUNDS_US.length && microseconds > NODE_TIME_BOUNDS_US[bucket]!) bucket++;
    this.#calls[bucket]! += 1;
    this.#microseconds[bucket]! += microseconds;
  }

  /** What was added since the last time: the mean of each bucket that has any, and how often. */
  take(): {
    readonly calls: number;
    readonly microseconds: number;
    readonly means: number[];
    readonly counts: number[];
  } {
    const [means, counts]: [number[], number[]] = [[], []];
    let [calls, microseconds] = [0, 0];
    this.#calls.forEach((count, bucket) => {
      if (count === 0) return;
      const time = this.#microseconds[bucket]!;
      calls += count;
      microseconds += time;
      means.push(time / count);
      counts.push(count);
    });
    this.#calls.fill(0);
    this.#microseconds.fill(0);
    return { calls, microseconds, means, counts };
  }
}

/**
 * What the nodes of one servable's graph do in this host, in all its sessions and unary runs. A call costs a few additions; what
 * gathered goes to the front a few times a second, and nothing while nothing runs.
 */
export class GraphMeter {
  readonly #send: (updates: readonly MetricUpdate[]) => void;
  readonly #nodes = new Map<string, NodeTimes>();
  readonly #drops = new Map<DropCause, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (updates: readonly MetricUpdate[]) => void) {
    this.#send = send;
  }

  /** A call of a calculator has ended. Those of Process count: Open and Close tell nothing of packets. */
  called(node: string, microseconds: number, phase: Phase): void {
    if (phase !== 'Process') return;
    let times = this.#nodes.get(node);
    if (times === undefined) this.#nodes.set(node, (times = new NodeTimes()));
    times.add(microseconds);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  dropped(cause: DropCause, packets: number): void {
    this.#drops.set(cause, (this.#drops.get(cause) ?? 0) + packets);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  /** Nothing is sent any more. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    const updates: MetricUpdate[] = [];
    for (const [node, times] of this.#nodes) {
      const { calls, microseconds, means, counts } = times.take();
      if (calls === 0) continue;
      updates.push(
        counter('millrace_graph_node_calls', 'Calls of a node of a graph.', { node }, calls),
        counter('millrace_graph_node_time_us', 'Time in calls of a node of a graph.', { node }, microseconds),
        {
          type: 'histogram',
          name: 'millrace_graph_node_processing_time_us',
          help: 'Time of a call of a node of a graph.',
          labels: { node },
          bounds: NODE_TIME_BOUNDS_US,
          values: means,
          counts,
        },
      );
    }
    for (const [cause, packets] of this.#drops) {
      updates.push(counter('millrace_graph_drops', 'Packets that a graph dropped, by cause.', { cause }, packets));
    }
    this.#drops.clear();
    this.#send(updates);
  }
}

function counter(name: string, help: string, labels: Readonly<Record<string, string>>, value: number): MetricUpdate {
  return { type: 'counter', name, help, labels, values: [value] };
}
