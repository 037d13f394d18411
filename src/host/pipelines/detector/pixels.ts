/** RGB, 8 bits, rows without padding. */
export interface Rgb {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] */
  readonly data: Uint8Array;
}

/** A part of a picture, in memory of its own where it is not the whole. */
export function cut({ width, height, data }: Rgb, x0: number, y0: number, x1: number, y1: number): Rgb {
  if (x0 === 0 && y0 === 0 && x1 === width && y1 === height) return { width, height, data };
  const [outWidth, outHeight] = [x1 - x0, y1 - y0];
  const out = new Uint8Array(outWidth * outHeight * 3);
  for (let y = 0; y < outHeight; y++) {
    const start = ((y0 + y) * width + x0) * 3;
    out.set(data.subarray(start, start + outWidth * 3), y * outWidth * 3);
  }
  return { width: outWidth, height: outHeight, data: out };
}

/** OpenCV's RGB to grey and back. */
export function grey({ width, height, data }: Rgb): Rgb {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const value = Math.round(0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!);
    out[at] = out[at + 1] = out[at + 2] = value;
  }
  return { width, height, data: out };
}

/** The values between the 2nd and the 98th percentile, over all channels, stretched to 0–255. */
export function stretchContrast({ width, height, data }: Rgb): Rgb {
  const counts = histogram(data);
  const [low, high] = [percentile(counts, data.length, 2), percentile(counts, data.length, 98)];
  const table = new Uint8Array(256);
  for (let value = 0; value < 256; value++) {
    const share = high > low ? (Math.min(Math.max(value, low), high) - low) / (high - low) : 0;
    table[value] = high > low ? Math.floor(share * 255) : value;
  }
  return { width, height, data: data.map((value) => table[value]!) };
}

/** As scikit-image's `equalize_hist` of all channels together, with its 256 bins. */
export function equalize({ width, height, data }: Rgb): Rgb {
  const counts = histogram(data);
  const table = new Uint8Array(256);
  let sum = 0;
  for (let value = 0; value < 256; value++) {
    sum += counts[value]!;
    table[value] = Math.floor((sum / data.length) * 255);
  }
  return { width, height, data: data.map((value) => table[value]!) };
}

function histogram(data: Uint8Array): Uint32Array {
  const counts = new Uint32Array(256);
  for (const value of data) counts[value]!++;
  return counts;
}

/** NumPy's, between the two values that it lies between. */
function percentile(counts: Uint32Array, total: number, percent: number): number {
  const at = ((total - 1) * percent) / 100;
  const below = valueAt(counts, Math.floor(at));
  return below + (valueAt(counts, Math.ceil(at)) - below) * (at - Math.floor(at));
}

function valueAt(counts: Uint32Array, index: number): number {
  let sum = 0;
  for (let value = 0; value < 256; value++) {
    sum += counts[value]!;
    if (sum > index) return value;
  }
  return 255;
}

/** Weights of `taps` source pixels for each of the result's, pixel centres matched as in OpenCV. */
interface Axis {
  readonly from: Int32Array;
  readonly weights: Float32Array;
  readonly taps: number;
}

function axis(source: number, target: number, isCubic: boolean): Axis {
  const taps = isCubic ? 4 : 2;
  const from = new Int32Array(target * taps);
  const weights = new Float32Array(target * taps);
  for (let i = 0; i < target; i++) {
    const at = ((i + 0.5) * source) / target - 0.5;
    const first = Math.floor(at);
    const rest = at - first;
    const values = isCubic ? cubic(rest) : [1 - rest, rest];
    for (let tap = 0; tap < taps; tap++) {
      const index = first + tap - (isCubic ? 1 : 0);
      from[i * taps + tap] = Math.min(Math.max(index, 0), source - 1);
      weights[i * taps + tap] = values[tap]!;
    }
  }
  return { from, weights, taps };
}

/** OpenCV's, A = −0.75. */
function cubic(x: number): number[] {
  const A = -0.75;
  const w0 = ((A * (x + 1) - 5 * A) * (x + 1) + 8 * A) * (x + 1) - 4 * A;
  const w1 = ((A + 2) * x - (A + 3)) * x * x + 1;
  const w2 = ((A + 2) * (1 - x) - (A + 3)) * (1 - x) * (1 - x) + 1;
  return [w0, w1, w2, 1 - w0 - w1 - w2];
}

/** Scales pictures, always between the same two sizes; keeps its tables and working memory. */
export class Scaler {
  readonly source: { readonly width: number; readonly height: number };
  readonly #width: number;
  readonly #height: number;
  readonly #across: Axis;
  readonly #down: Axis;
  readonly #rows: Float32Array;

  constructor(
    source: { readonly width: number; readonly height: number },
    target: { readonly width: number; readonly height: number },
    isCubic: boolean,
  ) {
    this.source = source;
    this.#width = target.width;
    this.#height = target.height;
    this.#across = axis(source.width, target.width, isCubic);
    this.#down = axis(source.height, target.height, isCubic);
    this.#rows = new Float32Array(source.height * target.width * 3);
  }

  apply({ data, width: sourceWidth, height: sourceHeight }: Rgb): Rgb {
    const [width, height] = [this.#width, this.#height];
    if (width === sourceWidth && height === sourceHeight) return { width, height, data };
    const rows = this.#rows;
    const { from: columns, weights, taps } = this.#across;
    for (let y = 0, at = 0; y < sourceHeight; y++) {
      const start = y * sourceWidth * 3;
      for (let x = 0; x < width; x++, at += 3) {
        let [r, g, b] = [0, 0, 0];
        for (let tap = x * taps; tap < (x + 1) * taps; tap++) {
          const source = start + columns[tap]! * 3;
          const weight = weights[tap]!;
          r += data[source]! * weight;
          g += data[source + 1]! * weight;
          b += data[source + 2]! * weight;
        }
        rows[at] = r;
        rows[at + 1] = g;
        rows[at + 2] = b;
      }
    }
    return { width, height, data: this.#downwards() };
  }

  #downwards(): Uint8Array {
    const [length, height] = [this.#width * 3, this.#height];
    const { from: lines, weights, taps } = this.#down;
    const rows = this.#rows;
    // Clamped, so that cubic overshoot stays within a byte; rounds halves up.
    const out = new Uint8ClampedArray(length * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < length; x++) {
        let value = 0;
        for (let tap = y * taps; tap < (y + 1) * taps; tap++) value += rows[lines[tap]! * length + x]! * weights[tap]!;
        out[y * length + x] = value;
      }
    }
    return new Uint8Array(out.buffer);
  }
}
