import { MillraceError } from '../../base/errors.ts';
import { CHANNELS, type Picture } from '../frame.ts';

/**
 * `picture` in the size of `shape`, as large as fits, the rest black; the same where it has that size. A video has one size,
 * but a graph may answer with another. JPEGs stay as they are: ffmpeg scales them.
 * @throws MillraceError SINK_FAILED for another format, and for planes of another size
 */
export function fitted(picture: Picture, shape: Omit<Picture, 'data'>): Picture {
  const { format, width, height } = picture;
  if (format !== shape.format)
    throw new MillraceError('SINK_FAILED', `a ${format} picture after ${shape.format} ones; a video has one format`);
  if (format === 'jpeg' || (width === shape.width && height === shape.height)) return picture;
  const scale = Math.min(shape.width / width, shape.height / height);
  const [innerWidth, innerHeight] = [Math.round(width * scale), Math.round(height * scale)];
  const [left, top] = [(shape.width - innerWidth) >> 1, (shape.height - innerHeight) >> 1];
  if (format === 'yuv420p') throw new MillraceError('SINK_FAILED', 'planes of another size; a video has one size');
  const channels = CHANNELS[format];
  const data = new Uint8Array(shape.width * shape.height * channels);
  for (let y = 0; y < innerHeight; y++) {
    const from = Math.min(height - 1, Math.floor((y + 0.5) / scale)) * width;
    let to = ((top + y) * shape.width + left) * channels;
    for (let x = 0; x < innerWidth; x++) {
      const at = (from + Math.min(width - 1, Math.floor((x + 0.5) / scale))) * channels;
      for (let channel = 0; channel < channels; channel++) data[to++] = picture.data[at + channel] as number;
    }
  }
  return { ...shape, data };
}
