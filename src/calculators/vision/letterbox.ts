import type { Image } from '../image.ts';
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
    const plane = this.#inputWidth * this.#inputHeight;
    const values = new Float32Array(3 * plane).fill(GREY);
    for (let channel = 0; channel < 3; channel++) {
      // One channel is grey; a second or fourth is not colour.
      const source = image.channels < 3 ? 0 : channel;
      this.#resample(image, source, values.subarray(channel * plane, (channel + 1) * plane), letterbox);
    }
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

  /** Writes one channel into its plane of the result. */
  #resample({ data, width, channels }: Image, channel: number, plane: Float32Array, { left, top }: Letterbox): void {
    const scale = data instanceof Float32Array ? 1 : data instanceof Uint16Array ? 1 / 65535 : 1 / 255;
    const { first: columns, second: nextColumns, weight: columnWeights } = this.#columns;
    const { first: rows, second: nextRows, weight: rowWeights } = this.#rows;
    for (let y = 0; y < rows.length; y++) {
      const above = (rows[y] ?? 0) * width;
      const below = (nextRows[y] ?? 0) * width;
      const down = rowWeights[y] ?? 0;
      let out = (top + y) * this.#inputWidth + left;
      for (let x = 0; x < columns.length; x++) {
        const column = columns[x] ?? 0;
        const nextColumn = nextColumns[x] ?? 0;
        const right = columnWeights[x] ?? 0;
        const a = data[(above + column) * channels + channel] ?? 0;
        const b = data[(above + nextColumn) * channels + channel] ?? 0;
        const c = data[(below + column) * channels + channel] ?? 0;
        const d = data[(below + nextColumn) * channels + channel] ?? 0;
        const upper = a + (b - a) * right;
        plane[out++] = (upper + (c + (d - c) * right - upper) * down) * scale;
      }
    }
  }
}
