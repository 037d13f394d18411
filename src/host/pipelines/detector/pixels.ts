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
