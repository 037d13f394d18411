import type { LatencyReport } from '../../pipelines/common/report.ts';

/** Means are over as many frames (sheet §3). */
const MEAN_OVER = 64;
const PERCENTILES_OVER = 512;
const TICKS = 30;
/** A throughput without a frame for so long is 0. */
const FROZEN_MS = 5_000;

/** The latencies of one source's frames, in ms. */
export class Latencies {
  readonly #decoding = new Window(MEAN_OVER);
  readonly #inference = new Window(MEAN_OVER);
  readonly #whole = new Window(PERCENTILES_OVER);

  add(decodingMs: number, inferenceMs: number, wholeMs: number): void {
    this.#decoding.add(decodingMs);
    this.#inference.add(inferenceMs);
    this.#whole.add(wholeMs);
  }

  report(): LatencyReport {
    const sorted = this.#whole.values().sort((a, b) => a - b);
    const at = (share: number): number | undefined => seconds(sorted[Math.floor(share * (sorted.length - 1))]);
    return {
      frame_decoding_latency: seconds(this.#decoding.mean(MEAN_OVER)),
      inference_latency: seconds(this.#inference.mean(MEAN_OVER)),
      e2e_latency: seconds(this.#whole.mean(MEAN_OVER)),
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
    };
  }
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);

/** The last numbers. */
class Window {
  readonly #size: number;
  #values: number[] = [];
  #at = 0;

  constructor(size: number) {
    this.#size = size;
  }

  add(value: number): void {
    if (this.#values.length < this.#size) this.#values.push(value);
    else this.#values[this.#at++ % this.#size] = value;
  }

  /** In no order. */
  values(): number[] {
    return [...this.#values];
  }

  /** Of the last `count`; undefined where there is none. */
  mean(count: number): number | undefined {
    const length = this.#values.length;
    if (length === 0) return undefined;
    const used = Math.min(count, length);
    const newest = length < this.#size ? length : this.#at % this.#size;
    let sum = 0;
    for (let i = 1; i <= used; i++) sum += this.#values[(newest - i + length) % length] as number;
    return sum / used;
  }
}

/** Results per second, over the last 30 of them. */
export class Throughput {
  #ticks: number[] = [];

  /** @param nowMs by `performance.now()` */
  tick(nowMs: number): void {
    this.#ticks.push(nowMs);
    if (this.#ticks.length > TICKS) this.#ticks = this.#ticks.slice(-TICKS);
  }

  perSecond(nowMs: number): number {
    const [first = 0, last = 0] = [this.#ticks[0], this.#ticks.at(-1)];
    if (this.#ticks.length < 2 || last === first || nowMs - last > FROZEN_MS) return 0;
    return ((this.#ticks.length - 1) / (last - first)) * 1000;
  }
}
