import { GraphError, Timestamp, type Packet } from '../../graph/index.ts';
import { reflected } from './jittered-sampler.ts';

/** Periods from time 0 to the first packet: each has its draw. */
const MAX_PERIODS = 10_000_000;

/**
 * Samples at random distances, one in each period counted from time 0, so that a stream that begins later is sampled at the times that
 * it would have been sampled at from the beginning: each output is the packet nearest its time, which is drawn from the one before
 * by ± jitter and mirrored into its period.
 */
export class ReproducibleSampler {
  readonly #periodUs: bigint;
  readonly #jitterUs: number;
  readonly #random: (below: number) => number;
  #last: Packet | undefined;
  /** Where the period begins that `#next` is in. */
  #period = 0n;
  #next: bigint;
  #hasSent = false;

  /** @param random a whole number from 0 to below the argument */
  constructor(periodUs: number, jitter: number, random: (below: number) => number) {
    this.#periodUs = BigInt(Math.trunc(periodUs));
    this.#jitterUs = Math.trunc(jitter * periodUs);
    this.#random = random;
    this.#next = BigInt(random(Math.trunc(periodUs)));
  }

  /** No output comes before this time any more. */
  get bound(): bigint {
    return this.#last === undefined || this.#hasSent ? Timestamp.Min : this.#next;
  }

  /** Periods from the output that is due next to `t`. */
  periodsUntil(t: bigint): number {
    return this.#last === undefined ? 0 : Number(t - this.#next) / Number(this.#periodUs);
  }

  /** Takes the next packet; `send` is called for each output that can be decided. */
  take(packet: Packet, send: (packet: Packet, t: bigint) => void): void {
    const last = this.#last;
    this.#last = packet;
    if (last === undefined) {
      this.#begin(packet.timestamp);
      if (this.#next >= packet.timestamp) return;
      this.#hasSent = true;
      return send(packet, this.#next);
    }
    this.#advance(packet.timestamp);
    while (!this.#hasSent && this.#next <= packet.timestamp) {
      const isNearer = packet.timestamp - this.#next < this.#next - last.timestamp;
      send(isNearer ? packet : last, this.#next);
      this.#hasSent = true;
      this.#advance(packet.timestamp);
    }
  }

  /** The input has ended: its last packet is that of a period that has none. */
  flush(send: (packet: Packet, t: bigint) => void): void {
    if (this.#last !== undefined && !this.#hasSent) send(this.#last, this.#next);
  }

  /** Goes to the period of the first packet. */
  #begin(t: bigint): void {
    const periods = t / this.#periodUs;
    if (periods > MAX_PERIODS) {
      throw new GraphError(
        'INVALID_ARGUMENT',
        `reproducible_sampling draws a time for each period from 0: the first packet is ${periods} periods later, at most ${MAX_PERIODS} expected`,
      );
    }
    while (t >= this.#period + this.#periodUs) this.#draw();
  }

  /** To the next period, where this one has had its output and is over. */
  #advance(t: bigint): void {
    if (!this.#hasSent || t < this.#period + this.#periodUs) return;
    this.#draw();
    this.#hasSent = false;
  }

  #draw(): void {
    this.#period += this.#periodUs;
    const next = this.#next + this.#periodUs + BigInt(this.#random(2 * this.#jitterUs + 1) - this.#jitterUs);
    this.#next = reflected(next, this.#period, this.#period + this.#periodUs);
  }
}
