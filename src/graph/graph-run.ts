import { combineErrors, GraphError, codeOf } from './graph-error.ts';
import { messageOf } from '../base/errors.ts';
import { InputStream, timestampFault, type QueueHost } from './input-stream.ts';
import { Observer, type ObserveOptions } from './observer.ts';
import type { OutputStream } from './output-stream.ts';
import type { Packet } from './packet.ts';
import { Poller, type PollOptions } from './poller.ts';
import { RunCore, type GraphRunOptions } from './run-core.ts';
import type { ValidatedGraph } from './validated-graph.ts';

/** How long one input's queue is. */
export interface QueueSize {
  readonly node: string;
  readonly stream: string;
  readonly size: number;
  /** Of the packets' values; 0 where the run has no `sizeOf`. */
  readonly bytes: number;
}

const NOTHING: ReadonlyMap<string, unknown> = new Map();

/**
 * One live instance of a graph: observe, `start`, feed, wait. Single-threaded; nodes run in a microtask after what made
 * them ready, never inside `addPacket`. A run cannot be started again: make another, which is cheap.
 */
export class GraphRun {
  readonly #graph: ValidatedGraph;
  readonly #core: RunCore;
  #isStarted = false;

  constructor(graph: ValidatedGraph, options: GraphRunOptions = {}) {
    this.#graph = graph;
    this.#core = new RunCore(graph, options);
  }

  /** Calls back for each packet of any stream of the graph, in order. Before `start`. What `callback` throws fails the run. */
  observe(stream: string, callback: (packet: Packet) => void, options: ObserveOptions = {}): void {
    if (this.#isStarted) throw new GraphError('FAILED_PRECONDITION', `stream "${stream}" is observed too late`);
    const found = this.#core.stream(stream);
    if (found === undefined) throw unknownStream(stream, 'observe');
    found.consumers.push(new Observer(stream, callback, options, (error) => this.#core.failObserver(stream, error)));
  }

  /** Keeps the packets of any stream of the graph until they are asked for. Before `start`. */
  poll(stream: string, options: PollOptions = {}): Poller {
    if (this.#isStarted) throw new GraphError('FAILED_PRECONDITION', `stream "${stream}" is polled too late`);
    const core = this.#core;
    const at = this.#graph.streamIndex.get(stream);
    if (at === undefined) throw unknownStream(stream, 'poll');
    const poller = new Poller(this.#graph, at, pollerHost(core, stream), options);
    core.stream(stream)?.consumers.push(poller.consumer);
    core.onLast(() => poller.end());
    return poller;
  }

  /**
   * Begins the run; nodes open asynchronously. Throws `INVALID_ARGUMENT` when a required side packet is missing or of a wrong
   * type, `FAILED_PRECONDITION` when a service is missing; then the run has not begun.
   * @param headers of graph inputs, by name
   */
  start(sidePackets: ReadonlyMap<string, unknown> = NOTHING, headers: ReadonlyMap<string, unknown> = NOTHING): void {
    if (this.#isStarted) throw new GraphError('FAILED_PRECONDITION', 'the run has been started before');
    this.#core.start(sidePackets, headers);
    this.#isStarted = true;
  }

  /** What is wrong with a packet; nothing is changed. */
  checkPacket(stream: string, value: unknown, timestamp: bigint): GraphError | undefined {
    const input = this.#core.input(stream);
    if (input === undefined) return unknownStream(stream, 'feed');
    const { error, isEndTold } = this.#core;
    const failure = error === undefined ? undefined : combineErrors('Graph has errors: ', [error]);
    if (isEndTold) {
      const text = `stream "${stream}" is fed after the run has ended`;
      return new GraphError('FAILED_PRECONDITION', failure === undefined ? text : `${text}; ${failure.message}`);
    }
    if (failure !== undefined) return failure;
    if (!this.#isStarted)
      return new GraphError('FAILED_PRECONDITION', `stream "${stream}" is fed before the run has started`);
    if (this.#core.hasEnded) return undefined;
    return input.faultOf({ value, timestamp }) ?? this.#timeFault(input, timestamp);
  }

  /**
   * Queues a packet, also above the limit of a queue. Throws what `checkPacket` returns; a fault of the packet itself also
   * fails the run, as in MediaPipe; but where all who read the stream have closed, a timestamp is not looked at. A packet for a run that has ended is dropped until `waitUntilDone` has told so, then an error.
   */
  addPacket(stream: string, packet: Packet): void {
    const fault = this.checkPacket(stream, packet.value, packet.timestamp);
    const input = this.#core.input(stream);
    if (fault !== undefined || input === undefined) {
      if (fault === undefined) return;
      const isLate = fault.fault === 'timestamp' && this.#core.error === undefined;
      if (isLate && input !== undefined && hasNoReader(input)) return;
      if (fault.code === 'INVALID_ARGUMENT' && this.#core.error === undefined) this.#core.fail(fault);
      throw fault;
    }
    if (this.#core.hasEnded) return;
    input.feed(packet);
    this.#core.loop.wake();
  }

  /** As `addPacket`; but while the stream is throttled it throws UNAVAILABLE, and nothing is added. */
  addPacketIfNotFull(stream: string, packet: Packet): void {
    if (this.#core.error === undefined && this.isThrottled(stream)) {
      throw new GraphError('UNAVAILABLE', `Graph is throttled: a queue that input stream "${stream}" feeds is full`);
    }
    this.addPacket(stream, packet);
  }

  /**
   * Packets from which the queues that a graph input feeds directly count as full, instead of the graph's `max_queue_size`.
   * @param packets at least 1, or -1 for never
   */
  setInputMaxQueueSize(stream: string, packets: number): void {
    const input = this.#core.input(stream);
    if (input === undefined) throw unknownStream(stream, 'limit');
    if (!Number.isInteger(packets) || packets < -1 || packets === 0) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `stream "${stream}": a queue of ${packets} packets, at least 1 or -1 expected`,
      );
    }
    for (const consumer of input.consumers) if (consumer instanceof InputStream) consumer.setLimit(packets);
    this.#core.loop.wake();
  }

  /** Some queue fed by this graph input (by any, when none is named) is full. */
  isThrottled(stream?: string): boolean {
    return this.#core.throttle.holdsBack(stream === undefined ? undefined : this.#core.inputIndex(stream));
  }

  /** Resolves when no graph input is throttled, or when the run has failed or ended. */
  whenNotThrottled(): Promise<void> {
    if (this.#core.error !== undefined || this.#core.hasEnded) return Promise.resolve();
    return this.#core.throttle.whenFree();
  }

  /** Back-pressure from outside: while blocked, sources and graph inputs count as throttled. */
  setOutputBlocked(blocked: boolean): void {
    this.#core.throttle.setBlocked(blocked);
    this.#core.loop.wake();
  }

  /** Promises that nothing before `t` will come on a graph input. Throws for a bound below the present one. */
  setInputBound(stream: string, t: bigint): void {
    const input = this.#core.input(stream);
    if (input === undefined) throw unknownStream(stream, 'feed');
    if (t < input.visibleBound) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `stream "${stream}": the bound ${t} is below the present one, ${input.visibleBound}`,
      );
    }
    if (input.isClosed || !this.#isStarted) return;
    input.raise(t);
    this.#core.loop.wake();
  }

  /** Idempotent. */
  closeInput(stream: string): void {
    const input = this.#core.input(stream);
    if (input === undefined) throw unknownStream(stream, 'close');
    input.finish();
    this.#core.loop.wake();
  }

  closeAllInputs(): void {
    for (const { name } of this.#graph.inputStreams) this.closeInput(name);
  }

  /** Closes graph inputs and sources; what was sent is still processed. */
  closeAllPacketSources(): void {
    this.closeAllInputs();
    this.#core.stopSources();
  }

  /** Whether no packet at or before `t` can come any more on a stream. */
  isSettledPast(stream: string, t: bigint): boolean {
    const found = this.#core.stream(stream);
    if (found === undefined) throw unknownStream(stream, 'ask about');
    return this.#core.hasEnded || found.visibleBound > t;
  }

  /** Whether a node (by its index in the graph) is neither running nor about to, and nothing is queued at those inputs of it. */
  isNodeAtRest(node: number, inputs: readonly number[]): boolean {
    const found = this.#core.nodes[node];
    return found === undefined || (!found.isBusy && inputs.every((at) => (found.inputs[at]?.size ?? 0) === 0));
  }

  /** Calls under way end, no further ones begin until `resume`; inputs may be fed meanwhile. Without effect on a run that has failed. */
  pause(): void {
    this.#core.loop.pause();
  }

  resume(): void {
    this.#core.loop.resume();
  }

  /** Fails the run with `error`, or with CANCELLED: queued work is dropped, running calls end, open nodes close. */
  cancel(error?: Error): void {
    const reason =
      error === undefined
        ? new GraphError('CANCELLED', 'CalculatorGraph::Cancel: the run was cancelled')
        : new GraphError(codeOf(error), messageOf(error), { cause: error });
    this.#core.fail(reason);
  }

  /** Resolves when no call runs or is queued; rejects when the run has failed. */
  waitUntilIdle(): Promise<void> {
    return this.#core.wait('idle');
  }

  /** Resolves when the run has ended by itself; rejects with all errors when it has failed and cleaned up. */
  waitUntilDone(): Promise<void> {
    return this.#core.wait('done');
  }

  /** Calls back at once when the run fails, also when nobody waits; immediately if it has. */
  onError(callback: (error: GraphError) => void): void {
    this.#core.onError(callback);
  }

  /** The value of a side packet that a node has set. Throws `UNAVAILABLE` before that, `NOT_FOUND` where no node makes it. */
  outputSidePacket(name: string): unknown {
    return this.#core.sidePackets.read(name);
  }

  get queueSizes(): readonly QueueSize[] {
    return this.#core.nodes.flatMap(({ plan, inputs }) =>
      inputs.map(({ name, size, bytes }) => ({ node: plan.name, stream: name, size, bytes })),
    );
  }

  /** Packets that input policies (FixedSize) have dropped so far, in all of the graph. */
  get droppedPackets(): number {
    return this.#core.droppedPackets;
  }

  #timeFault(input: OutputStream, timestamp: bigint): GraphError | undefined {
    const isUntimed =
      input.consumers.length > 0 &&
      input.consumers.every((consumer) => consumer instanceof InputStream && !consumer.isTimed);
    return isUntimed ? undefined : timestampFault(input.name, timestamp, input.visibleBound, input.wasFed);
  }
}

/** All nodes that read the stream have closed, and nobody observes it. */
function hasNoReader({ consumers, isClosed }: OutputStream): boolean {
  if (isClosed || consumers.length === 0) return false;
  return consumers.every((consumer) => consumer instanceof InputStream && consumer.isClosed);
}

function unknownStream(stream: string, verb: string): GraphError {
  return new GraphError('NOT_FOUND', `Unable to ${verb} stream "${stream}": the graph has none of that name`);
}

/** What a poller's queue tells: it holds the graph's inputs and sources back, and its bytes are the application's affair. */
function pollerHost(core: RunCore, stream: string): QueueHost {
  return {
    queueFull: (input, isFull) => core.throttle.update(input, isFull, false),
    queueChanged: undefined,
    sizeOf: undefined,
    bytesQueued() {},
    packetsDropped() {},
    fail: (error) => core.failObserver(stream, error),
  };
}
