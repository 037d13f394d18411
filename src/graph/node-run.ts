import type { CalculatorInstance } from './calculator-context.ts';
import { CallSlots } from './call-slots.ts';
import type { Executor } from './executor.ts';
import { phaseError, type Phase } from './graph-error.ts';
import { InputStream, type InputOwner, type QueueHost } from './input-stream.ts';
import { NodeContext, type ContextHost } from './node-context.ts';
import type { OutputStream } from './output-stream.ts';
import type { InputPolicy } from './policies/input-policy.ts';
import { addToTimestamp, isRangeTimestamp, Timestamp } from './timestamp.ts';
import type { NodePlan } from './validated-graph.ts';

/** What a node asks of the run it is part of. */
export interface NodeHost extends ContextHost, QueueHost {
  schedule(node: NodeRun): void;
  opened(node: NodeRun): void;
  /** A source has closed, or may be run again. */
  sourceIdle(node: NodeRun): void;
  /** A calculator that is not a source asked for the end. */
  stopSources(): void;
  /** Shows a bound on all outputs that are open. */
  passBound(outputs: readonly OutputStream[], bound: bigint): void;
  /** A call returned a promise, which has settled when `callEnded` comes. */
  callBegan(node: NodeRun): void;
  callEnded(node: NodeRun): void;
  readonly onNodeRun: ((node: string, microseconds: number, phase: Phase, timestamp: bigint) => void) | undefined;
}

type State = 'unopened' | 'open' | 'closed';
type Task = 'open' | 'process' | 'close';

/** One node in one run: opens once, processes input sets one at a time, closes once. */
export class NodeRun implements InputOwner {
  readonly plan: NodePlan;
  readonly inputs: readonly InputStream[];
  readonly outputs: readonly OutputStream[];
  readonly packetQueued: (() => void) | undefined;
  readonly executor: Executor | undefined;
  /** Opened producers and side packets that are still missing. */
  waitsFor: number;
  /** In a source: how many full queues hold it back. */
  throttles = 0;
  /** In a source: its layer has begun. */
  isActive = false;
  readonly #host: NodeHost;
  readonly #context: NodeContext;
  readonly #policy: InputPolicy | undefined;
  /** In a node whose calls may overlap. */
  readonly #slots: CallSlots | undefined;
  #instance: CalculatorInstance = {};
  #state: State = 'unopened';
  #task: Task = 'open';
  /** Scheduled, or with as many calls under way as there may be. */
  #isBusy = false;
  #isScheduled = false;
  #wasCalled = false;
  #startedAt = 0;

  constructor(
    plan: NodePlan,
    host: NodeHost,
    executor: Executor | undefined,
    limit: number,
    makeOutputs: (clock: NodeContext) => readonly OutputStream[],
  ) {
    this.plan = plan;
    this.waitsFor = plan.waitsFor;
    this.#host = host;
    this.executor = executor;
    this.inputs = plan.inputs.map((input) => new InputStream(input, this, host, limit));
    this.#context = new NodeContext(plan, this.inputs, makeOutputs, host);
    this.outputs = this.#context.outputPorts;
    if (plan.isSource) return;
    if (plan.maxInFlight > 1) this.#slots = new CallSlots(plan, this.#context, this.inputs, host);
    const policy = plan.policy(this.inputs);
    this.#policy = policy;
    if (policy.isUntimed === true) for (const input of this.inputs) input.isTimed = false;
    if (policy.onQueued !== undefined) this.packetQueued = () => policy.onQueued?.();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** A call is under way, or one is due. */
  get isBusy(): boolean {
    return this.#isBusy || this.#slots?.isEmpty === false;
  }

  /** Opening comes first (lower index first), then later nodes before earlier ones. Higher runs first. */
  get priority(): number {
    return this.#task === 'open' ? 2e9 - this.plan.index : this.plan.order;
  }

  /** Among sources: the smallest bound of the outputs; lower runs first. */
  get sourceOrder(): bigint {
    let least: bigint = Timestamp.Max;
    for (const output of this.outputs) if (output.bound < least) least = output.bound;
    return least;
  }

  /** One thing fewer to wait for before opening. */
  arrived(): void {
    if (--this.waitsFor === 0) this.scheduleOpen();
  }

  scheduleOpen(): void {
    if (this.#state !== 'unopened' || this.#isBusy) return;
    this.#schedule('open');
  }

  /** A source's next call. */
  scheduleSource(): void {
    if (this.#state === 'open' && !this.#isBusy) this.#schedule('process');
  }

  /** A source that is to end: its current call is the last, or its first if it has had none. */
  requestStop(): void {
    this.#context.stopRequested = true;
    if (this.#state === 'open' && !this.#isBusy) this.#schedule('process');
  }

  inputChanged(): void {
    if (this.#state !== 'open' || this.#isBusy || this.#policy === undefined) return;
    try {
      const readiness = this.#policy.readiness();
      // Calls under way come first: what follows them is looked at again when the last has ended.
      if (readiness !== 'process' && this.#slots?.isEmpty === false) return;
      if (readiness === 'wait') return this.#passBound(this.#policy.timestamp);
      if (readiness === 'process' && this.#policy.isLate !== true) {
        this.#context.timestamp = this.#policy.fill(this.#policy.timestamp);
      }
      this.#schedule(readiness);
    } catch (error) {
      this.#host.fail(phaseError('Process', this.plan.name, error));
    }
  }

  /** Runs the task for which the node was scheduled. */
  run(): void {
    this.#isScheduled = false;
    if (this.#task === 'process') this.#process();
    else if (this.#task === 'open') this.#open();
    else this.#close();
  }

  /** Ends an open node when the run ends: what it sends goes nowhere. Returns what is to be waited for, if anything. */
  shutDown(): Promise<void> | undefined {
    for (const input of this.inputs) input.shutDown();
    if (this.#state !== 'open') return undefined;
    this.#state = 'closed';
    this.#context.timestamp = Timestamp.Done;
    this.#begin();
    const failed = (error: unknown) => this.#host.fail(phaseError('Close', this.plan.name, error));
    try {
      const result = this.#instance.close?.(this.#context);
      if (isPromise(result)) return result.catch(failed).then(() => this.#measure('Close'));
    } catch (error) {
      failed(error);
    }
    this.#measure('Close');
    return undefined;
  }

  #schedule(task: Task): void {
    this.#task = task;
    this.#isBusy = true;
    this.#isScheduled = true;
    this.#host.schedule(this);
  }

  #open(): void {
    const context = this.#context;
    this.#begin();
    try {
      context.bindSidePackets(this.plan);
      context.isOpening = true;
      const result = this.plan.definition.open(context);
      if (isPromise(result)) this.#await(result, 'Open', (instance) => this.#opened(instance));
      else this.#opened(result);
    } catch (error) {
      this.#failed('Open', error);
    }
  }

  #opened(instance: CalculatorInstance | void): void {
    this.#context.isOpening = false;
    this.#instance = instance ?? {};
    this.#state = 'open';
    this.#measure('Open');
    for (const output of this.outputs) this.#release(output);
    this.#isBusy = false;
    this.#host.opened(this);
    this.inputChanged();
  }

  #process(): void {
    const context = this.#context;
    if (this.plan.isSource) {
      if (this.#hasNoMoreCalls()) return this.#close();
      this.#wasCalled = true;
      context.timestamp = 0n;
    } else if (this.#policy?.isLate === true) context.timestamp = this.#policy.fill(this.#policy.timestamp);
    if (this.#slots === undefined) this.#call();
    else this.#callInSlot(this.#slots);
  }

  /** Of a source. One that has begun gets a call even if it was asked to end before. */
  #hasNoMoreCalls(): boolean {
    if (this.#instance.process === undefined) return true;
    return this.#context.stopRequested && (this.#wasCalled || !this.isActive);
  }

  /** The input set that is filled, then those that were promised together with it: a batch. */
  #call(): void {
    const instance = this.#instance;
    do {
      this.#begin();
      let result: void | Promise<void>;
      try {
        result = instance.process?.(this.#context);
      } catch (error) {
        return this.#failed('Process', error);
      }
      if (isPromise(result)) {
        return this.#await(result, 'Process', () => (this.#showAndFillNext() ? this.#call() : this.#processed()));
      }
    } while (this.#showAndFillNext());
    this.#processed();
  }

  /** Begins a call beside others; what they send is shown in the order in which they began. */
  #callInSlot(slots: CallSlots): void {
    const slot = slots.begin(this.#context);
    if (this.#host.onNodeRun !== undefined) slot.startedAt = performance.now();
    for (const input of this.inputs) input.release();
    const ended = () => {
      slot.hasEnded = true;
      this.#report('Process', slot.context.timestamp, slot.startedAt);
      this.#showEnded(slots);
      if (this.#isScheduled) return;
      this.#isBusy = slots.isFull;
      this.inputChanged();
    };
    let result: void | Promise<void>;
    try {
      result = this.#instance.process?.(slot.context);
    } catch (error) {
      return this.#failed('Process', error);
    }
    if (!isPromise(result)) return ended();
    this.#isBusy = slots.isFull;
    this.#await(result, 'Process', ended);
    this.inputChanged();
  }

  /** Shows what the oldest calls sent, as far as they have ended. */
  #showEnded(slots: CallSlots): void {
    for (let slot = slots.takeEnded(); slot !== undefined; slot = slots.takeEnded()) {
      for (const [at, output] of this.outputs.entries()) {
        const sent = slot.outputs[at];
        if (sent !== undefined) output.takeFrom(sent);
        this.#release(output, slot.context.timestamp);
      }
      if (slot.context.stopRequested && !this.#host.hasFailed) this.#host.stopSources();
      slots.release(slot);
    }
  }

  /** A call has ended: shows what it sent. Returns whether another input set was promised together with it. */
  #showAndFillNext(): boolean {
    this.#measure('Process');
    for (const output of this.outputs) this.#release(output);
    const nextTime = this.#host.hasFailed ? undefined : this.#policy?.fillNext?.();
    if (nextTime === undefined) return false;
    this.#context.timestamp = nextTime;
    return true;
  }

  #processed(): void {
    for (const input of this.inputs) input.release();
    if (this.plan.isSource) {
      if (this.#context.stopRequested && !this.#host.hasFailed) return this.#close();
      this.#isBusy = false;
      return this.#host.sourceIdle(this);
    }
    this.#isBusy = false;
    if (this.#context.stopRequested) {
      this.#context.stopRequested = false;
      this.#host.stopSources();
    }
    this.inputChanged();
  }

  #close(): void {
    this.#context.timestamp = Timestamp.Done;
    for (const input of this.inputs) input.showSettled();
    this.#begin();
    try {
      const result = this.#instance.close?.(this.#context);
      if (isPromise(result)) this.#await(result, 'Close', () => this.#closed());
      else this.#closed();
    } catch (error) {
      this.#state = 'closed';
      this.#failed('Close', error);
    }
  }

  #closed(): void {
    this.#state = 'closed';
    this.#measure('Close');
    for (const input of this.inputs) input.shutDown();
    for (const output of this.outputs) {
      output.close();
      this.#release(output);
    }
    this.#isBusy = false;
    if (this.plan.isSource) this.#host.sourceIdle(this);
  }

  #failed(phase: Phase, error: unknown): void {
    this.#measure(phase);
    if (phase === 'Open' || this.#state === 'unopened') this.#state = 'closed';
    for (const input of this.inputs) input.release();
    for (const output of this.outputs) output.discard();
    this.#isBusy = false;
    this.#host.fail(phaseError(phase, this.plan.name, error));
  }

  #await<T>(promise: PromiseLike<T>, phase: Phase, then: (value: T) => void): void {
    this.#host.callBegan(this);
    promise.then(
      (value) => {
        then(value);
        this.#host.callEnded(this);
      },
      (error: unknown) => {
        if (phase === 'Close') this.#state = 'closed';
        this.#failed(phase, error);
        this.#host.callEnded(this);
      },
    );
  }

  #release(output: OutputStream, timestamp = this.#context.timestamp): void {
    if (this.#host.hasFailed) return output.discard();
    output.release(timestamp, this.plan.isSource ? undefined : this.#context.timestampOffset);
  }

  /** Not ready: the timestamp offset passes on what the inputs promise. */
  #passBound(least: bigint): void {
    const offset = this.#context.timestampOffset;
    if (offset === undefined || !isRangeTimestamp(least)) return;
    const bound = offset === 0n ? least : addToTimestamp(least, offset);
    this.#host.passBound(this.outputs, bound);
  }

  /** A call begins; it ends with {@link #measure}. */
  #begin(): void {
    if (this.#host.onNodeRun !== undefined) this.#startedAt = performance.now();
  }

  #measure(phase: Phase): void {
    this.#report(phase, this.#context.timestamp, this.#startedAt);
  }

  #report(phase: Phase, timestamp: bigint, startedAt: number): void {
    if (this.#host.onNodeRun === undefined) return;
    this.#host.onNodeRun(this.plan.name, (performance.now() - startedAt) * 1000, phase, timestamp);
  }
}

function isPromise<T>(result: T | PromiseLike<T>): result is Promise<T> & PromiseLike<T> {
  return typeof result === 'object' && result !== null && typeof (result as Promise<T>).then === 'function';
}
