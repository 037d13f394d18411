import type { Picture } from '../../../media/frame.ts';
import { yuvFactors } from '../../../media/yuv.ts';
import type { Rgb } from './pixels.ts';
import { PlaneScaler, type Size } from './plane-scaler.ts';

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
    const target = this.#target;
    if (target.width === width && target.height === height) return { width, height, data };
    // Clamped, so that cubic overshoot stays within a byte; rounds halves to even.
    const out = new Uint8ClampedArray(target.width * target.height * 3);
    this.#pixels.begin(data, 0, width * 3);
    for (let y = 0; y < target.height; y++) out.set(this.#pixels.row(y), y * target.width * 3);
    return { ...target, data: new Uint8Array(out.buffer) };
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
  readonly #out: Uint8ClampedArray<ArrayBuffer>;

  constructor(source: Size, target: Size, isCubic: boolean) {
    this.source = source;
    this.#target = target;
    this.#luma = new PlaneScaler(source, target, isCubic, 1);
    this.#u = new PlaneScaler(source, target, isCubic, 1, true);
    this.#v = new PlaneScaler(source, target, isCubic, 1, true);
    this.#out = new Uint8ClampedArray(target.width * target.height * 3);
  }

  /** @param picture `yuv420p` @returns memory that the next call overwrites */
  apply(picture: Pick<Picture, 'width' | 'height' | 'data' | 'isBt709'>): Rgb {
    const { data, width, height } = picture;
    const size = width * height;
    this.#luma.begin(data, 0, width);
    this.#u.begin(data, size, width / 2);
    this.#v.begin(data, size + size / 4, width / 2);
    const { y, vToR, uToG, vToG, uToB } = yuvFactors(picture);
    const out = this.#out;
    for (let row = 0, at = 0; row < this.#target.height; row++) {
      const lumas = this.#luma.row(row);
      const us = this.#u.row(row);
      const vs = this.#v.row(row);
      for (let x = 0; x < lumas.length; x++, at += 3) {
        const light = (lumas[x]! - 16) * y;
        const u = us[x]! - 128;
        const v = vs[x]! - 128;
        out[at] = light + v * vToR;
        out[at + 1] = light + u * uToG + v * vToG;
        out[at + 2] = light + u * uToB;
      }
    }
    return { ...this.#target, data: new Uint8Array(out.buffer) };
  }
}
