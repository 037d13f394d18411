import type { OptionalPort, PortDeclarations, RepeatedPort } from './calculator.ts';
import type { Packet } from './packet.ts';
import type { PacketType } from './packet-type.ts';

/** An input of a node, as its calculator sees it during one call. */
export interface InputPort<T = unknown> {
  readonly tag: string;
  readonly index: number;
  /** The name of the graph stream. */
  readonly name: string;
  /** The packet of this call; nothing when the stream has none at this time, and outside `process`. */
  readonly packet: Packet<T> | undefined;
  /** The packet's timestamp, else the one up to which the stream is known to be settled. */
  readonly timestamp: bigint;
  /** Nothing will come after this call. */
  readonly isDone: boolean;
  /** What the producer says about the whole stream, from before `open` on; nothing when there is none or over a back edge. */
  readonly header: unknown;
}

/** An output of a node. What is sent becomes visible downstream when the call returns (its promise settles). */
export interface OutputPort<T = unknown> {
  readonly tag: string;
  readonly index: number;
  readonly name: string;
  /** The lowest timestamp that the next packet may have, what this call did included. */
  readonly bound: bigint;
  readonly isClosed: boolean;
  /**
   * Sends a packet, restamped when `timestamp` is given; or a value at `timestamp` (the input timestamp unless given).
   * Whatever has the form of a packet is taken as one: wrap a value that looks like that in a packet.
   */
  send(packetOrValue: Packet<T> | T, timestamp?: bigint): void;
  /** Promises that no packet before `t` will come. */
  setBound(t: bigint): void;
  /** Ends the stream after what was sent. Idempotent. */
  close(): void;
  /** Says something about the whole stream, a value without timestamp. Only in `open`. */
  setHeader(value: unknown): void;
}

export interface OutputSidePacketPort<T = unknown> {
  /** Once per run. */
  set(value: T): void;
}

export type InputPorts<D extends PortDeclarations> = {
  readonly [K in Exclude<keyof D, '*'>]: D[K] extends RepeatedPort<infer T>
    ? readonly InputPort<T>[]
    : D[K] extends OptionalPort<infer T>
      ? InputPort<T> | undefined
      : D[K] extends PacketType<infer T>
        ? InputPort<T>
        : never;
};

export type OutputPorts<D extends PortDeclarations> = {
  readonly [K in Exclude<keyof D, '*'>]: D[K] extends RepeatedPort<infer T>
    ? readonly OutputPort<T>[]
    : D[K] extends OptionalPort<infer T>
      ? OutputPort<T> | undefined
      : D[K] extends PacketType<infer T>
        ? OutputPort<T>
        : never;
};

/** Side packets' values by tag; of an optional one that is not there, nothing. */
export type SidePackets<D extends PortDeclarations> = {
  readonly [K in Exclude<keyof D, '*'>]: D[K] extends RepeatedPort<infer T>
    ? readonly T[]
    : D[K] extends OptionalPort<infer T>
      ? T | undefined
      : D[K] extends PacketType<infer T>
        ? T
        : never;
};

export type OutputSidePackets<D extends PortDeclarations> = {
  readonly [K in Exclude<keyof D, '*'>]: D[K] extends RepeatedPort<infer T>
    ? readonly OutputSidePacketPort<T>[]
    : D[K] extends OptionalPort<infer T>
      ? OutputSidePacketPort<T> | undefined
      : D[K] extends PacketType<infer T>
        ? OutputSidePacketPort<T>
        : never;
};

/** One node of one run; the same object is handed to `open`, every `process`, and `close`. Its functions may be destructured. */
export interface CalculatorContext<
  Options = unknown,
  In extends PortDeclarations = PortDeclarations,
  Out extends PortDeclarations = PortDeclarations,
  SideIn extends PortDeclarations = PortDeclarations,
  SideOut extends PortDeclarations = PortDeclarations,
> {
  /** The node's name in the graph. */
  readonly node: string;
  readonly options: Options;
  readonly inputs: InputPorts<In>;
  readonly outputs: OutputPorts<Out>;
  /** All inputs in collection order: by tag in byte order (the empty tag first), then index. */
  readonly inputPorts: readonly InputPort[];
  readonly outputPorts: readonly OutputPort[];
  readonly sidePackets: SidePackets<SideIn>;
  readonly outputSidePackets: OutputSidePackets<SideOut>;
  /** The input timestamp: `Unstarted` in `open`, `Done` in `close`, 0 in a source's `process`. */
  readonly timestamp: bigint;
  /** The run was cancelled or has failed; the results of this call will be dropped. */
  readonly isCancelled: boolean;
  /** Aborts when the run is cancelled or fails; for work that can be cut short. */
  readonly signal: AbortSignal;
  /** A service of the run by name; throws `FAILED_PRECONDITION` when the run has none of that name. */
  readonly service: <T>(name: string) => T;
  readonly hasService: (name: string) => boolean;
  /** In a source: this was the last call. Elsewhere: close all sources and finish what is queued. Only in `process`. */
  readonly stop: () => void;
  /** Only in `open`; see `timestampOffset` of the declaration. */
  readonly setTimestampOffset: (offset: bigint) => void;
}

/**
 * What `open` returns. Calls of one node do not overlap, also when they return promises, unless its `max_in_flight` in the
 * graph is above 1; then each call has a context of its own.
 */
export interface CalculatorInstance<Context = CalculatorContext> {
  /** Once per input set, as the node's input policy says; of a source, again and again. */
  process?(context: Context): void | Promise<void>;
  /** Exactly once if `open` succeeded, also after a failure of the run (what it sends then goes nowhere). */
  close?(context: Context): void | Promise<void>;
}
