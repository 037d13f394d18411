import type { InputPort } from './calculator-context.ts';
import type { InputStream } from './input-stream.ts';
import { NodeContext, type ContextHost } from './node-context.ts';
import { OutputStream } from './output-stream.ts';
import type { Packet } from './packet.ts';
import type { NodePlan } from './validated-graph.ts';

/** One call under way of a node with `max_in_flight`: a context of its own, with what the call sees and what it sends. */
export interface CallSlot {
  readonly context: NodeContext;
  readonly inputs: readonly SlotInput[];
  /** Hold what was sent until it is the call's turn. */
  readonly outputs: readonly OutputStream[];
  /** When the call began, ms as `performance.now()`. */
  startedAt: number;
  hasEnded: boolean;
}

/** The calls of a node that run at once, in the order of their input sets. */
export class CallSlots {
  readonly #limit: number;
  readonly #create: () => CallSlot;
  /** Oldest first; those that have ended wait for the ones before. */
  readonly #calls: CallSlot[] = [];
  readonly #free: CallSlot[] = [];

  constructor(plan: NodePlan, base: NodeContext, inputs: readonly InputStream[], host: ContextHost) {
    this.#limit = plan.maxInFlight;
    this.#create = () => {
      const views = inputs.map((input) => new SlotInput(input));
      const makeOutputs = (clock: NodeContext) =>
        base.outputPorts.map((port) => new OutputStream(port.plan, port.tag, port.index, clock));
      const context = new NodeContext(plan, views, makeOutputs, host);
      context.sidePackets = base.sidePackets;
      context.outputSidePackets = base.outputSidePackets;
      return { context, inputs: views, outputs: context.outputPorts, startedAt: 0, hasEnded: false };
    };
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  get isFull(): boolean {
    return this.#calls.length >= this.#limit;
  }

  /** A slot that sees what the node's inputs show now. */
  begin(base: NodeContext): CallSlot {
    const slot = this.#free.pop() ?? this.#create();
    slot.hasEnded = false;
    slot.context.timestamp = base.timestamp;
    for (const input of slot.inputs) input.look();
    slot.outputs.forEach((output, at) => output.follow(base.outputPorts[at]));
    this.#calls.push(slot);
    return slot;
  }

  /** The oldest call, once it has ended: its results are next. To be given back with {@link release}. */
  takeEnded(): CallSlot | undefined {
    return this.#calls[0]?.hasEnded === true ? this.#calls.shift() : undefined;
  }

  release(slot: CallSlot): void {
    for (const input of slot.inputs) input.packet = undefined;
    slot.context.stopRequested = false;
    this.#free.push(slot);
  }
}

/** What an input showed when a call began. */
class SlotInput implements InputPort {
  packet: Packet | undefined = undefined;
  timestamp = 0n;
  isDone = false;
  readonly #stream: InputStream;

  constructor(stream: InputStream) {
    this.#stream = stream;
  }

  get tag(): string {
    return this.#stream.tag;
  }

  get index(): number {
    return this.#stream.index;
  }

  get name(): string {
    return this.#stream.name;
  }

  get header(): unknown {
    return this.#stream.header;
  }

  look(): void {
    this.packet = this.#stream.packet;
    this.timestamp = this.#stream.timestamp;
    this.isDone = this.#stream.isDone;
  }
}
