import type { InputPort } from './calculator-context.ts';
import { GraphError } from './graph-error.ts';
import type { StreamConsumer } from './output-stream.ts';
import type { Packet } from './packet.ts';
import type { TagEntry } from './tag-map.ts';
import { isPacketTimestamp, nextTimestamp, prevTimestamp, Timestamp, timestampName } from './timestamp.ts';
import type { InputPlan } from './validated-graph.ts';

/** What an input stream tells the node or poller it belongs to. */
export interface InputOwner {
  /** Something became visible: the first packet of an empty queue, or a higher bound of one. */
  inputChanged(): void;
  packetQueued?: (() => void) | undefined;
}

/** What an input stream tells the run about its queue. */
export interface QueueHost {
  queueFull(input: InputStream, isFull: boolean): void;
  /** The queue is longer or shorter; nothing where nobody wants to know. */
  readonly queueChanged: ((input: InputStream) => void) | undefined;
  /** Bytes of a packet's value; nothing where the run does not count them. */
  readonly sizeOf: ((value: unknown) => number) | undefined;
  /** The queues hold so many bytes more, or fewer. */
  bytesQueued(change: number): void;
  /** An input policy threw packets away that no call has seen. */
  packetsDropped(count: number): void;
  fail(error: GraphError): void;
}

/** What there is to know of an input stream before the run. */
export type InputStreamPlan = TagEntry & Pick<InputPlan, 'throttledInputs' | 'throttledSources'>;

/** One consumer's side of a graph stream: its queue, its bound, and the port that the calculator sees. */
export class InputStream implements StreamConsumer, InputPort {
  readonly plan: InputStreamPlan;
  packet: Packet | undefined = undefined;
  isDone = false;
  /** Packets from this length on throttle the sources; -1: never. */
  limit: number;
  /** The limit before deadlocks were relieved. */
  firstLimit: number;
  isFull = false;
  isTimed = true;
  header: unknown = undefined;
  /** Of the queued packets' values, where the run counts them. */
  bytes = 0;
  bound: bigint = Timestamp.PreStream;
  readonly #owner: InputOwner;
  readonly #host: QueueHost;
  #settled: bigint = Timestamp.Unstarted;
  #queue: (Packet | undefined)[] = [];
  #head = 0;
  #isClosed = false;
  #hasReceived = false;

  constructor(plan: InputStreamPlan, owner: InputOwner, host: QueueHost, limit: number) {
    this.plan = plan;
    this.#owner = owner;
    this.#host = host;
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

  /** What comes is dropped: the stream has ended, or its reader has. */
  get isClosed(): boolean {
    return this.#isClosed;
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
        this.#host.fail(fault);
        return;
      }
      this.#hasReceived = true;
      this.#queue.push(packet);
      if (this.#host.sizeOf !== undefined) this.#count(this.#host.sizeOf(packet.value));
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

  /** Takes the packets before `t` and shows them to nobody. Returns how many. */
  eraseBefore(t: bigint): number {
    let count = 0;
    for (; this.size > 0 && this.headOrBound < t; count++) this.#shift();
    this.updateFull();
    return count;
  }

  /** Erases packets that are lost thereby, and counts them. */
  dropBefore(t: bigint): void {
    const count = this.eraseBefore(t);
    if (count > 0) this.#host.packetsDropped(count);
  }

  /** Changes the limit, which relief of deadlocks may have raised. */
  setLimit(limit: number): void {
    this.limit = limit;
    this.firstLimit = limit;
    this.updateFull();
  }

  updateFull(): void {
    const isFull = this.limit >= 0 && this.size >= this.limit;
    if (isFull !== this.isFull) {
      this.isFull = isFull;
      this.#host.queueFull(this, isFull);
    }
    this.#host.queueChanged?.(this);
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
    if (packet !== undefined && this.#host.sizeOf !== undefined) this.#count(-this.#host.sizeOf(packet.value));
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
    this.#host.bytesQueued(bytes);
  }

  #fault(t: bigint): GraphError | undefined {
    if (!this.isTimed) return undefined;
    return timestampFault(this.plan.name, t, this.bound, this.#hasReceived);
  }
}

/** What is wrong with a packet at `t` on a stream whose bound is `bound`, and which may have had packets, if anything. */
export function timestampFault(stream: string, t: bigint, bound: bigint, hadPackets: boolean): GraphError | undefined {
  if (!isPacketTimestamp(t)) {
    return new GraphError(
      'INVALID_ARGUMENT',
      `In stream "${stream}", timestamp not specified or set to illegal value: ${timestampName(t)}`,
      { fault: 'timestamp' },
    );
  }
  const isLatePostStream = t === Timestamp.PostStream && hadPackets;
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
