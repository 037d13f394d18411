import type { Image } from './image.ts';
import { sameKind } from './resize.ts';

/** Quarter turns against the clock. */
export type QuarterTurns = 0 | 1 | 2 | 3;

/** An image turned by quarters against the clock, then mirrored. */
export function turn(image: Image, turns: QuarterTurns, flipX: boolean, flipY: boolean): Image {
  if (turns === 0 && !flipX && !flipY) return image;
  const { width, height, channels, data } = image;
  const isOnSide = turns % 2 === 1;
  const [outWidth, outHeight] = isOnSide ? [height, width] : [width, height];
  const out = sameKind(data, data.length);
  for (let y = 0, at = 0; y < outHeight; y++) {
    const row = flipY ? outHeight - 1 - y : y;
    for (let x = 0; x < outWidth; x++) {
      const column = flipX ? outWidth - 1 - x : x;
      const from = sourceAt(turns, column, row, width, height) * channels;
      for (let channel = 0; channel < channels; channel++) out[at++] = data[from + channel]!;
    }
  }
  return { ...image, width: outWidth, height: outHeight, data: out };
}

/** Index of the source pixel that pixel (x, y) of the turned image shows. */
function sourceAt(turns: QuarterTurns, x: number, y: number, width: number, height: number): number {
  switch (turns) {
    case 0:
      return y * width + x;
    case 1:
      return x * width + (width - 1 - y);
    case 2:
      return (height - 1 - y) * width + (width - 1 - x);
    case 3:
      return (height - 1 - x) * width + y;
  }
}

/** What surrounds an image that is put on a larger canvas: its own edge, or one colour. */
export type Surround = 'edge' | readonly number[];

/** An image on a canvas of `width` × `height`, its corner at (left, top); what does not fit is cut off. */
export function place(
  image: Image,
  width: number,
  height: number,
  left: number,
  top: number,
  surround: Surround,
): Image {
  const { channels, data } = image;
  const out = sameKind(data, width * height * channels);
  for (let y = 0, at = 0; y < height; y++) {
    const row = y - top;
    const nearRow = Math.min(Math.max(row, 0), image.height - 1);
    for (let x = 0; x < width; x++) {
      const column = x - left;
      const isOutside = row < 0 || column < 0 || row >= image.height || column >= image.width;
      const nearColumn = Math.min(Math.max(column, 0), image.width - 1);
      const from = (nearRow * image.width + nearColumn) * channels;
      for (let channel = 0; channel < channels; channel++) {
        out[at++] = isOutside && surround !== 'edge' ? (surround[channel] ?? 0) : data[from + channel]!;
      }
    }
  }
  return { ...image, width, height, data: out };
}
