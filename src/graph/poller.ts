import { InputStream, type InputOwner, type QueueHost } from './input-stream.ts';
import { settledBy } from './observer.ts';
import type { StreamConsumer } from './output-stream.ts';
import type { Packet } from './packet.ts';
import { Timestamp } from './timestamp.ts';
import type { ValidatedGraph } from './validated-graph.ts';

export interface PollOptions {
  /** Also give an empty packet (value `undefined`) at the settled time whenever that advances without a packet. */
  readonly bounds?: boolean;
  /** Unread packets from which the sources and graph inputs that feed the stream are held back. Default -1: never. */
  readonly maxQueueSize?: number;
}

/** Keeps a stream's packets until the application asks for them; {@link GraphRun.poll} makes it. */
export class Poller implements InputOwner {
  readonly #input: InputStream;
  readonly #wantsBounds: boolean;
  readonly #waiting: ((packet: Packet | undefined) => void)[] = [];
  #last: bigint = Timestamp.Unstarted;
  #isLast = false;

  /** @param stream index into the graph's streams */
  constructor(graph: ValidatedGraph, stream: number, host: QueueHost, options: PollOptions) {
    const plan = { tag: '', index: 0, name: graph.streams[stream]?.name ?? '', ...feedersOf(graph, stream) };
    this.#input = new InputStream(plan, this, host, options.maxQueueSize ?? -1);
    this.#wantsBounds = options.bounds === true;
  }

  /** @internal What the stream's producer tells. */
  get consumer(): StreamConsumer {
    return this.#input;
  }

  /** The next packet, once there is one; undefined when no more will come, because the stream has ended or the run has failed. */
  next(): Promise<Packet | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#give();
    });
  }

  /** @internal */
  inputChanged(): void {
    this.#give();
  }

  /** @internal The run has failed or ended: what is queued may still be read. */
  end(): void {
    this.#isLast = true;
    this.#give();
  }

  #give(): void {
    while (this.#waiting.length > 0) {
      const packet = this.#take();
      if (packet === undefined && !this.#isLast && !this.#input.isExhausted) return;
      this.#waiting.shift()?.(packet);
    }
  }

  #take(): Packet | undefined {
    const input = this.#input;
    let { first } = input;
    if (first !== undefined) {
      input.popFirst();
      input.release();
    } else if (this.#wantsBounds) {
      const settled = settledBy(input.bound);
      if (settled > this.#last) first = { value: undefined, timestamp: settled };
    }
    if (first !== undefined) this.#last = first.timestamp;
    return first;
  }
}

/** The sources and graph inputs that a stream's packets come from. */
function feedersOf({ streams, nodes }: ValidatedGraph, at: number) {
  const graphInput = streams[at]?.graphInput;
  if (graphInput !== undefined) return { throttledSources: [], throttledInputs: [graphInput] };
  const producer = nodes.find(({ outputs }) => outputs.some(({ stream }) => stream === at));
  if (producer?.isSource === true) return { throttledSources: [producer.index], throttledInputs: [] };
  const inputs = producer?.inputs.filter(({ backEdge }) => !backEdge) ?? [];
  return {
    throttledSources: [...new Set(inputs.flatMap(({ throttledSources }) => throttledSources))],
    throttledInputs: [...new Set(inputs.flatMap(({ throttledInputs }) => throttledInputs))],
  };
}
