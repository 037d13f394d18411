export interface Size {
  readonly width: number;
  readonly height: number;
}

/** For each pixel of the result the weights of as many consecutive ones of the source, which all exist. */
interface Axis {
  readonly first: Int32Array;
  /** [target, taps], in units of `1 / ONE`. */
  readonly weights: Int32Array;
  readonly taps: number;
}

/**
 * Weights are whole numbers, which V8 multiplies without converting the bytes of the source. Four of them with the overshoot of
 * the cubic ones (1.4) and a byte stay within 31 bits; what is lost is a thousandth of a byte's step.
 */
const ONE = 1 << 20;

/**
 * Pixel centres matched as in OpenCV, edges repeated.
 * @param halved the source has half of `source` pixels, each counting for two
 */
function axisOf(source: number, target: number, isCubic: boolean, halved: boolean): Axis {
  const length = halved ? source >> 1 : source;
  const wanted = Array.from({ length: target }, (_, i) => {
    const at = ((i + 0.5) * source) / target - 0.5;
    const first = Math.floor(at);
    const rest = at - first;
    const weights = new Map<number, number>();
    for (const [tap, weight] of (isCubic ? cubic(rest) : [1 - rest, rest]).entries()) {
      const pixel = Math.min(Math.max(first + tap - (isCubic ? 1 : 0), 0), source - 1);
      const index = halved ? pixel >> 1 : pixel;
      weights.set(index, (weights.get(index) ?? 0) + weight);
    }
    return weights;
  });
  const taps = Math.max(...wanted.map((weights) => Math.max(...weights.keys()) - Math.min(...weights.keys()) + 1));
  const axis: Axis = { first: new Int32Array(target), weights: new Int32Array(target * taps), taps };
  for (const [i, weights] of wanted.entries()) {
    const first = Math.min(...weights.keys(), length - taps);
    axis.first[i] = first;
    let [left, heaviest] = [ONE, first];
    for (const [index, weight] of weights) {
      const whole = Math.round(weight * ONE);
      axis.weights[i * taps + index - first] = whole;
      left -= whole;
      if (weight > weights.get(heaviest)!) heaviest = index;
    }
    // Even areas stay exactly as they are.
    axis.weights[i * taps + heaviest - first]! += left;
  }
  return axis;
}

/** OpenCV's, A = −0.75. */
function cubic(x: number): number[] {
  const A = -0.75;
  const w0 = ((A * (x + 1) - 5 * A) * (x + 1) + 8 * A) * (x + 1) - 4 * A;
  const w1 = ((A + 2) * x - (A + 3)) * x * x + 1;
  const w2 = ((A + 2) * (1 - x) - (A + 3)) * (1 - x) * (1 - x) + 1;
  return [w0, w1, w2, 1 - w0 - w1 - w2];
}

/**
 * Scales a plane, or pixels of several channels, always between the same two sizes, row by row; keeps its tables and working
 * memory. Rows of the source are scaled across when the first row of the result needs them, and kept while later ones may.
 */
export class PlaneScaler {
  readonly #across: Axis;
  readonly #down: Axis;
  readonly #channels: number;
  readonly #width: number;
  /** The last rows of the source, scaled across; row n is at n modulo their number. */
  readonly #lines: readonly Int32Array[];
  /** Which they are. */
  readonly #kept: number[];
  readonly #out: Float64Array;
  #data: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #stride = 0;

  /** @param halved the source has half the size in both directions, each of its pixels counting for four */
  constructor(source: Size, target: Size, isCubic: boolean, channels: number, halved = false) {
    this.#across = axisOf(source.width, target.width, isCubic, halved);
    this.#down = axisOf(source.height, target.height, isCubic, halved);
    this.#channels = channels;
    this.#width = target.width;
    this.#lines = Array.from({ length: this.#down.taps }, () => new Int32Array(target.width * channels));
    this.#kept = this.#lines.map(() => -1);
    this.#out = new Float64Array(target.width * channels);
  }

  /** Another picture. @param stride bytes of a row */
  begin(data: Uint8Array, offset: number, stride: number): void {
    this.#data = data;
    this.#offset = offset;
    this.#stride = stride;
    this.#kept.fill(-1);
  }

  /** @returns row `y` of the result, in memory that the next call overwrites */
  row(y: number): Float64Array {
    const { first, weights, taps } = this.#down;
    const top = first[y]!;
    const out = this.#out;
    let isEmpty = true;
    for (let tap = 0; tap < taps; tap++) {
      const weight = weights[y * taps + tap]! / (ONE * ONE);
      if (weight === 0) continue;
      const line = this.#line(top + tap);
      if (isEmpty) for (let x = 0; x < out.length; x++) out[x] = line[x]! * weight;
      else for (let x = 0; x < out.length; x++) out[x]! += line[x]! * weight;
      isEmpty = false;
    }
    return out;
  }

  /** Row `y` of the source, scaled across, in units of `1 / ONE`. */
  #line(y: number): Int32Array {
    const slot = y % this.#lines.length;
    const line = this.#lines[slot]!;
    if (this.#kept[slot] === y) return line;
    this.#kept[slot] = y;
    const start = this.#offset + y * this.#stride;
    if (this.#channels > 1) this.#acrossPixels(start, line);
    else if (this.#across.taps === 4) this.#acrossByFour(start, line);
    else if (this.#across.taps === 3) this.#acrossByThree(start, line);
    else if (this.#across.taps === 2) this.#acrossByTwo(start, line);
    else this.#acrossPixels(start, line);
    return line;
  }

  #acrossPixels(start: number, line: Int32Array): void {
    const { first, weights, taps } = this.#across;
    const data = this.#data;
    const channels = this.#channels;
    for (let x = 0, at = 0; x < this.#width; x++) {
      for (let channel = 0; channel < channels; channel++) {
        let value = 0;
        let from = start + first[x]! * channels + channel;
        for (let tap = x * taps; tap < (x + 1) * taps; tap++, from += channels) {
          value += Math.imul(data[from]!, weights[tap]!);
        }
        line[at++] = value;
      }
    }
  }

  #acrossByTwo(start: number, line: Int32Array): void {
    const { first, weights } = this.#across;
    const data = this.#data;
    for (let x = 0, tap = 0; x < line.length; x++, tap += 2) {
      const from = start + first[x]!;
      line[x] = Math.imul(data[from]!, weights[tap]!) + Math.imul(data[from + 1]!, weights[tap + 1]!);
    }
  }

  #acrossByThree(start: number, line: Int32Array): void {
    const { first, weights } = this.#across;
    const data = this.#data;
    for (let x = 0, tap = 0; x < line.length; x++, tap += 3) {
      const from = start + first[x]!;
      line[x] =
        Math.imul(data[from]!, weights[tap]!) +
        Math.imul(data[from + 1]!, weights[tap + 1]!) +
        Math.imul(data[from + 2]!, weights[tap + 2]!);
    }
  }

  #acrossByFour(start: number, line: Int32Array): void {
    const { first, weights } = this.#across;
    const data = this.#data;
    for (let x = 0, tap = 0; x < line.length; x++, tap += 4) {
      const from = start + first[x]!;
      line[x] =
        Math.imul(data[from]!, weights[tap]!) +
        Math.imul(data[from + 1]!, weights[tap + 1]!) +
        Math.imul(data[from + 2]!, weights[tap + 2]!) +
        Math.imul(data[from + 3]!, weights[tap + 3]!);
    }
  }
}
