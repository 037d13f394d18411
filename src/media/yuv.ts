import type { Picture } from './frame.ts';

/**
 * From YUV in the limited range to RGB: R = y + vToR, G = y + uToG + vToG, B = y + uToB, each of a table by byte
 * (ITU-R BT.601, BT.709; what ffmpeg does).
 */
export interface YuvFactors {
  readonly y: number;
  readonly vToR: number;
  readonly uToG: number;
  readonly vToG: number;
  readonly uToB: number;
}

const LUMA = 255 / 219;

function factorsOf(kr: number, kb: number): YuvFactors {
  const [kg, chroma] = [1 - kr - kb, 255 / 224];
  return {
    y: LUMA,
    vToR: 2 * (1 - kr) * chroma,
    uToG: ((-2 * kb * (1 - kb)) / kg) * chroma,
    vToG: ((-2 * kr * (1 - kr)) / kg) * chroma,
    uToB: 2 * (1 - kb) * chroma,
  };
}

const BT601 = factorsOf(0.299, 0.114);
const BT709 = factorsOf(0.2126, 0.0722);

export function yuvFactors({ isBt709 = false }: Pick<Picture, 'isBt709'>): YuvFactors {
  return isBt709 ? BT709 : BT601;
}

/** A `yuv420p` picture as `rgb24`, in memory of its own; another one as it is. Chroma is that of the 2 × 2 pixels. */
export function toRgb<P extends Picture>(picture: P): P {
  if (picture.format !== 'yuv420p') return picture;
  const { width, height, data } = picture;
  const { y, vToR, uToG, vToG, uToB } = yuvFactors(picture);
  const [half, size] = [width / 2, width * height];
  const out = new Uint8ClampedArray(size * 3);
  for (let row = 0, at = 0, from = 0; row < height; row++) {
    let chroma = size + (row >> 1) * half;
    for (let column = 0; column < half; column++, chroma++) {
      const u = data[chroma]! - 128;
      const v = data[chroma + size / 4]! - 128;
      const r = v * vToR;
      const g = u * uToG + v * vToG;
      const b = u * uToB;
      for (let pixel = 0; pixel < 2; pixel++, from++, at += 3) {
        const luma = (data[from]! - 16) * y;
        out[at] = luma + r;
        out[at + 1] = luma + g;
        out[at + 2] = luma + b;
      }
    }
  }
  return { ...picture, format: 'rgb24', data: new Uint8Array(out.buffer) };
}
