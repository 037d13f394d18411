import type { Image } from './image.ts';

/** A rotated rectangle in pixels of an image: centre, sides, and the angle in radians, clockwise on the screen. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly rotation: number;
}

/** What is seen outside the image: black, or the nearest pixel of its edge. */
export type Border = 'zero' | 'replicate';

/** A region widened to an output's aspect, and the share of the output that was added at each side, 0–½. */
export interface FittedRegion {
  readonly region: Region;
  /** Left and right. */
  readonly padX: number;
  /** At the top and at the bottom. */
  readonly padY: number;
}

/** Adds to a region what it lacks of the aspect of `width` × `height`, so that nothing of it is distorted. */
export function fitRegion(region: Region, width: number, height: number): FittedRegion {
  const wanted = height / width;
  const given = region.height / region.width;
  if (wanted > given) {
    return { region: { ...region, height: region.width * wanted }, padX: 0, padY: (1 - given / wanted) / 2 };
  }
  return { region: { ...region, width: region.height / wanted }, padX: (1 - wanted / given) / 2, padY: 0 };
}

/**
 * Added to a double of less than 2^31 this rounds it to a whole number, halves to even, and leaves that in the lower 32 bits:
 * the first of its two words, typed arrays being little-endian wherever Node runs.
 */
const ROUNDING = 6755399441055744;
/** Pixels; further out nothing of an image is seen, and coordinates in 1/32 pixels would not fit 32 bits. */
const FAR = 2 ** 25;

/** Values by the brightness 0…255 that they stand for. */
export type Levels = Float32Array | Uint8Array | Int8Array;

function bitsOf(levels: Levels): Int32Array | Uint8Array | Int8Array {
  if (!(levels instanceof Float32Array)) return levels;
  return new Int32Array(levels.buffer, levels.byteOffset, levels.length);
}

/**
 * Cuts rotated regions out of images, scaled to a fixed size: each output pixel (i, j) samples the region at (i / width,
 * j / height), without a shift by half a pixel, bilinearly at the nearest 1/32 of a pixel, rounded to 0…255. So does
 * MediaPipe, bit for bit (MediaPipe sheet §14). Keeps its tables between calls; one per node.
 */
export class Cropper {
  readonly #width: number;
  readonly #height: number;
  readonly #border: Border;
  /** Source coordinates of each output column, without what the row adds. */
  readonly #columnX: Float64Array;
  readonly #columnY: Float64Array;
  /** Those of each pixel of a row plus `ROUNDING`, and their words. */
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #xWords: Int32Array;
  readonly #yWords: Int32Array;

  constructor(width: number, height: number, border: Border) {
    this.#width = width;
    this.#height = height;
    this.#border = border;
    this.#columnX = new Float64Array(width);
    this.#columnY = new Float64Array(width);
    this.#x = new Float64Array(width);
    this.#y = new Float64Array(width);
    this.#xWords = new Int32Array(this.#x.buffer);
    this.#yWords = new Int32Array(this.#y.buffer);
  }

  /**
   * Fills `out`, [height, width, 3], RGB; grey images have three equal channels.
   * @param levels what is written for each brightness, 256 values
   */
  crop(image: Image, region: Region, levels: Levels, out: Levels): void {
    const { rotation } = region;
    const cos = Math.cos(rotation);
    const sin = Math.sin(rotation);
    for (let i = 0; i < this.#width; i++) {
      const across = (i / this.#width - 0.5) * region.width;
      // In 1/32 pixels: multiplying by a power of two loses nothing.
      this.#columnX[i] = (region.x + across * cos) * 32;
      this.#columnY[i] = (region.y + across * sin) * 32;
    }
    const reach = Math.abs(region.x) + Math.abs(region.y) + Math.abs(region.width) + Math.abs(region.height);
    if (!(reach < FAR)) out.fill(levels[0] ?? 0);
    else if (image.data instanceof Uint8Array) {
      // Floats are copied as the integers of their bits, which spares converting them.
      this.#bytes(image, image.data, region, cos, sin, bitsOf(levels), bitsOf(out));
    } else this.#deep(image, region, cos, sin, levels, out);
  }

  #bytes(
    { width, height, channels }: Image,
    data: Uint8Array,
    region: Region,
    cos: number,
    sin: number,
    levels: Int32Array | Uint8Array | Int8Array,
    out: Int32Array | Uint8Array | Int8Array,
  ): void {
    const columns = this.#width;
    const xWords = this.#xWords;
    const yWords = this.#yWords;
    const stride = width * channels;
    const [lastX, lastY] = [width - 1, height - 1];
    // One channel is grey; a second or fourth is not colour.
    const green = channels < 3 ? 0 : 1;
    const blue = channels < 3 ? 0 : 2;
    const isZero = this.#border === 'zero';
    let at = 0;
    for (let j = 0; j < this.#height; j++) {
      const down = (j / this.#height - 0.5) * region.height;
      this.#row(down * sin * 32, down * cos * 32);
      for (let i = 0; i < columns; i++) {
        const fineX = xWords[2 * i]!;
        const fineY = yWords[2 * i]!;
        const x = fineX >> 5;
        const y = fineY >> 5;
        const partX = fineX & 31;
        const partY = fineY & 31;
        // Weights of the four pixels around, in 1/1024.
        let w11 = partX * partY;
        let w10 = (partX << 5) - w11;
        let w01 = (partY << 5) - w11;
        let w00 = 1024 - w10 - w01 - w11;
        let p00 = y * stride + x * channels;
        let p10 = p00 + channels;
        let p01 = p00 + stride;
        let p11 = p01 + channels;
        if (x < 0 || y < 0 || x >= lastX || y >= lastY) {
          if (isZero) {
            if (x < 0 || x > lastX) w00 = w01 = 0;
            if (x < -1 || x >= lastX) w10 = w11 = 0;
            if (y < 0 || y > lastY) w00 = w10 = 0;
            if (y < -1 || y >= lastY) w01 = w11 = 0;
          }
          const left = x < 0 ? 0 : x > lastX ? lastX : x;
          const right = x < -1 ? 0 : x >= lastX ? lastX : x + 1;
          const top = y < 0 ? 0 : y > lastY ? lastY : y;
          const bottom = y < -1 ? 0 : y >= lastY ? lastY : y + 1;
          p00 = top * stride + left * channels;
          p10 = top * stride + right * channels;
          p01 = bottom * stride + left * channels;
          p11 = bottom * stride + right * channels;
        }
        out[at] = levels[(data[p00]! * w00 + data[p10]! * w10 + data[p01]! * w01 + data[p11]! * w11 + 512) >> 10]!;
        out[at + 1] =
          levels[
            (data[p00 + green]! * w00 +
              data[p10 + green]! * w10 +
              data[p01 + green]! * w01 +
              data[p11 + green]! * w11 +
              512) >>
              10
          ]!;
        out[at + 2] =
          levels[
            (data[p00 + blue]! * w00 +
              data[p10 + blue]! * w10 +
              data[p01 + blue]! * w01 +
              data[p11 + blue]! * w11 +
              512) >>
              10
          ]!;
        at += 3;
      }
    }
  }

  /** Source coordinates of the pixels of one row, in 1/32 pixels. */
  #row(offsetX: number, offsetY: number): void {
    const [columnX, columnY, x, y] = [this.#columnX, this.#columnY, this.#x, this.#y];
    for (let i = 0; i < x.length; i++) {
      x[i] = columnX[i]! - offsetX + ROUNDING;
      y[i] = columnY[i]! + offsetY + ROUNDING;
    }
  }

  /** 16-bit and float images, which keep their depth: their brightness lies between two levels. */
  #deep(image: Image, region: Region, cos: number, sin: number, levels: Levels, out: Levels): void {
    const { width, height, channels, data } = image;
    const scale = data instanceof Uint16Array ? 255 / 65535 : 255;
    const isZero = this.#border === 'zero';
    const [first, step] = [levels[0]!, (levels[255]! - levels[0]!) / 255];
    const tap = (x: number, y: number, channel: number): number => {
      const isOutside = x < 0 || y < 0 || x >= width || y >= height;
      if (isOutside && isZero) return 0;
      const column = Math.min(Math.max(x, 0), width - 1);
      const row = Math.min(Math.max(y, 0), height - 1);
      return data[(row * width + column) * channels + channel]!;
    };
    let at = 0;
    for (let j = 0; j < this.#height; j++) {
      const down = (j / this.#height - 0.5) * region.height;
      this.#row(down * sin * 32, down * cos * 32);
      for (let i = 0; i < this.#width; i++) {
        const fineX = this.#xWords[2 * i]!;
        const fineY = this.#yWords[2 * i]!;
        const [x, y, partX, partY] = [fineX >> 5, fineY >> 5, (fineX & 31) / 32, (fineY & 31) / 32];
        for (let colour = 0; colour < 3; colour++) {
          const channel = channels < 3 ? 0 : colour;
          const above = tap(x, y, channel) * (1 - partX) + tap(x + 1, y, channel) * partX;
          const below = tap(x, y + 1, channel) * (1 - partX) + tap(x + 1, y + 1, channel) * partX;
          const brightness = Math.min(Math.max((above * (1 - partY) + below * partY) * scale, 0), 255);
          out[at++] = first + brightness * step;
        }
      }
    }
  }
}
