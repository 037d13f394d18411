import type { Border } from './crop.ts';
import type { Image } from './image.ts';
import { sameKind } from './resize.ts';

/** Parts of a pixel that positions are rounded to. */
const STEPS = 32;

/**
 * An image of another size, each pixel of which is taken from where an affine map says: bilinearly at the nearest 1/32 of a pixel,
 * without a shift by half a pixel, as OpenCV's `warpAffine` (MediaPipe sheet §19).
 * @param matrix 4×4, by rows, of which x and y count: from points of the result to points of `image`, both 0–1
 */
export function warp(image: Image, matrix: ArrayLike<number>, width: number, height: number, border: Border): Image {
  const { channels, data } = image;
  const out = sameKind(data, width * height * channels);
  const half = data instanceof Float32Array ? 0 : 0.5;
  const isZero = border === 'zero';
  const [scaleX, scaleY] = [image.width * STEPS, image.height * STEPS];
  const [acrossX, downX, startX] = [(matrix[0]! / width) * scaleX, (matrix[1]! / height) * scaleX, matrix[3]! * scaleX];
  const [acrossY, downY, startY] = [(matrix[4]! / width) * scaleY, (matrix[5]! / height) * scaleY, matrix[7]! * scaleY];
  for (let j = 0, at = 0; j < height; j++) {
    for (let i = 0; i < width; i++, at += channels) {
      const fineX = Math.round(acrossX * i + downX * j + startX);
      const fineY = Math.round(acrossY * i + downY * j + startY);
      const isOutside = fineX <= -STEPS || fineY <= -STEPS || fineX >= scaleX || fineY >= scaleY;
      if (isOutside && isZero) continue;
      for (let channel = 0; channel < channels; channel++) {
        out[at + channel] = sample(image, fineX, fineY, channel, isZero) + half;
      }
    }
  }
  return { ...image, width, height, data: out };
}

/** One channel between four pixels; positions in `STEPS` of a pixel. */
function sample(
  { width, height, channels, data }: Image,
  fineX: number,
  fineY: number,
  channel: number,
  isZero: boolean,
): number {
  // prettier-ignore
  const [x, y] = [Math.floor(fineX / STEPS), Math.floor(fineY / STEPS)];
  const [right, down] = [fineX / STEPS - x, fineY / STEPS - y];
  let sum = 0;
  for (let corner = 0; corner < 4; corner++) {
    const weight = ((corner & 1) === 0 ? 1 - right : right) * (corner < 2 ? 1 - down : down);
    const column = x + (corner & 1);
    const row = y + (corner >> 1);
    if (weight === 0 || (isZero && (column < 0 || row < 0 || column >= width || row >= height))) continue;
    const nearColumn = Math.min(Math.max(column, 0), width - 1);
    const nearRow = Math.min(Math.max(row, 0), height - 1);
    sum += weight * data[(nearRow * width + nearColumn) * channels + channel]!;
  }
  return sum;
}
