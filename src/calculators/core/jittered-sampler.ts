import type { Packet } from '../../graph/index.ts';

/**
 * Samples at random distances: each output follows the one before after a period times 1 − jitter … 1 + jitter, and is the
 * packet nearest its time. The same seed gives the same times.
 */
export class JitteredSampler {
  readonly #periodUs: number;
  readonly #jitter: number;
  readonly #random: () => number;
  #last: Packet | undefined;
  #next: bigint | undefined;

  constructor(periodUs: number, jitter: number, seed: string) {
    this.#periodUs = periodUs;
    this.#jitter = jitter;
    this.#random = randomNumbers(seed);
  }

  /** Periods from the output that is due next to `t`. */
  periodsUntil(t: bigint): number {
    return this.#next === undefined ? 0 : Number(t - this.#next) / this.#periodUs;
  }

  /** Takes the next packet; `send` is called for each output that can be decided. */
  take(packet: Packet, send: (packet: Packet, t: bigint) => void): void {
    this.#next ??= packet.timestamp + this.#periods(this.#random());
    const last = this.#last ?? packet;
    while (this.#next <= packet.timestamp) {
      const isNearer = packet.timestamp - this.#next < this.#next - last.timestamp;
      send(isNearer ? packet : last, this.#next);
      this.#next += this.#periods(1 - this.#jitter + 2 * this.#jitter * this.#random());
    }
    this.#last = packet;
  }

  /** At least a microsecond, so that times increase. */
  #periods(count: number): bigint {
    return BigInt(Math.max(1, Math.round(count * this.#periodUs)));
  }
}

/** Numbers from 0 to below 1 (mulberry32, seeded by an FNV-1a hash). */
function randomNumbers(seed: string): () => number {
  let state = 0x811c9dc5;
  for (const char of seed) state = Math.imul(state ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
