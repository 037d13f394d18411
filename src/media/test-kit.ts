import type { Image } from './image.ts';

export type Size = readonly [width: number, height: number, channels: number];

/** The picture of `pattern` in `test/fixtures/make/vision.py`. For tests. */
export function pattern([width, height, channels]: Size): Image {
  const data = new Uint8Array(width * height * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) data[at++] = (x * 37 + y * 57 + c * 101 + ((x * y * 13) % 97)) & 255;
    }
  }
  return { width, height, channels, format: channels === 3 ? 'SRGB' : 'SRGBA', data };
}

/** Of a text that `b64` in `vision.py` has made. */
export const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
