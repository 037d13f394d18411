import type { Image } from './image.ts';

/** How pixels between pixels are made: `linear` between the two nearest, `area` as the mean of all that an output pixel covers. */
export type Interpolation = 'linear' | 'area' | 'nearest';

/** For each output position of an axis: the first source position, and the weights of it and those that follow. */
interface Taps {
  readonly first: Int32Array;
  /** `most` for each output position, zero where fewer are used. */
  readonly weights: Float32Array;
  readonly most: number;
}

/**
 * An image scaled to another size, pixel centres matched as in OpenCV's `resize`; of the same format.
 * @param width of the result, as `height` in pixels, at least 1
 */
export function resize(image: Image, width: number, height: number, interpolation: Interpolation): Image {
  if (width === image.width && height === image.height) return image;
  const columns = taps(image.width, width, interpolation);
  const rows = taps(image.height, height, interpolation);
  const data = sameKind(image.data, width * height * image.channels);
  const isWhole = !(data instanceof Float32Array);
  const length = width * image.channels;
  const lines = new LineCache(image, columns, width, rows.most + 1);
  const sum = new Float32Array(length);
  for (let y = 0; y < height; y++) {
    sum.fill(isWhole ? 0.5 : 0);
    for (let tap = 0; tap < rows.most; tap++) {
      const weight = rows.weights[y * rows.most + tap]!;
      if (weight === 0) continue;
      const line = lines.line(rows.first[y]! + tap);
      for (let at = 0; at < length; at++) sum[at]! += line[at]! * weight;
    }
    data.set(sum, y * length); // cuts off what is below the point, 0.5 having been added
  }
  return { ...image, width, height, data };
}

/** Source rows scaled across; the last few are kept, since rows of the result share them. */
class LineCache {
  readonly #image: Image;
  readonly #columns: Taps;
  readonly #width: number;
  readonly #lines: { row: number; readonly values: Float32Array }[];

  constructor(image: Image, columns: Taps, width: number, kept: number) {
    this.#image = image;
    this.#columns = columns;
    this.#width = width;
    this.#lines = Array.from({ length: kept }, () => ({ row: -1, values: new Float32Array(width * image.channels) }));
  }

  line(row: number): Float32Array {
    const slot = this.#lines[row % this.#lines.length]!;
    if (slot.row !== row) {
      slot.row = row;
      this.#scale(row, slot.values);
    }
    return slot.values;
  }

  #scale(row: number, out: Float32Array): void {
    const { data, width, channels } = this.#image;
    const { first, weights, most } = this.#columns;
    const start = row * width * channels;
    for (let x = 0, at = 0; x < this.#width; x++) {
      const from = start + first[x]! * channels;
      for (let channel = 0; channel < channels; channel++, at++) {
        let value = 0;
        for (let tap = 0; tap < most; tap++) {
          const weight = weights[x * most + tap]!;
          if (weight !== 0) value += data[from + tap * channels + channel]! * weight;
        }
        out[at] = value;
      }
    }
  }
}

function taps(source: number, target: number, interpolation: Interpolation): Taps {
  const scale = source / target;
  if (interpolation === 'nearest') return nearestTaps(source, target, scale);
  // OpenCV's area interpolation is linear where it enlarges.
  return interpolation === 'area' && scale > 1 ? areaTaps(source, target, scale) : linearTaps(source, target, scale);
}

function nearestTaps(source: number, target: number, scale: number): Taps {
  const first = Int32Array.from({ length: target }, (_, i) => Math.min(Math.floor(i * scale), source - 1));
  return { first, weights: new Float32Array(target).fill(1), most: 1 };
}

function linearTaps(source: number, target: number, scale: number): Taps {
  const first = new Int32Array(target);
  const weights = new Float32Array(2 * target);
  for (let i = 0; i < target; i++) {
    const at = Math.min(Math.max((i + 0.5) * scale - 0.5, 0), source - 1);
    const left = Math.floor(at);
    first[i] = left;
    weights[2 * i] = 1 - (at - left);
    weights[2 * i + 1] = at - left; // 0 at the last pixel
  }
  return { first, weights, most: 2 };
}

function areaTaps(source: number, target: number, scale: number): Taps {
  const most = Math.ceil(scale) + 1;
  const first = new Int32Array(target);
  const weights = new Float32Array(most * target);
  for (let i = 0; i < target; i++) {
    const [from, to] = [i * scale, Math.min((i + 1) * scale, source)];
    first[i] = Math.floor(from);
    for (let tap = 0; tap < most; tap++) {
      const pixel = first[i]! + tap;
      const covered = Math.min(pixel + 1, to) - Math.max(pixel, from);
      if (covered > 1e-6) weights[i * most + tap] = covered / (to - from);
    }
  }
  return { first, weights, most };
}

/** A new array of the same kind. */
export function sameKind(data: Image['data'], length: number): Image['data'] {
  if (data instanceof Float32Array) return new Float32Array(length);
  return data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
}
