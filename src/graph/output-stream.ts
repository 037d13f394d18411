import type { OutputPort } from './calculator-context.ts';
import { GraphError } from './graph-error.ts';
import { timestampFault } from './input-stream.ts';
import { isPacket, type Packet } from './packet.ts';
import { isPacketTimestamp, nextTimestamp, offsetBound, Timestamp, timestampName } from './timestamp.ts';
import type { StreamPlan } from './validated-graph.ts';

/** Whoever is told of a stream's packets and bounds: a node's input, an observer. */
export interface StreamConsumer {
  receive(packets: readonly Packet[]): void;
  raiseBound(bound: bigint): void;
  /** The stream's header, set before its reader opens. */
  header?: unknown;
}

/** The context of the node that produces a stream. */
export interface OutputClock {
  /** The input timestamp of the node's current call, the default time of what is sent. */
  readonly timestamp: bigint;
  readonly isOpening: boolean;
}

/** The producer's side of a graph stream. What a call sends is held back until {@link release}. */
export class OutputStream implements OutputPort {
  readonly plan: StreamPlan;
  readonly tag: string;
  readonly index: number;
  readonly consumers: StreamConsumer[] = [];
  /** What consumers have been told. */
  visibleBound: bigint = Timestamp.PreStream;
  /** Packets have come from outside. */
  wasFed = false;
  readonly #clock: OutputClock;
  readonly #onPackets: ((stream: string, packets: readonly Packet[]) => void) | undefined;
  readonly #pending: Packet[] = [];
  #callBound: bigint | undefined;
  #isClosed = false;

  /** `onPackets` is told of what is shown downstream. */
  constructor(
    plan: StreamPlan,
    tag: string,
    index: number,
    clock: OutputClock,
    onPackets?: (stream: string, packets: readonly Packet[]) => void,
  ) {
    this.plan = plan;
    this.tag = tag;
    this.index = index;
    this.#clock = clock;
    this.#onPackets = onPackets;
  }

  get name(): string {
    return this.plan.name;
  }

  get bound(): bigint {
    return this.#isClosed ? Timestamp.Done : (this.#callBound ?? this.visibleBound);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(packetOrValue: unknown, timestamp?: bigint): void {
    let packet: Packet;
    if (!isPacket(packetOrValue)) packet = { value: packetOrValue, timestamp: timestamp ?? this.#clock.timestamp };
    else if (timestamp === undefined) packet = packetOrValue;
    else packet = { value: packetOrValue.value, timestamp };
    if (this.#isClosed) throw new GraphError('FAILED_PRECONDITION', `Packet sent to closed stream "${this.name}".`);
    const fault = this.faultOf(packet);
    if (fault !== undefined) throw fault;
    this.#pending.push(packet);
    this.#callBound = nextTimestamp(packet.timestamp);
  }

  setBound(t: bigint): void {
    if (!isPacketTimestamp(t) && t !== Timestamp.OneOverPostStream) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `In stream "${this.name}", timestamp bound set to illegal value: ${timestampName(t)}`,
      );
    }
    if (this.#isClosed) return;
    this.#callBound = t;
  }

  close(): void {
    this.#isClosed = true;
  }

  setHeader(value: unknown): void {
    if (!this.#clock.isOpening) {
      throw new GraphError('FAILED_PRECONDITION', `stream "${this.name}": a header can only be set in open`);
    }
    this.showHeader(value);
  }

  /** Gives the header to all who read the stream. */
  showHeader(value: unknown): void {
    if (isPacket(value)) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `stream "${this.name}": a header has no timestamp, but ${timestampName(value.timestamp)} was given`,
      );
    }
    for (const consumer of this.consumers) consumer.header = value;
  }

  /** Begins to hold what a call sends that will be shown on `stream`. */
  follow(stream: OutputStream | undefined): void {
    this.visibleBound = stream?.visibleBound ?? this.visibleBound;
    this.#isClosed = stream?.isClosed ?? false;
  }

  /** Takes over what was sent on `other`, which is left empty. */
  takeFrom(other: OutputStream): void {
    for (const packet of other.#pending) this.#pending.push(packet);
    this.#callBound = other.#callBound;
    if (other.#isClosed) this.#isClosed = true;
    other.discard();
  }

  /** What is wrong with a packet, its order in time apart. */
  faultOf(packet: Packet): GraphError | undefined {
    const { name, type } = this.plan;
    if (!isPacketTimestamp(packet.timestamp)) return timestampFault(name, packet.timestamp, Timestamp.Done, false);
    if (type.accepts(packet.value)) return undefined;
    return new GraphError(
      'INVALID_ARGUMENT',
      `Packet type mismatch on calculator outputting to stream "${name}": The Packet stores "${kindOf(packet.value)}", ` +
        `but "${type.name}" was requested.`,
      { fault: 'type' },
    );
  }

  /** Shows downstream what the call sent, and the bound that follows from it and from the node's timestamp offset. */
  release(inputTimestamp: bigint, offset: bigint | undefined): void {
    const packets = this.#pending;
    const last = packets.length === 0 ? undefined : packets[packets.length - 1];
    let bound = this.visibleBound;
    let told = bound;
    if (last !== undefined) told = bound = nextTimestamp(last.timestamp);
    if (this.#callBound !== undefined && this.#callBound > bound) bound = this.#callBound;
    // What was sent at the input timestamp says all that an offset of 0 says.
    const isTold = offset === 0n && last?.timestamp === inputTimestamp;
    if (offset !== undefined && !isTold && isPacketTimestamp(inputTimestamp)) {
      const settled = offsetBound(inputTimestamp, offset);
      if (settled > bound) bound = settled;
    }
    if (this.#isClosed) bound = Timestamp.Done;
    this.#callBound = undefined;
    if (bound > this.visibleBound) this.visibleBound = bound;
    if (last === undefined && bound <= told) return;
    if (last !== undefined) this.#onPackets?.(this.name, packets);
    for (const consumer of this.consumers) {
      if (last !== undefined) consumer.receive(packets);
      if (bound > told) consumer.raiseBound(bound);
    }
    packets.length = 0;
  }

  /** Shows a bound downstream at once; lower ones than before are ignored. */
  raise(bound: bigint): void {
    if (bound <= this.visibleBound) return;
    this.visibleBound = bound;
    for (const consumer of this.consumers) consumer.raiseBound(bound);
  }

  /** Forgets what was sent, for a run that has ended. */
  discard(): void {
    this.#pending.length = 0;
    this.#callBound = undefined;
  }

  /** One packet from outside, shown at once. */
  feed(packet: Packet): void {
    const packets = [packet];
    this.wasFed = true;
    this.visibleBound = nextTimestamp(packet.timestamp);
    this.#onPackets?.(this.name, packets);
    for (const consumer of this.consumers) consumer.receive(packets);
  }

  /** Ends the stream at once. */
  finish(): void {
    this.#isClosed = true;
    this.raise(Timestamp.Done);
  }
}

/** A short name of a value's kind, for messages. */
export function kindOf(value: unknown): string {
  if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? 'int' : typeof value;
  return value.constructor?.name ?? 'object';
}
