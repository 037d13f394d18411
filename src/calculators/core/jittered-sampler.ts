import { Timestamp, type Packet } from '../../graph/index.ts';

/**
 * Samples at random distances: each output follows the one before after a period times 1 − jitter … 1 + jitter, and is the
 * packet nearest its time. With reflection a time outside its period, counted from the first packet, is mirrored into it. The
 * same seed gives the same times.
 */
export class JitteredSampler {
  readonly #periodUs: number;
  readonly #jitter: number;
  readonly #random: () => number;
  readonly #reflects: boolean;
  #last: Packet | undefined;
  #next: bigint | undefined;
  /** Where the period of the next output begins, with reflection. */
  #period = 0n;
  readonly #unsent: Reservoir;
  #hasSent = false;

  constructor(periodUs: number, jitter: number, seed: string, reflects: boolean) {
    // Whole microseconds, so that a time is in one period only.
    this.#periodUs = reflects ? Math.trunc(periodUs) : periodUs;
    this.#jitter = jitter;
    this.#random = randomNumbers(seed);
    this.#reflects = reflects;
    this.#unsent = new Reservoir(randomNumbers(seed));
  }

  /** No output comes before this time any more. */
  get bound(): bigint {
    if (this.#next === undefined) return Timestamp.Min;
    return this.#reflects || !this.#hasSent ? this.#period : this.#next;
  }

  /** Periods from the output that is due next to `t`. */
  periodsUntil(t: bigint): number {
    return this.#next === undefined ? 0 : Number(t - this.#next) / this.#periodUs;
  }

  /** Takes the next packet; `send` is called for each output that can be decided. */
  take(packet: Packet, send: (packet: Packet, t: bigint) => void): void {
    if (this.#next === undefined) {
      this.#period = packet.timestamp;
      this.#next = packet.timestamp + BigInt(Math.floor(this.#random() * this.#periodUs));
    }
    const last = this.#last ?? packet;
    if (packet.timestamp >= this.#period && (this.#reflects || !this.#hasSent)) this.#unsent.add(packet);
    while (this.#next <= packet.timestamp) {
      const isNearer = packet.timestamp - this.#next < this.#next - last.timestamp;
      send(isNearer ? packet : last, this.#next);
      this.#next = this.#after(this.#next);
      this.#hasSent = true;
      this.#unsent.clear();
    }
    this.#last = packet;
  }

  /** The input has ended: one of the packets of a period that has had no output, without reflection only of the first. */
  flush(send: (packet: Packet, t: bigint) => void): void {
    const { sample } = this.#unsent;
    if (sample !== undefined) send(sample, sample.timestamp);
  }

  #after(t: bigint): bigint {
    const next = t + this.#periods(1 - this.#jitter + 2 * this.#jitter * this.#random());
    if (!this.#reflects) return next;
    this.#period += this.#periods(1);
    return reflected(next, this.#period, this.#period + this.#periods(1));
  }

  /** At least a microsecond, so that times increase. */
  #periods(count: number): bigint {
    return BigInt(Math.max(1, Math.round(count * this.#periodUs)));
  }
}

/** One packet of those added since it was cleared, each as likely as the others. */
class Reservoir {
  sample: Packet | undefined;
  readonly #random: () => number;
  #count = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  add(packet: Packet): void {
    if (this.#random() * ++this.#count < 1) this.sample = packet;
  }

  clear(): void {
    this.#count = 0;
    this.sample = undefined;
  }
}

/** Mirrors `t` into `start` ≤ t < `end`; it is at most their distance away. */
export function reflected(t: bigint, start: bigint, end: bigint): bigint {
  if (t < start) return 2n * start - t - 1n;
  return t < end ? t : 2n * end - t - 1n;
}

/** Numbers from 0 to below 1 (mulberry32, seeded by an FNV-1a hash). */
export function randomNumbers(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
