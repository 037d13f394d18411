import { kernelFor, type ByteImage } from './crop-kernel.ts';
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

/** Pixels; further out nothing of an image is seen, and coordinates in 1/32 pixels would not fit 32 bits. */
const FAR = 2 ** 25;

/** Values by the brightness 0…255 that they stand for. */
export type Levels = Float32Array | Uint8Array | Int8Array;

/**
 * Cuts rotated regions out of images, scaled to a fixed size: each output pixel (i, j) samples the region at (i / width,
 * j / height), without a shift by half a pixel, bilinearly at the nearest 1/32 of a pixel, rounded to 0…255. So does
 * MediaPipe, bit for bit (MediaPipe sheet §14). Keeps its tables between calls; one per node.
 */
export class Cropper {
  readonly #width: number;
  readonly #height: number;
  readonly #border: Border;
  /** Source coordinates in 1/32 pixels, x and y in turn, of each output column, and what each output row adds to them. */
  readonly #columns: Float64Array;
  readonly #rows: Float64Array;

  constructor(width: number, height: number, border: Border) {
    this.#width = width;
    this.#height = height;
    this.#border = border;
    this.#columns = new Float64Array(2 * width);
    this.#rows = new Float64Array(2 * height);
  }

  /**
   * Fills `out`, [height, width, 3], RGB; grey images have three equal channels.
   * @param levels what is written for each brightness, 256 values
   */
  crop(image: Image, region: Region, levels: Levels, out: Levels): void {
    const reach = Math.abs(region.x) + Math.abs(region.y) + Math.abs(region.width) + Math.abs(region.height);
    if (!(reach < FAR)) {
      out.fill(levels[0] ?? 0);
      return;
    }
    this.#place(region);
    if (isOfBytes(image)) this.#bytes(image, region, levels, out);
    else this.#deep(image, levels, out);
  }

  #place({ x, y, width, height, rotation }: Region): void {
    const [columns, rows] = [this.#columns, this.#rows];
    const [cos, sin] = [Math.cos(rotation), Math.sin(rotation)];
    for (let i = 0; i < this.#width; i++) {
      const across = (i / this.#width - 0.5) * width;
      // In 1/32 pixels: multiplying by a power of two loses nothing.
      columns[2 * i] = (x + across * cos) * 32;
      columns[2 * i + 1] = (y + across * sin) * 32;
    }
    for (let j = 0; j < this.#height; j++) {
      const down = (j / this.#height - 0.5) * height;
      rows[2 * j] = -down * sin * 32;
      rows[2 * j + 1] = down * cos * 32;
    }
  }

  #bytes(image: ByteImage, { y, width, height, rotation }: Region, levels: Levels, out: Levels): void {
    const reach = (Math.abs(width * Math.sin(rotation)) + Math.abs(height * Math.cos(rotation))) / 2 + 2;
    const last = image.height - 1;
    const words = levels instanceof Float32Array ? wordsOf(levels) : Int32Array.from(levels);
    const sampled = kernelFor(image.data.byteLength, 4 * out.length).sample({
      image,
      columns: this.#columns,
      rows: this.#rows,
      from: Math.min(Math.max(Math.floor(y - reach), 0), last),
      to: Math.min(Math.max(Math.ceil(y + reach), 0), last) + 1,
      isZero: this.#border === 'zero',
      levels: words,
    });
    (out instanceof Float32Array ? wordsOf(out) : out).set(sampled);
  }

  /** 16-bit and float images, which keep their depth: their brightness lies between two levels. */
  #deep(image: Image, levels: Levels, out: Levels): void {
    const { width, height, channels, data } = image;
    const [columns, rows] = [this.#columns, this.#rows];
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
    for (let j = 0; j < rows.length; j += 2) {
      for (let i = 0; i < columns.length; i += 2) {
        const fineX = rounded(columns[i]! + rows[j]!);
        const fineY = rounded(columns[i + 1]! + rows[j + 1]!);
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

const isOfBytes = (image: Image): image is ByteImage => image.data instanceof Uint8Array;

/** The bits of floats, as integers. */
function wordsOf(floats: Float32Array): Int32Array {
  return new Int32Array(floats.buffer, floats.byteOffset, floats.length);
}

/** The nearest whole number, halves to even: adding 1.5 × 2^52 leaves a double no room for less. */
function rounded(value: number): number {
  return value + 6755399441055744 - 6755399441055744;
}
