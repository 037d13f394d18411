import { BoundRelay } from './bound-relay.ts';
import { combineErrors, GraphError, codeOf, type Phase } from './graph-error.ts';
import { messageOf } from '../base/errors.ts';
import { Executor } from './executor.ts';
import type { InputStream } from './input-stream.ts';
import type { NodeContext } from './node-context.ts';
import { NodeRun, type NodeHost } from './node-run.ts';
import { OutputStream, type OutputClock } from './output-stream.ts';
import type { Packet } from './packet.ts';
import { RunLoop, type RunLoopHost } from './run-loop.ts';
import { SidePacketStore } from './side-packet-store.ts';
import { SourceLayers } from './source-layers.ts';
import { tellStatus } from './plan-status-handlers.ts';
import { Throttle } from './throttle.ts';
import { Timestamp } from './timestamp.ts';
import type { NodePlan, StreamPlan, ValidatedGraph } from './validated-graph.ts';

export interface GraphRunOptions {
  /** What calculators ask for by name. */
  readonly services?: ReadonlyMap<string, unknown>;
  /**
   * Told of every call of a calculator when it has ended, asynchronous ones when their promise settles.
   * @param timestamp the call's input timestamp: Unstarted in Open, Done in Close
   */
  readonly onNodeRun?: (node: string, microseconds: number, phase: Phase, timestamp: bigint) => void;
  /** Told of packets when they become visible on a stream of the graph, whoever reads it. */
  readonly onPackets?: (stream: string, packets: readonly Packet[]) => void;
  /** Told how many packets are queued at an input whenever that may have changed, and whether its queue holds back what feeds it. */
  readonly onQueue?: (node: string, stream: string, size: number, isFull: boolean) => void;
  /** Bytes of a packet's value, always the same for the same value; asked when a packet is queued and when it leaves. */
  readonly sizeOf?: (value: unknown) => number;
  /**
   * What all input queues together may hold before sources and graph inputs are throttled, in bytes as `sizeOf` says; a value
   * in several queues counts in each. A run that can go on only by holding more fails with RESOURCE_EXHAUSTED.
   */
  readonly maxQueueBytes?: number;
}

interface Waiter {
  readonly until: 'idle' | 'done';
  readonly resolve: () => void;
  readonly reject: (error: GraphError) => void;
}

const NO_SERVICES: ReadonlyMap<string, unknown> = new Map();
const NO_CLOCK = { timestamp: Timestamp.Unset, isOpening: false };

/** The machinery of a run: joins nodes, loop, sources, throttling and errors. {@link GraphRun} is its face. */
export class RunCore implements NodeHost, RunLoopHost {
  readonly nodes: readonly NodeRun[];
  readonly loop: RunLoop;
  readonly throttle: Throttle;
  readonly sidePackets: SidePacketStore;
  readonly services: ReadonlyMap<string, unknown>;
  readonly onNodeRun: GraphRunOptions['onNodeRun'];
  readonly queueChanged: ((input: InputStream) => void) | undefined;
  readonly sizeOf: GraphRunOptions['sizeOf'];
  readonly #onPackets: GraphRunOptions['onPackets'];
  readonly #graph: ValidatedGraph;
  readonly #streams: OutputStream[];
  readonly #inputs: OutputStream[] = [];
  readonly #sources: SourceLayers;
  readonly #bounds = new BoundRelay();
  readonly #errors: GraphError[] = [];
  #errorListeners: ((error: GraphError) => void)[] = [];
  #waiters: Waiter[] = [];
  #controller: AbortController | undefined;
  /** Packets that input policies have dropped so far. */
  droppedPackets = 0;
  #isStarted = false;
  #isEnding = false;
  #hasEnded = false;
  #isEndTold = false;
  readonly #endListeners: (() => void)[] = [];

  constructor(graph: ValidatedGraph, options: GraphRunOptions) {
    this.#graph = graph;
    this.services = options.services ?? NO_SERVICES;
    this.onNodeRun = options.onNodeRun;
    this.sizeOf = options.sizeOf;
    this.queueChanged = this.#queueListener(options.onQueue);
    this.#onPackets = options.onPackets;
    this.sidePackets = new SidePacketStore(graph);
    this.loop = new RunLoop(this);
    this.#streams = new Array<OutputStream>(graph.streams.length);
    for (const { name, tag, index } of graph.inputStreams)
      this.#inputs.push(this.#addStream(name, tag, index, NO_CLOCK));
    const executors = graph.executors.map((limit) => new Executor(limit));
    this.nodes = graph.nodes.map((plan) =>
      this.#createNode(plan, plan.executor === undefined ? undefined : executors[plan.executor]),
    );
    for (const [at, { consumers }] of graph.streams.entries()) {
      for (const { node, input } of consumers) {
        const consumer = this.nodes[node]?.inputs[input];
        if (consumer !== undefined) this.#streams[at]?.consumers.push(consumer);
      }
    }
    this.throttle = new Throttle(this.nodes, this.#inputs.length, options.maxQueueBytes ?? Infinity, (source) =>
      this.#runSource(source),
    );
    this.#sources = new SourceLayers(this.nodes);
  }

  get hasFailed(): boolean {
    return this.#errors.length > 0;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Somebody who waited for the end has been told of it. */
  get isEndTold(): boolean {
    return this.#isEndTold;
  }

  /** The error that failed the run. */
  get error(): GraphError | undefined {
    return this.#errors[0];
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.hasFailed) this.#controller.abort(this.error);
    }
    return this.#controller.signal;
  }

  stream(name: string): OutputStream | undefined {
    const at = this.#graph.streamIndex.get(name);
    return at === undefined ? undefined : this.#streams[at];
  }

  /** A stream that the application feeds. */
  input(name: string): OutputStream | undefined {
    const stream = this.stream(name);
    return stream?.plan.graphInput === undefined ? undefined : stream;
  }

  inputIndex(name: string): number | undefined {
    return this.stream(name)?.plan.graphInput;
  }

  start(sidePackets: ReadonlyMap<string, unknown>, headers: ReadonlyMap<string, unknown>): void {
    for (const name of this.#graph.services) {
      if (!this.services.has(name))
        throw new GraphError('FAILED_PRECONDITION', `the graph needs the service "${name}"`);
    }
    for (const [name, header] of headers) {
      const input = this.input(name);
      if (input === undefined) throw new GraphError('NOT_FOUND', `header given for "${name}", which is no graph input`);
      input.showHeader(header);
    }
    this.sidePackets.give(sidePackets);
    this.#isStarted = true;
    this.#tellStatus('beforeRun');
    for (const node of this.nodes) if (node.waitsFor === 0) node.scheduleOpen();
    this.loop.wake();
  }

  wait(until: 'idle' | 'done'): Promise<void> {
    if (this.#hasEnded && until === 'done') this.#isEndTold = true;
    if (this.#hasEnded) return this.hasFailed ? Promise.reject(this.#runError()) : Promise.resolve();
    if (!this.#isStarted) {
      return Promise.reject(new GraphError('FAILED_PRECONDITION', 'the run has not been started'));
    }
    if (until === 'idle' && !this.loop.isAwake && !this.#isEnding) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ until, resolve, reject }));
  }

  onError(callback: (error: GraphError) => void): void {
    if (this.hasFailed) callback(this.#runError());
    else this.#errorListeners.push(callback);
  }

  /** Calls back when nothing more will come: at once when the run fails, else at its end. */
  onLast(callback: () => void): void {
    this.#endListeners.push(callback);
    this.onError(callback);
  }

  fail(error: GraphError): void {
    if (this.#hasEnded) return;
    this.#errors.push(error);
    if (this.#errors.length > 1) return;
    const listeners = this.#errorListeners;
    this.#errorListeners = [];
    this.#controller?.abort(error);
    this.throttle.releaseAll();
    if (!this.#isStarted) this.#end();
    else this.#hurry();
    const runError = listeners.length > 0 ? this.#runError() : error;
    for (const listener of listeners) listener(runError);
  }

  failObserver(stream: string, error: unknown): void {
    this.fail(
      error instanceof GraphError
        ? error
        : new GraphError(codeOf(error), `observer of stream "${stream}" failed: ${messageOf(error)}`, { cause: error }),
    );
  }

  // What nodes ask for

  schedule(node: NodeRun): void {
    this.loop.schedule(node);
  }

  sidePacket(name: string): unknown {
    return this.sidePackets.get(name);
  }

  setSidePacket(name: string, value: unknown): void {
    this.sidePackets.set(name, value);
    for (const at of this.#graph.sidePacketWaiters.get(name) ?? []) this.nodes[at]?.arrived();
  }

  opened(node: NodeRun): void {
    for (const at of node.plan.opensBefore) this.nodes[at]?.arrived();
  }

  sourceIdle(source: NodeRun): void {
    this.#runSource(source);
  }

  stopSources(): void {
    this.#sources.stop();
    this.loop.wake();
  }

  queueFull(input: InputStream, isFull: boolean): void {
    this.throttle.update(input, isFull);
  }

  bytesQueued(change: number): void {
    this.throttle.count(change);
  }

  packetsDropped(count: number): void {
    this.droppedPackets += count;
  }

  passBound(outputs: readonly OutputStream[], bound: bigint): void {
    this.#bounds.pass(outputs, bound);
  }

  callBegan(node: NodeRun): void {
    this.loop.callBegan(node);
  }

  callEnded(node: NodeRun): void {
    this.loop.callEnded(node);
  }

  // What the loop asks for

  idle(): boolean {
    if (!this.#isStarted || this.#isEnding) return false;
    if (this.hasFailed) return this.#end();
    if (!this.#sources.areActive) {
      const begun = this.#sources.next();
      for (const source of begun) this.#runSource(source);
      if (begun.length > 0) return true;
      if (this.#inputs.every((input) => input.isClosed)) return this.#endOrDeadlock();
    }
    if (this.#sources.areActive || this.throttle.holdsBack()) {
      const deadlock = this.throttle.deadlock(this.#graph.config.reportDeadlock);
      if (deadlock !== undefined) this.fail(deadlock);
      if (deadlock !== undefined || this.throttle.relieve()) return true;
    }
    this.#settle('idle');
    return false;
  }

  /** Also where the run is paused. */
  #hurry(): void {
    this.loop.resume();
    this.loop.wake();
  }

  #createNode(plan: NodePlan, executor: Executor | undefined): NodeRun {
    return new NodeRun(plan, this, executor, this.#graph.maxQueueSize, (clock: NodeContext) =>
      plan.outputs.map(({ name, tag, index }) => this.#addStream(name, tag, index, clock)),
    );
  }

  #addStream(name: string, tag: string, index: number, clock: OutputClock): OutputStream {
    const at = this.#graph.streamIndex.get(name) ?? -1;
    const stream = new OutputStream(this.#graph.streams[at] as StreamPlan, tag, index, clock, this.#onPackets);
    this.#streams[at] = stream;
    return stream;
  }

  #queueListener(onQueue: GraphRunOptions['onQueue']): RunCore['queueChanged'] {
    if (onQueue === undefined) return undefined;
    const names = new Map<InputStream, string>();
    return (input) => {
      if (names.size === 0)
        for (const { plan, inputs } of this.nodes) for (const own of inputs) names.set(own, plan.name);
      onQueue(names.get(input) ?? '', input.name, input.size, input.isFull);
    };
  }

  #runSource(source: NodeRun): void {
    if (source.isActive && !this.hasFailed && this.throttle.mayRun(source)) source.scheduleSource();
  }

  #endOrDeadlock(): boolean {
    const blocking = this.#sources.blockedBy();
    if (blocking === undefined) return this.#end();
    this.fail(
      new GraphError(
        'UNKNOWN',
        `Detected a deadlock: node "${blocking.plan.name}" of source layer ${blocking.plan.sourceLayer} cannot open, so no later layer begins`,
      ),
    );
    return true;
  }

  /** Closes what is open, then tells those who wait. */
  #end(): boolean {
    this.#isEnding = true;
    const closing = this.nodes.map((node) => node.shutDown()).filter((promise) => promise !== undefined);
    if (closing.length === 0) this.#ended();
    else void Promise.all(closing).then(() => this.#ended());
    return false;
  }

  #ended(): void {
    if (this.#isStarted) this.#tellStatus('afterRun');
    this.#hasEnded = true;
    this.throttle.releaseAll();
    for (const listener of this.#endListeners) listener();
    this.#settle('idle');
    this.#settle('done');
  }

  #tellStatus(when: 'beforeRun' | 'afterRun'): void {
    const error = this.hasFailed ? this.#runError() : undefined;
    for (const handler of this.#graph.statusHandlers) {
      const fault = tellStatus(handler, when, error, this.sidePackets);
      if (fault !== undefined) this.fail(fault);
    }
  }

  #settle(until: 'idle' | 'done'): void {
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.until === until);
    this.#waiters = this.#waiters.filter((waiter) => waiter.until !== until);
    if (until === 'done' && due.length > 0) this.#isEndTold = true;
    for (const { resolve, reject } of due) {
      if (this.hasFailed) reject(this.#runError());
      else resolve();
    }
  }

  #runError(): GraphError {
    return combineErrors('CalculatorGraph::Run() failed: ', this.#errors);
  }
}
