import { timestampFault } from './input-stream.ts';
import type { StreamConsumer } from './output-stream.ts';
import type { Packet } from './packet.ts';
import { nextTimestamp, prevTimestamp, Timestamp } from './timestamp.ts';

export interface ObserveOptions {
  /** Also call back with an empty packet (value `undefined`) at the settled time whenever that advances without a packet. */
  readonly bounds?: boolean;
  /** Told the settled time in the same cases. */
  onBound?(settled: bigint): void;
}

/** The time up to which a bound settles a stream, as it is told to the application; Unset at the end, which is no such time. */
export function settledBy(bound: bigint): bigint {
  if (bound === Timestamp.Done) return Timestamp.Unset;
  return bound === Timestamp.PostStream ? bound : prevTimestamp(bound);
}

/** Hands a stream's packets to the application, in order. */
export class Observer implements StreamConsumer {
  readonly #stream: string;
  readonly #callback: (packet: Packet) => void;
  readonly #options: ObserveOptions;
  readonly #fail: (error: unknown) => void;
  readonly #wantsBounds: boolean;
  #bound: bigint = Timestamp.PreStream;
  #last: bigint = Timestamp.Unstarted;
  #hasReceived = false;

  /** `fail` is told of timestamps out of order and of errors that `callback` throws. */
  constructor(
    stream: string,
    callback: (packet: Packet) => void,
    options: ObserveOptions,
    fail: (error: unknown) => void,
  ) {
    this.#stream = stream;
    this.#callback = callback;
    this.#options = options;
    this.#fail = fail;
    this.#wantsBounds = options.bounds === true || options.onBound !== undefined;
  }

  receive(packets: readonly Packet[]): void {
    try {
      for (const packet of packets) {
        const fault = timestampFault(this.#stream, packet.timestamp, this.#bound, this.#hasReceived);
        if (fault !== undefined) throw fault;
        this.#hasReceived = true;
        this.#last = packet.timestamp;
        this.#bound = nextTimestamp(packet.timestamp);
        this.#callback(packet);
      }
      if (this.#wantsBounds) this.#tellSettled();
    } catch (error) {
      this.#fail(error);
    }
  }

  raiseBound(bound: bigint): void {
    if (bound <= this.#bound) return;
    this.#bound = bound;
    if (!this.#wantsBounds) return;
    try {
      this.#tellSettled();
    } catch (error) {
      this.#fail(error);
    }
  }

  #tellSettled(): void {
    const settled = settledBy(this.#bound);
    if (settled <= this.#last) return;
    this.#last = settled;
    if (this.#options.bounds === true) this.#callback({ value: undefined, timestamp: settled });
    this.#options.onBound?.(settled);
  }
}
