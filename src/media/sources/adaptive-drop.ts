/** When frames are dropped before a buffer is full, as Roboflow's ADAPTIVE strategies do (sheet §3). */
export interface AdaptiveLimits {
  /** By how many frames a second a source may come behind what it declares. */
  readonly streamPaceTolerance: number;
  /** By how many frames a second its reader may be behind what is kept. */
  readonly readerPaceTolerance: number;
  /** Nothing is decided before more frames than this were seen; paces are of ten times as many. */
  readonly minimumSamples: number;
  /** After so many dropped in a row one frame passes. */
  readonly maximumDroppedInRow: number;
}

/**
 * Decides of each frame of a source, before it is buffered: it goes where the source comes more slowly than it declares, as
 * one does whose decoder is behind, or where what was kept comes faster than it is read.
 */
export class AdaptiveDrop {
  readonly #limits: AdaptiveLimits;
  readonly #declaredFps: number | undefined;
  readonly #now: () => number;
  #captured: Pace;
  #kept: Pace;
  #read: Pace;
  #droppedInRow = 0;
  /** Since the beginning. */
  dropped = 0;

  /** @param now ms; a clock that only goes forward */
  constructor(limits: AdaptiveLimits, declaredFps: number | undefined, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#declaredFps = declaredFps;
    this.#now = now;
    [this.#captured, this.#kept, this.#read] = this.#paces();
  }

  /** A frame came. @returns whether it is to be dropped */
  drops(): boolean {
    this.#captured.tick(this.#now());
    const isDropped = this.#isBehind();
    this.#droppedInRow = isDropped ? this.#droppedInRow + 1 : 0;
    if (isDropped) this.dropped++;
    else this.#kept.tick(this.#now());
    return isDropped;
  }

  /** Its reader took one. */
  read(): void {
    this.#read.tick(this.#now());
  }

  /** The source was connected anew: what was measured before does not count. */
  reset(): void {
    [this.#captured, this.#kept, this.#read] = this.#paces();
    this.#droppedInRow = 0;
  }

  #isBehind(): boolean {
    const { maximumDroppedInRow, minimumSamples, streamPaceTolerance, readerPaceTolerance } = this.#limits;
    if (this.#droppedInRow >= maximumDroppedInRow) return false;
    if (this.#captured.samples <= minimumSamples) return false;
    const declared = this.#declaredFps ?? 0;
    if (declared > 0 && declared - this.#captured.perSecond() > streamPaceTolerance) return true;
    if (this.#kept.samples <= minimumSamples || this.#read.samples <= minimumSamples) return false;
    return this.#kept.perSecond() - this.#read.perSecondIfNow(this.#now()) > readerPaceTolerance;
  }

  #paces(): [Pace, Pace, Pace] {
    const pace = (): Pace => new Pace(10 * Math.max(1, this.#limits.minimumSamples));
    return [pace(), pace(), pace()];
  }
}

/** How often something happens, by its last times. */
class Pace {
  readonly #capacity: number;
  #times: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get samples(): number {
    return this.#times.length;
  }

  tick(nowMs: number): void {
    this.#times.push(nowMs);
    if (this.#times.length > this.#capacity) this.#times.shift();
  }

  /** Number over span, as theirs: n times in n − 1 intervals. 0 where there is no span. */
  perSecond(): number {
    const span = (this.#times.at(-1) ?? 0) - (this.#times[0] ?? 0);
    return span > 0 ? (1000 * this.#times.length) / span : 0;
  }

  /** As if it happened now once more: what has stopped gets slower. */
  perSecondIfNow(nowMs: number): number {
    const span = nowMs - (this.#times[0] ?? nowMs);
    return span > 0 ? (1000 * (this.#times.length + 1)) / span : 0;
  }
}
