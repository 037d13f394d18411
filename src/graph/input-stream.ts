import type { InputPort } from './calculator-context.ts';
import { GraphError } from './graph-error.ts';
import type { StreamConsumer } from './output-stream.ts';
import type { Packet } from './packet.ts';
import { isPacketTimestamp, nextTimestamp, prevTimestamp, Timestamp, timestampName } from './timestamp.ts';
import type { InputPlan } from './validated-graph.ts';

/** What an input stream tells the node it belongs to. */
export interface InputOwner {
  /** Something became visible: the first packet of an empty queue, or a higher bound of one. */
  inputChanged(): void;
  packetQueued?: (() => void) | undefined;
  queueFull(input: InputStream, isFull: boolean): void;
  /** Bytes of a packet's value; nothing where the run does not count them. */
  readonly sizeOf: ((value: unknown) => number) | undefined;
  /** The queues hold so many bytes more, or fewer. */
  bytesQueued(change: number): void;
  inputFailed(error: GraphError): void;
}

/** One consumer's side of a graph stream: its queue, its bound, and the port that the calculator sees. */
export class InputStream implements StreamConsumer, InputPort {
  readonly plan: InputPlan;
  packet: Packet | undefined = undefined;
  isDone = false;
  /** Packets from this length on throttle the sources; -1: never. */
  limit: number;
  /** The limit before deadlocks were relieved. */
  readonly firstLimit: number;
  isFull = false;
  isTimed = true;
  header: unknown = undefined;
  /** Of the queued packets' values, where the run counts them. */
  bytes = 0;
  bound: bigint = Timestamp.PreStream;
  readonly #owner: InputOwner;
  #settled: bigint = Timestamp.Unstarted;
  #queue: (Packet | undefined)[] = [];
  #head = 0;
  #isClosed = false;

  constructor(plan: InputPlan, owner: InputOwner, limit: number) {
    this.plan = plan;
    this.#owner = owner;
    this.limit = limit;
    this.firstLimit = limit;
  }

  get tag(): string {
    return this.plan.tag;
  }

  get index(): number {
    return this.plan.index;
  }

  get name(): string {
    return this.plan.name;
  }

  get timestamp(): bigint {
    return this.packet === undefined ? this.#settled : this.packet.timestamp;
  }

  get size(): number {
    return this.#queue.length - this.#head;
  }

  get first(): Packet | undefined {
    return this.#queue[this.#head];
  }

  /** The timestamp of the first packet, else the bound. */
  get headOrBound(): bigint {
    const first = this.#queue[this.#head];
    return first === undefined ? this.bound : first.timestamp;
  }

  /** Nothing is queued and nothing will come. */
  get isExhausted(): boolean {
    return this.bound === Timestamp.Done && this.size === 0;
  }

  /** The `n`th packet from the end, 1 being the newest; the oldest when there are fewer. */
  latest(n: number): Packet | undefined {
    return this.#queue[Math.max(this.#head, this.#queue.length - n)];
  }

  receive(packets: readonly Packet[]): void {
    const wasEmpty = this.size === 0;
    for (const packet of packets) {
      if (this.#isClosed) return;
      const fault = this.#fault(packet.timestamp);
      if (fault !== undefined) {
        this.#owner.inputFailed(fault);
        return;
      }
      this.#queue.push(packet);
      if (this.#owner.sizeOf !== undefined) this.#count(this.#owner.sizeOf(packet.value));
      if (this.isTimed) this.bound = nextTimestamp(packet.timestamp);
    }
    this.updateFull();
    if (wasEmpty) this.#owner.inputChanged();
    this.#owner.packetQueued?.();
  }

  raiseBound(bound: bigint): void {
    if (this.#isClosed || bound <= this.bound) return;
    this.bound = bound;
    if (bound === Timestamp.Done) this.#isClosed = true;
    if (this.size === 0) this.#owner.inputChanged();
  }

  /** Takes the packets up to `t` and shows the one at exactly `t`, if there is one, in the port. */
  popAt(t: bigint): void {
    if (this.bound <= t) this.bound = nextTimestamp(t);
    let packet: Packet | undefined;
    while (this.size > 0 && this.headOrBound <= t) packet = this.#shift();
    this.updateFull();
    if (packet !== undefined && packet.timestamp === t) this.show(packet);
    else this.showSettled();
  }

  /** Takes the first packet and shows it, whatever its time. */
  popFirst(): void {
    const packet = this.#shift();
    this.updateFull();
    this.show(packet);
  }

  show(packet: Packet | undefined): void {
    this.packet = packet;
    this.isDone = this.isExhausted;
  }

  /** Shows that there is no packet, and up to when that is known. */
  showSettled(): void {
    this.packet = undefined;
    this.#settled = prevTimestamp(this.headOrBound);
    this.isDone = this.isExhausted;
  }

  /** Lets go of the packet after a call. */
  release(): void {
    this.packet = undefined;
  }

  eraseBefore(t: bigint): void {
    while (this.size > 0 && this.headOrBound < t) this.#shift();
    this.updateFull();
  }

  updateFull(): void {
    const isFull = this.limit >= 0 && this.size >= this.limit;
    if (isFull === this.isFull) return;
    this.isFull = isFull;
    this.#owner.queueFull(this, isFull);
  }

  /** Drops what is queued and what will still come: the node has closed. */
  shutDown(): void {
    this.#isClosed = true;
    this.#count(-this.bytes);
    this.#queue.length = 0;
    this.#head = 0;
    this.packet = undefined;
    this.updateFull();
  }

  #shift(): Packet | undefined {
    const packet = this.#queue[this.#head];
    this.#queue[this.#head++] = undefined;
    if (packet !== undefined && this.#owner.sizeOf !== undefined) this.#count(-this.#owner.sizeOf(packet.value));
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head >= 64 && this.#head * 2 >= this.#queue.length) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    return packet;
  }

  #count(bytes: number): void {
    if (bytes === 0) return;
    this.bytes += bytes;
    this.#owner.bytesQueued(bytes);
  }

  #fault(t: bigint): GraphError | undefined {
    if (!this.isTimed) return undefined;
    return timestampFault(this.plan.name, t, this.bound);
  }
}

/** What is wrong with a packet at `t` on a stream whose bound is `bound`, if anything. */
export function timestampFault(stream: string, t: bigint, bound: bigint): GraphError | undefined {
  if (!isPacketTimestamp(t)) {
    return new GraphError(
      'INVALID_ARGUMENT',
      `In stream "${stream}", timestamp not specified or set to illegal value: ${timestampName(t)}`,
      { fault: 'timestamp' },
    );
  }
  const isLatePostStream = t === Timestamp.PostStream && bound > Timestamp.Min;
  if (t >= bound && !isLatePostStream) return undefined;
  return new GraphError(
    'INVALID_ARGUMENT',
    `Packet timestamp mismatch on a calculator receiving from stream "${stream}". Current minimum expected timestamp is ` +
      `${timestampName(isLatePostStream ? Timestamp.OneOverPostStream : bound)} but received ${timestampName(t)}. Are you ` +
      'using a custom InputStreamHandler? Note that some InputStreamHandlers allow timestamps that are not strictly ' +
      'monotonically increasing.',
    { fault: 'timestamp' },
  );
}
