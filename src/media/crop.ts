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

/** Pixels of a row of an output, at most. */
const MAX_WIDTH = 8192;

// Scratch memory of the row that is cut. It belongs to the module, since accesses to arrays that cannot change compile to half
// the instructions; a row is cut at one go.
/** Source coordinates of each pixel in 1/32 pixels, plus `ROUNDING`, and their words. */
const rowX = new Float64Array(MAX_WIDTH);
const rowY = new Float64Array(MAX_WIDTH);
const xWords = new Int32Array(rowX.buffer);
const yWords = new Int32Array(rowY.buffer);
/** What is written for each brightness, floats as the integers of their bits, which spares converting them. */
const bits = new Int32Array(256);
const outRow = new Int32Array(MAX_WIDTH * 3);

/** An image of bytes to sample. */
interface Source {
  readonly data: Uint8Array;
  /** The same memory. */
  readonly words: DataView;
  readonly channels: number;
  /** Bytes of a row. */
  readonly stride: number;
  readonly lastX: number;
  readonly lastY: number;
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

  constructor(width: number, height: number, border: Border) {
    this.#width = width;
    this.#height = height;
    this.#border = border;
    this.#columnX = new Float64Array(width);
    this.#columnY = new Float64Array(width);
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
      bits.set(bitsOf(levels));
      this.#bytes(image, image.data, region, cos, sin, bitsOf(out));
    } else this.#deep(image, region, cos, sin, levels, out);
  }

  #bytes(image: Image, data: Uint8Array, region: Region, cos: number, sin: number, out: Bits): void {
    const columns = this.#width;
    const { channels } = image;
    const source: Source = {
      data,
      words: new DataView(data.buffer, data.byteOffset, data.byteLength),
      channels,
      stride: image.width * channels,
      lastX: image.width - 1,
      lastY: image.height - 1,
    };
    const filled = outRow.subarray(0, 3 * columns);
    const isZero = this.#border === 'zero';
    for (let j = 0; j < this.#height; j++) {
      const down = (j / this.#height - 0.5) * region.height;
      this.#row(down * sin * 32, down * cos * 32);
      // Along a row both coordinates only grow or only shrink: what is inside is in one piece.
      let from = channels < 3 ? columns : 0;
      while (from < columns && !isInside(source, from)) from++;
      let to = columns;
      while (to > from && !isInside(source, to - 1)) to--;
      cutEdge(source, 0, from, isZero);
      cutInner(source.words, channels, source.stride, from, to);
      cutEdge(source, to, columns, isZero);
      out.set(filled, 3 * columns * j);
    }
  }

  /** Source coordinates of the pixels of one row, in 1/32 pixels. */
  #row(offsetX: number, offsetY: number): void {
    const [columnX, columnY] = [this.#columnX, this.#columnY];
    for (let i = 0; i < columnX.length; i++) {
      rowX[i] = columnX[i]! - offsetX + ROUNDING;
      rowY[i] = columnY[i]! + offsetY + ROUNDING;
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
        const fineX = xWords[2 * i]!;
        const fineY = yWords[2 * i]!;
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

type Bits = Int32Array | Uint8Array | Int8Array;

function bitsOf(levels: Levels): Bits {
  if (!(levels instanceof Float32Array)) return levels;
  return new Int32Array(levels.buffer, levels.byteOffset, levels.length);
}

/** Whether all four pixels around the row's pixel are in the image. */
function isInside({ lastX, lastY }: Source, i: number): boolean {
  const x = xWords[2 * i]! >> 5;
  const y = yWords[2 * i]! >> 5;
  return x >= 0 && y >= 0 && x < lastX && y < lastY;
}

/**
 * Pixels of the row that are within the image, which has colours. A source pixel is read as one word, red in its lowest byte.
 * Red and blue are interpolated as two halves of a word, so are the greens of the upper and of the lower row: first across,
 * in 1/32, then down, in 1/1024.
 */
function cutInner(words: DataView, channels: number, stride: number, from: number, to: number): void {
  for (let i = from, at = 3 * from; i < to; i++, at += 3) {
    const fineX = xWords[2 * i]!;
    const fineY = yWords[2 * i]!;
    const right = fineX & 31;
    const down = fineY & 31;
    const p = Math.imul(fineY >> 5, stride) + Math.imul(fineX >> 5, channels);
    const a = words.getInt32(p, true);
    const b = words.getInt32(p + channels, true);
    const c = words.getInt32(p + stride, true);
    // From one byte before, since nothing need follow an image's last pixel.
    const d = words.getInt32(p + stride + channels - 1, true) >>> 8;
    const a2 = a & 0xff00ff;
    const c2 = c & 0xff00ff;
    const upper = (a2 << 5) + Math.imul((b & 0xff00ff) - a2, right);
    const lower = (c2 << 5) + Math.imul((d & 0xff00ff) - c2, right);
    const left = ((a >>> 8) & 0xff) | ((c << 8) & 0xff0000);
    const green = (left << 5) + Math.imul((((b >>> 8) & 0xff) | ((d << 8) & 0xff0000)) - left, right);
    const red0 = upper & 0xffff;
    const green0 = green & 0xffff;
    const blue0 = upper >>> 16;
    outRow[at] = bits[((red0 << 5) + Math.imul((lower & 0xffff) - red0, down) + 512) >> 10]!;
    outRow[at + 1] = bits[((green0 << 5) + Math.imul((green >>> 16) - green0, down) + 512) >> 10]!;
    outRow[at + 2] = bits[((blue0 << 5) + Math.imul((lower >>> 16) - blue0, down) + 512) >> 10]!;
  }
}

/** Pixels of the row around which something may be outside of the image, or which are grey. */
function cutEdge(source: Source, from: number, to: number, isZero: boolean): void {
  const { data, channels, stride, lastX, lastY } = source;
  // One channel is grey; a second or fourth is not colour.
  const green = channels < 3 ? 0 : 1;
  const blue = channels < 3 ? 0 : 2;
  for (let i = from, at = 3 * from; i < to; i++, at += 3) {
    const fineX = xWords[2 * i]!;
    const fineY = yWords[2 * i]!;
    const x = fineX >> 5;
    const y = fineY >> 5;
    const right = fineX & 31;
    const down = fineY & 31;
    // Weights of the four pixels around, in 1/1024.
    let w11 = right * down;
    let w10 = (right << 5) - w11;
    let w01 = (down << 5) - w11;
    let w00 = 1024 - w10 - w01 - w11;
    if (isZero) {
      if (x < 0 || x > lastX) w00 = w01 = 0;
      if (x < -1 || x >= lastX) w10 = w11 = 0;
      if (y < 0 || y > lastY) w00 = w10 = 0;
      if (y < -1 || y >= lastY) w01 = w11 = 0;
    }
    const x0 = (x < 0 ? 0 : x > lastX ? lastX : x) * channels;
    const x1 = (x < -1 ? 0 : x >= lastX ? lastX : x + 1) * channels;
    const y0 = (y < 0 ? 0 : y > lastY ? lastY : y) * stride;
    const y1 = (y < -1 ? 0 : y >= lastY ? lastY : y + 1) * stride;
    const p00 = y0 + x0;
    const p10 = y0 + x1;
    const p01 = y1 + x0;
    const p11 = y1 + x1;
    const red = data[p00]! * w00 + data[p10]! * w10 + data[p01]! * w01 + data[p11]! * w11;
    outRow[at] = bits[(red + 512) >> 10]!;
    const greens =
      data[p00 + green]! * w00 + data[p10 + green]! * w10 + data[p01 + green]! * w01 + data[p11 + green]! * w11;
    outRow[at + 1] = bits[(greens + 512) >> 10]!;
    const blues = data[p00 + blue]! * w00 + data[p10 + blue]! * w10 + data[p01 + blue]! * w01 + data[p11 + blue]! * w11;
    outRow[at + 2] = bits[(blues + 512) >> 10]!;
  }
}
