import type { Picture } from '../../../media/frame.ts';
import { yuvFactors } from '../../../media/yuv.ts';
import type { Rgb } from './pixels.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Weights of `taps` source pixels for each of the result's, pixel centres matched as in OpenCV. */
interface Axis {
  readonly from: Int32Array;
  readonly weights: Float32Array;
  readonly taps: number;
}

function axisOf(source: number, target: number, isCubic: boolean): Axis {
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

/** Scales a plane, or pixels of several channels, always between the same two sizes; keeps its tables and working memory. */
class PlaneScaler {
  readonly #across: Axis;
  readonly #down: Axis;
  readonly #channels: number;
  readonly #width: number;
  /** Rows of the source that count: scaled down, most do not. */
  readonly #lines: readonly number[];
  /** Those, scaled across. */
  readonly #rows: Float32Array;
  readonly #out: Float32Array;

  /** @param halved the source has half the size in both directions, each of its pixels counting for four */
  constructor(source: Size, target: Size, isCubic: boolean, channels: number, halved = false) {
    const at = ({ from, ...axis }: Axis): Axis => ({ ...axis, from: halved ? from.map((index) => index >> 1) : from });
    const down = at(axisOf(source.height, target.height, isCubic));
    this.#across = at(axisOf(source.width, target.width, isCubic));
    this.#lines = [...new Set(down.from)].toSorted((a, b) => a - b);
    const places = new Map(this.#lines.map((line, index) => [line, index]));
    this.#down = { ...down, from: down.from.map((line) => places.get(line)!) };
    this.#channels = channels;
    this.#width = target.width;
    this.#rows = new Float32Array(this.#lines.length * target.width * channels);
    this.#out = new Float32Array(target.width * target.height * channels);
  }

  /** @param stride bytes of a row @returns memory that the next call overwrites */
  apply(data: Uint8Array, offset: number, stride: number): Float32Array {
    const { from, weights, taps } = this.#across;
    const rows = this.#rows;
    const channels = this.#channels;
    const last = this.#width * taps;
    if (channels === 1 && taps === 4) return this.#acrossByFour(data, offset, stride);
    let at = 0;
    for (const line of this.#lines) {
      const start = offset + line * stride;
      for (let first = 0; first < last; first += taps) {
        for (let channel = 0; channel < channels; channel++) {
          let value = 0;
          for (let tap = first; tap < first + taps; tap++) {
            value += data[start + from[tap]! * channels + channel]! * weights[tap]!;
          }
          rows[at++] = value;
        }
      }
    }
    return this.#downwards();
  }

  /** As `apply`, of one channel with four taps: what most frames need. */
  #acrossByFour(data: Uint8Array, offset: number, stride: number): Float32Array {
    const { from, weights } = this.#across;
    const rows = this.#rows;
    let at = 0;
    for (const line of this.#lines) {
      const start = offset + line * stride;
      for (let tap = 0; tap < from.length; tap += 4) {
        rows[at++] =
          data[start + from[tap]!]! * weights[tap]! +
          data[start + from[tap + 1]!]! * weights[tap + 1]! +
          data[start + from[tap + 2]!]! * weights[tap + 2]! +
          data[start + from[tap + 3]!]! * weights[tap + 3]!;
      }
    }
    return this.#downwards();
  }

  #downwards(): Float32Array {
    const { from, weights, taps } = this.#down;
    const length = this.#width * this.#channels;
    const [rows, out] = [this.#rows, this.#out];
    for (let start = 0, first = 0; start < out.length; start += length, first += taps) {
      for (let x = 0; x < length; x++) {
        let value = 0;
        for (let tap = first; tap < first + taps; tap++) value += rows[from[tap]! * length + x]! * weights[tap]!;
        out[start + x] = value;
      }
    }
    return out;
  }
}

/** Scales pictures to RGB of one size, always from the same size. */
export class Scaler {
  readonly source: Size;
  readonly #target: Size;
  readonly #pixels: PlaneScaler;

  constructor(source: Size, target: Size, isCubic: boolean) {
    this.source = source;
    this.#target = target;
    this.#pixels = new PlaneScaler(source, target, isCubic, 3);
  }

  apply({ data, width, height }: Rgb): Rgb {
    if (this.#target.width === width && this.#target.height === height) return { width, height, data };
    // Clamped, so that cubic overshoot stays within a byte; rounds halves to even.
    const out = new Uint8ClampedArray(this.#pixels.apply(data, 0, width * 3));
    return { ...this.#target, data: new Uint8Array(out.buffer) };
  }
}

/**
 * As {@link Scaler}, from the planes of a decoder: scaling and the way to RGB are both linear, so that only the pixels of the
 * result need be converted. Differs by what RGB of the source would have been cut off at 0 and 255.
 */
export class YuvScaler {
  readonly source: Size;
  readonly #target: Size;
  readonly #luma: PlaneScaler;
  readonly #u: PlaneScaler;
  readonly #v: PlaneScaler;

  constructor(source: Size, target: Size, isCubic: boolean) {
    this.source = source;
    this.#target = target;
    this.#luma = new PlaneScaler(source, target, isCubic, 1);
    this.#u = new PlaneScaler(source, target, isCubic, 1, true);
    this.#v = new PlaneScaler(source, target, isCubic, 1, true);
  }

  /** @param picture `yuv420p` */
  apply(picture: Pick<Picture, 'width' | 'height' | 'data' | 'isBt709'>): Rgb {
    const { data, width, height } = picture;
    const size = width * height;
    const luma = this.#luma.apply(data, 0, width);
    const us = this.#u.apply(data, size, width / 2);
    const vs = this.#v.apply(data, size + size / 4, width / 2);
    const { y, vToR, uToG, vToG, uToB } = yuvFactors(picture);
    const out = new Uint8ClampedArray(luma.length * 3);
    for (let from = 0, at = 0; from < luma.length; from++, at += 3) {
      const light = (luma[from]! - 16) * y;
      const u = us[from]! - 128;
      const v = vs[from]! - 128;
      out[at] = light + v * vToR;
      out[at + 1] = light + u * uToG + v * vToG;
      out[at + 2] = light + u * uToB;
    }
    return { ...this.#target, data: new Uint8Array(out.buffer) };
  }
}
