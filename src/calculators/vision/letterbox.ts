import type { Image } from '../../media/image.ts';
import type { Letterbox } from '../packet-types.ts';

/** Grey of the bars beside the image, as YOLO models are trained with: 114 of 255. */
const GREY = 114 / 255;

/** How an image of this size is fitted into a model's input: as large as it gets, centred. */
export function fit(width: number, height: number, inputWidth: number, inputHeight: number): Letterbox {
  const ratio = Math.min(inputWidth / width, inputHeight / height);
  const [fittedWidth, fittedHeight] = [fitted(width, ratio), fitted(height, ratio)];
  return {
    width,
    height,
    scaleX: fittedWidth / width,
    scaleY: fittedHeight / height,
    left: Math.floor((inputWidth - fittedWidth) / 2),
    top: Math.floor((inputHeight - fittedHeight) / 2),
  };
}

const fitted = (side: number, ratio: number): number => Math.max(1, Math.round(side * ratio));

/** For each pixel of one axis of the result: the two source pixels it lies between, and how far it is to the second. */
interface Taps {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly weight: Float32Array;
}

/** Pixel centres are matched (half-pixel convention, as OpenCV's INTER_LINEAR); outside, the edge repeats. */
function taps(source: number, target: number): Taps {
  const result = { first: new Int32Array(target), second: new Int32Array(target), weight: new Float32Array(target) };
  for (let i = 0; i < target; i++) {
    const at = Math.min(Math.max(((i + 0.5) * source) / target - 0.5, 0), source - 1);
    const first = Math.floor(at);
    result.first[i] = first;
    result.second[i] = Math.min(first + 1, source - 1);
    result.weight[i] = at - first;
  }
  return result;
}

/**
 * Fits images into a model's input, bilinearly. Keeps the tables of the last image size, since frames of a stream share it;
 * one instance per node.
 */
export class Letterboxer {
  readonly #inputWidth: number;
  readonly #inputHeight: number;
  #letterbox: Letterbox | undefined;
  #columns = taps(1, 1);
  #rows = taps(1, 1);

  constructor(inputWidth: number, inputHeight: number) {
    this.#inputWidth = inputWidth;
    this.#inputHeight = inputHeight;
  }

  /** @returns [1, 3, inputHeight, inputWidth] RGB 0–1, memory of its own, and how the image lies in it */
  apply(image: Image): { values: Float32Array; letterbox: Letterbox } {
    const letterbox = this.#fit(image.width, image.height);
    const values = new Float32Array(3 * this.#inputWidth * this.#inputHeight).fill(GREY);
    if (letterbox.scaleX === 1 && letterbox.scaleY === 1) this.#copy(image, values, letterbox);
    else this.#resample(image, values, letterbox);
    return { values, letterbox };
  }

  #fit(width: number, height: number): Letterbox {
    const last = this.#letterbox;
    if (last?.width === width && last.height === height) return last;
    const letterbox = fit(width, height, this.#inputWidth, this.#inputHeight);
    this.#columns = taps(width, Math.round(letterbox.scaleX * width));
    this.#rows = taps(height, Math.round(letterbox.scaleY * height));
    this.#letterbox = letterbox;
    return letterbox;
  }

  /** An image that needs no scaling. */
  #copy({ data, width, height, channels }: Image, values: Float32Array, { left, top }: Letterbox): void {
    const scale = scaleOf(data);
    const plane = this.#inputWidth * this.#inputHeight;
    const green = channels < 3 ? 0 : 1;
    const blue = channels < 3 ? 0 : 2;
    for (let y = 0, at = 0; y < height; y++) {
      let out = (top + y) * this.#inputWidth + left;
      for (let x = 0; x < width; x++, out++, at += channels) {
        values[out] = data[at]! * scale;
        values[out + plane] = data[at + green]! * scale;
        values[out + 2 * plane] = data[at + blue]! * scale;
      }
    }
  }

  /** Writes the three planes of the result, row by row; the source's rows stay in the cache meanwhile. */
  #resample({ data, width, channels }: Image, values: Float32Array, { left, top }: Letterbox): void {
    const scale = scaleOf(data);
    const plane = this.#inputWidth * this.#inputHeight;
    // One channel is grey; a second or fourth is not colour.
    const green = channels < 3 ? 0 : 1;
    const blue = channels < 3 ? 0 : 2;
    const { first: columns, second: nextColumns, weight: columnWeights } = this.#columns;
    const { first: rows, second: nextRows, weight: rowWeights } = this.#rows;
    for (let y = 0; y < rows.length; y++) {
      const above = rows[y]! * width;
      const below = nextRows[y]! * width;
      const down = rowWeights[y]! * scale;
      const up = scale - down;
      let out = (top + y) * this.#inputWidth + left;
      for (let x = 0; x < columns.length; x++, out++) {
        const right = columnWeights[x]!;
        const a = (above + columns[x]!) * channels;
        const b = (above + nextColumns[x]!) * channels;
        const c = (below + columns[x]!) * channels;
        const d = (below + nextColumns[x]!) * channels;
        const wb = up * right;
        const wa = up - wb;
        const wd = down * right;
        const wc = down - wd;
        values[out] = data[a]! * wa + data[b]! * wb + data[c]! * wc + data[d]! * wd;
        values[out + plane] =
          data[a + green]! * wa + data[b + green]! * wb + data[c + green]! * wc + data[d + green]! * wd;
        values[out + 2 * plane] =
          data[a + blue]! * wa + data[b + blue]! * wb + data[c + blue]! * wc + data[d + blue]! * wd;
      }
    }
  }
}

/** What makes the brightest value 1. */
function scaleOf(data: Image['data']): number {
  if (data instanceof Float32Array) return 1;
  return data instanceof Uint16Array ? 1 / 65535 : 1 / 255;
}
