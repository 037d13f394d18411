/** Of a new time's weight in a mean: of one that is shorter, and of one that is longer, which may be another process's doing. */
const SHORTER = 0.5;
const LONGER = 0.1;

interface Mean {
  rows: number;
  ms: number;
}

/** What runs of a model take, by what those of different sizes have taken. */
export class RunCost {
  /** By the power of two in which a run's rows are. */
  readonly #means: (Mean | undefined)[] = [];

  ran(rows: number, ms: number): void {
    const at = Math.floor(Math.log2(Math.max(1, rows)));
    const mean = this.#means[at];
    if (mean === undefined) {
      this.#means[at] = { rows, ms };
      return;
    }
    const weight = ms < mean.ms ? SHORTER : LONGER;
    mean.ms += weight * (ms - mean.ms);
    mean.rows += weight * (rows - mean.rows);
  }

  /** The part of a run's time that does not grow with its rows, which each run saved saves. Undefined: not known yet. */
  get fixedMs(): number | undefined {
    const known = this.#means.filter((mean) => mean !== undefined);
    const [least, most] = [known[0], known.at(-1)];
    if (least === undefined || most === undefined || least === most) return undefined;
    const perRow = (most.ms - least.ms) / (most.rows - least.rows);
    return Math.min(least.ms, Math.max(0, least.ms - perRow * least.rows));
  }
}
