import type { Phase } from '../../graph/index.ts';
import type { MetricUpdate } from '../../ipc/metric-update.ts';

/** How long counts gather before the front hears of them. */
const FLUSH_MS = 250;

/**
 * Why a packet was dropped: a newer request took its place in front of the graph (`input_policy: "newest"`), or an input
 * policy inside the graph kept only the newest of a queue (`FixedSizeInputStreamHandler`).
 */
export type DropCause = 'newest_input' | 'queue_policy';

interface NodeCounts {
  calls: number;
  microseconds: number;
}

/**
 * What the nodes of one servable's graph do in this host, in all its sessions and unary runs. A call costs two additions; what
 * gathered goes to the front a few times a second, and nothing while nothing runs.
 */
export class GraphMeter {
  readonly #send: (updates: readonly MetricUpdate[]) => void;
  readonly #nodes = new Map<string, NodeCounts>();
  readonly #drops = new Map<DropCause, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (updates: readonly MetricUpdate[]) => void) {
    this.#send = send;
  }

  /** A call of a calculator has ended. Those of Process count: Open and Close tell nothing of packets. */
  called(node: string, microseconds: number, phase: Phase): void {
    if (phase !== 'Process') return;
    let counts = this.#nodes.get(node);
    if (counts === undefined) this.#nodes.set(node, (counts = { calls: 0, microseconds: 0 }));
    counts.calls++;
    counts.microseconds += microseconds;
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
    for (const [node, counts] of this.#nodes) {
      if (counts.calls === 0) continue;
      updates.push(
        counter('millrace_graph_node_calls', 'Calls of a node of a graph.', { node }, counts.calls),
        counter('millrace_graph_node_time_us', 'Time in calls of a node of a graph.', { node }, counts.microseconds),
      );
      counts.calls = counts.microseconds = 0;
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
