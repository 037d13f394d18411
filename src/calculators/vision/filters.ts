/** Follows a value with inertia: the first one passes, later ones count by `alpha`. */
export class LowPassFilter {
  #filtered: number | undefined;
  #raw = 0;

  get isEmpty(): boolean {
    return this.#filtered === undefined;
  }

  /** The last value that came in. */
  get raw(): number {
    return this.#raw;
  }

  /** @param alpha weight of the new value, 0–1 */
  apply(value: number, alpha: number): number {
    this.#raw = value;
    this.#filtered = this.#filtered === undefined ? value : alpha * value + (1 - alpha) * this.#filtered;
    return this.#filtered;
  }
}

export interface OneEuroSettings {
  /** Hz, before two times are known. */
  readonly frequency: number;
  /** Hz, of a value at rest. */
  readonly minCutoff: number;
  /** How much faster the filter follows the faster a value changes. */
  readonly beta: number;
  /** Hz, of the speed. */
  readonly derivateCutoff: number;
}

/** Smooths more the slower a value changes (the one-euro filter, with MediaPipe's quirks: sheet §18). */
export class OneEuroFilter {
  readonly #settings: OneEuroSettings;
  readonly #value = new LowPassFilter();
  readonly #speed = new LowPassFilter();
  #frequency: number;
  /** Nanoseconds. */
  #lastTime = -1n;

  constructor(settings: OneEuroSettings) {
    this.#settings = settings;
    this.#frequency = settings.frequency;
  }

  /**
   * @param timeUs one that is not above the last returns the value as it is
   * @param scale of the value, for its speed
   */
  apply(timeUs: bigint, value: number, scale: number): number {
    const time = timeUs * 1000n;
    if (this.#lastTime >= time) return value;
    // The quirk: a time of exactly 0 leaves the frequency as it was.
    if (this.#lastTime !== 0n && time !== 0n) this.#frequency = 1e9 / Number(time - this.#lastTime);
    this.#lastTime = time;
    const { minCutoff, beta, derivateCutoff } = this.#settings;
    const change = this.#value.isEmpty ? 0 : (value - this.#value.raw) * scale * this.#frequency;
    const speed = this.#speed.apply(change, this.#alpha(derivateCutoff));
    return this.#value.apply(value, this.#alpha(minCutoff + beta * Math.abs(speed)));
  }

  #alpha(cutoff: number): number {
    return 1 / (1 + this.#frequency / (2 * Math.PI * cutoff));
  }
}

export interface VelocitySettings {
  /** Steps over which the speed is measured. */
  readonly windowSize: number;
  /** How much of a change passes at a speed of 1. */
  readonly velocityScale: number;
}

/** Nanoseconds; a longer step counts as a pause. */
const LONGEST_STEP = 1_000_000_000 / 30;

/** Lets the more of a change pass the faster it is, over a window of the last steps (MediaPipe's RelativeVelocityFilter). */
export class VelocityFilter {
  readonly #settings: VelocitySettings;
  readonly #value = new LowPassFilter();
  /** The newest first; nanoseconds. */
  #steps: { readonly distance: number; readonly duration: number }[] = [];
  #last: { readonly scaled: number; readonly time: bigint } | undefined;

  constructor(settings: VelocitySettings) {
    this.#settings = settings;
  }

  /** As of `OneEuroFilter.apply`. */
  apply(timeUs: bigint, value: number, scale: number): number {
    const time = timeUs * 1000n;
    if (this.#last !== undefined && this.#last.time >= time) return value;
    const alpha = this.#last === undefined ? 1 : this.#step(value * scale - this.#last.scaled, time - this.#last.time);
    this.#last = { scaled: value * scale, time };
    return this.#value.apply(value, alpha);
  }

  #step(distance: number, elapsed: bigint): number {
    const { windowSize, velocityScale } = this.#settings;
    const duration = Number(elapsed);
    const limit = (1 + this.#steps.length) * LONGEST_STEP;
    let [way, time] = [distance, duration];
    for (const step of this.#steps) {
      if (time + step.duration > limit) break;
      way += step.distance;
      time += step.duration;
    }
    this.#steps = [{ distance, duration }, ...this.#steps].slice(0, windowSize);
    return 1 - 1 / (1 + velocityScale * Math.abs(way / (time * 1e-9)));
  }
}
